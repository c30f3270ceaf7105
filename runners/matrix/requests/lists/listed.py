"""What the readers of request lists have in common: checked parts of a request, and equal ones counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import get_args
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from runners.matrix.quantities import sendable
from runners.matrix.requests.mix import Mix
from runners.matrix.requests.request import Expect, Request
from runners.matrix.requests.request_section import OURS, Header, HeaderValue, Method

MOST_REQUESTS = 1000  # of different ones; the gates ask each of them once
NOT_REPEATED = {
    *OURS,
    "keep-alive",
    "proxy-connection",
    "upgrade",
    "te",
    "expect",
    "if-none-match",  # a client without a cache has nothing to compare
    "if-modified-since",
    "if-match",
    "if-unmodified-since",
    "if-range",
}

_header: TypeAdapter[tuple[str, str]] = TypeAdapter(tuple[Header, HeaderValue])


class Unreadable(Exception):
    """A list of requests is malformed: the line, if it has lines, and what is wrong."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.line = line


def request_of(
    method: str, url: str, headers: Iterable[tuple[str, str]] = (), body: bytes = b"", status: int = 200
) -> Request:
    """Return a request; ValueError if it cannot be sent."""
    if method not in get_args(Method):
        raise ValueError(f"the method {method!r} is not one of {', '.join(get_args(Method))}")
    path = path_of(url)
    kept = tuple(_checked(name, value) for name, value in headers if name.lower() not in NOT_REPEATED)
    return Request(path, f"{method} {path}", method, kept, body, Expect(status))


def _checked(name: str, value: str) -> tuple[str, str]:
    try:
        return _header.validate_python((name, value.strip()))
    except ValidationError as error:
        raise ValueError(f"the header {name!r} cannot be sent") from error


def path_of(url: str) -> str:
    """Return the path and query of a URL, or a path as it is; ValueError if it is neither."""
    if url.startswith("/"):
        return sendable(url.partition("#")[0])
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ValueError(f"{url!r} is neither a URL nor a path that begins with /")
    return sendable((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))


def host_of(url: str) -> str:
    """Return the host of a URL with its port; empty for a path."""
    return urlsplit(url).netloc if not url.startswith("/") else ""


def mix_of(name: str, requests: Iterable[Request]) -> Mix:
    """Return requests as a mix, in which those that are equal are one that is sent more often."""
    counts = Counter(requests)
    if not counts:
        raise Unreadable("it contains no request")
    if len(counts) > MOST_REQUESTS:
        raise Unreadable(f"it contains {len(counts)} different requests, more than {MOST_REQUESTS}")
    return Mix(name, tuple(counts), tuple(counts.values()))
