"""What to ask a server, and how to tell whether an answer is the right one. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

SHOWN_CHARS = 60
HIGHEST_GOOD = 399  # from 400 on, load generators count a status as an error


@dataclass(frozen=True)
class Expect:
    """What the right answer looks like: its status, and whatever else is not None of its body.

    `body` is the exact body, `json` a document as JSON text whose keys and values it must hold, `pattern` a regular
    expression that must be found in it, `length` its least and greatest size in bytes, `sha256` its hash.
    """

    status: int = 200
    body: str | None = None
    json: str | None = None
    pattern: str | None = None
    length: tuple[int, int] | None = None
    sha256: str | None = None

    @property
    def is_error_status(self) -> bool:
        """Return whether load generators count its status as an error."""
        return self.status > HIGHEST_GOOD

    @property
    def judges_body(self) -> bool:
        """Return whether a body can be wrong."""
        return any(each is not None for each in (self.body, self.json, self.pattern, self.length, self.sha256))

    def fault(self, status: int, body: bytes) -> str | None:
        """Return what is wrong with an answer, in words that follow "it"; None if it is the right one."""
        if status != self.status:
            return f"answers status {status}, not {self.status}"
        faults = (self._exact(body), self._hashed(body), self._long(body), self._found(body), self._parsed(body))
        return next((fault for fault in faults if fault), None)

    def _exact(self, body: bytes) -> str | None:
        wanted = None if self.body is None else self.body.encode("utf-8", "surrogateescape")
        if wanted is None or body == wanted:
            return None
        if body.rstrip(b"\r\n") == wanted.rstrip(b"\r\n"):
            return f"answers {shown(body)}, which differs from {shown(wanted)} only by a line end"
        return f"answers the body {shown(body)}, not {shown(wanted)}"

    def _hashed(self, body: bytes) -> str | None:
        digest = hashlib.sha256(body).hexdigest()
        if self.sha256 is None or digest == self.sha256:
            return None
        return f"answers a body with the SHA-256 {digest}, not {self.sha256}: {shown(body)}"

    def _long(self, body: bytes) -> str | None:
        if self.length is None or self.length[0] <= len(body) <= self.length[1]:
            return None
        least, most = self.length
        limits = f"{least}" if least == most else f"{least} to {most}"
        return f"answers {len(body)} bytes, not {limits}: {shown(body)}"

    def _found(self, body: bytes) -> str | None:
        if self.pattern is None or re.search(self.pattern.encode(), body):
            return None
        return f"answers the body {shown(body)}, in which {self.pattern!r} is not found"

    def _parsed(self, body: bytes) -> str | None:
        if self.json is None:
            return None
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            return f"answers a body that is not JSON: {shown(body)}"
        where = _difference(json.loads(self.json), found)
        return f"answers JSON that differs from what is expected{where}: {shown(body)}" if where is not None else None


def _difference(wanted: Any, found: Any) -> str | None:
    """Return where a document lacks what is wanted, such as " at .user.id"; None if it holds all of it.

    Objects may hold more keys than wanted; lists and other values must be equal.
    """
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key, value in wanted.items():
            inner = _difference(value, found[key]) if key in found else ""
            if inner is not None:
                return f" at .{key}{inner.removeprefix(' at ')}"
        return None
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for number, pair in enumerate(zip(wanted, found, strict=True)):
            if (inner := _difference(*pair)) is not None:
                return f" at [{number}]{inner.removeprefix(' at ')}"
        return None
    return None if wanted == found and isinstance(wanted, bool) == isinstance(found, bool) else ""


def shown(body: bytes) -> str:
    """Return the beginning of a body as text that is safe to print."""
    text = repr(body[:SHOWN_CHARS])[1:]
    return text if len(body) <= SHOWN_CHARS else f"{text} ... ({len(body)} bytes)"


@dataclass(frozen=True)
class Request:
    """A request that a cell's connections send again and again, and the answer that is expected.

    `name` is its name in the matrix, empty for the suite's own path; `headers` are pairs of name and value.
    """

    path: str = "/"
    name: str = ""
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    expect: Expect = field(default_factory=Expect)

    @property
    def is_plain(self) -> bool:
        """Return whether it is a GET without headers of its own."""
        return self.method == "GET" and not self.headers and not self.body

    @property
    def lines(self) -> tuple[str, ...]:
        """Return its own header lines, with the length of its body."""
        own = tuple(f"{name}: {value}" for name, value in self.headers)
        return (*own, f"Content-Length: {len(self.body)}") if self.body else own

    def bytes_for(self, host: str, *more: str) -> bytes:
        """Return what to send to `host` (with its port, if it has one), with further header lines."""
        lines = (f"{self.method} {self.path} HTTP/1.1", f"Host: {host}", *self.lines, *more)
        return "".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1") + self.body
