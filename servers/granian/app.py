"""Hello World as an RSGI application, the interface that granian made for speed and recommends."""

from __future__ import annotations

from typing import Any

HEADERS = [("server", "granian"), ("content-type", "text/plain")]  # Date and Content-Length are granian's work.


async def app(scope: Any, protocol: Any) -> None:
    """Answer one request, after its body if it may have one."""
    if scope.method not in {"GET", "HEAD"}:
        await protocol()
    if scope.path == "/":
        protocol.response_str(status=200, headers=HEADERS, body="Hello World")
    else:
        protocol.response_str(status=404, headers=HEADERS, body="Not Found")
