"""Hello World as an ASGI application, the interface that uvicorn serves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

Message = dict[str, Any]
Headers = list[tuple[bytes, bytes]]


def _start(status: int, body: bytes) -> Message:
    # Date and Connection are uvicorn's work; its Server header is replaced by an argument.
    headers: Headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
    return {"type": "http.response.start", "status": status, "headers": headers}


FOUND = (_start(200, b"Hello World"), {"type": "http.response.body", "body": b"Hello World"})
NOT_FOUND = (_start(404, b"Not Found"), {"type": "http.response.body", "body": b"Not Found"})


async def app(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Answer one request, after its body if it has one."""
    while (await receive()).get("more_body"):
        pass
    for message in FOUND if scope["path"] == "/" else NOT_FOUND:
        await send(message)
