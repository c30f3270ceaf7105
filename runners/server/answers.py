"""Parses answers byte by byte, and rejects those whose end a client could not determine for certain."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

MAX_HEAD_BYTES = 65536
MAX_CHUNK_LINE_BYTES = 1024
SHOWN_BYTES = 300

_STATUS_LINE = re.compile(rb"HTTP/(1\.[01]) ([1-9][0-9]{2})( .*)?")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LENGTH = re.compile(r"[0-9]{1,9}")
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(;.*)?")


class Broken(Exception):
    """The server does not do what a gate demands; the message says what it does instead."""


@dataclass(frozen=True)
class Answer:
    """One answer as received, `size_bytes` long in all.

    Header names are in lower case; repeated headers are joined with commas. `ended` says that only the connection's end
    told where its body ends.
    """

    version: str
    status: int
    headers: dict[str, str]
    body: bytes
    size_bytes: int = 0
    ended: bool = False

    @property
    def closes(self) -> bool:
        """Return whether it announces that the connection will close."""
        said = self.headers.get("connection", "").lower()
        return "close" in said or (self.version == "1.0" and "keep-alive" not in said)


def parse_answer(received: bytes, *, bodiless: bool = False, ended: bool | None = None) -> tuple[Answer, bytes] | None:
    """Return the first answer and the bytes after it, None until it is complete; raise Broken if it is not HTTP.

    `ended` says whether the server has closed the connection, which may be how an answer ends; with None it may not.
    """
    head, blank, rest = received.partition(b"\r\n\r\n")
    if not blank:
        _check_beginning(received)
        return None
    status_line, *lines = head.split(b"\r\n")
    version, status = _status(status_line)
    headers = _headers(lines)
    empty = bodiless or status in {204, 304} or status < 200
    until_end = ended is not None and not empty and not headers.keys() & {"content-length", "transfer-encoding"}
    if until_end:
        return (Answer(version, status, headers, rest, len(received), ended=True), b"") if ended else None
    framed = (b"", rest) if empty else _body(headers, rest)
    if framed is None:
        return None
    body, behind = framed
    return Answer(version, status, headers, body, len(received) - len(behind)), behind


def shown(data: bytes) -> str:
    """Return bytes as a short text that is safe to print."""
    return repr(data[:SHOWN_BYTES])[1:] + (f" ... ({len(data)} bytes)" if len(data) > SHOWN_BYTES else "")


def _check_beginning(received: bytes) -> None:
    """Raise Broken if this cannot be the beginning of an answer's head."""
    if b"\n\n" in received:
        raise Broken("the lines of its head end with LF alone instead of CRLF")
    if len(received) > MAX_HEAD_BYTES:
        raise Broken(f"the head of its answer does not end within {MAX_HEAD_BYTES} bytes")
    if not b"HTTP/1.".startswith(received[:7]):
        raise Broken(f"what it sends does not look like an HTTP/1 answer: {shown(received)}")


def _status(line: bytes) -> tuple[str, int]:
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise Broken(f"its status line is malformed: {shown(line)}")
    return match[1].decode(), int(match[2])


def _headers(lines: Iterable[bytes]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, value = _header(line)
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _header(line: bytes) -> tuple[str, str]:
    name, colon, value = line.partition(b":")
    if not colon or not _NAME.fullmatch(name) or any(byte in value for byte in b"\r\n\0"):
        raise Broken(f"a header line is malformed: {shown(line)}")
    return name.decode().lower(), value.strip(b" \t").decode("latin-1")


def _body(headers: dict[str, str], rest: bytes) -> tuple[bytes, bytes] | None:
    """Return the body and what follows it; None until it is complete."""
    length, coding = headers.get("content-length"), headers.get("transfer-encoding")
    if length is not None and coding is not None:
        raise Broken("an answer has both a Content-Length and a Transfer-Encoding")
    if coding is not None and coding.lower() == "chunked":
        return _chunked(rest)
    if length is None:
        raise Broken("an answer has neither a Content-Length nor chunks, so a client cannot tell where it ends")
    if not _LENGTH.fullmatch(length):
        raise Broken(f"its Content-Length is not a valid number: {length!r}")
    size = int(length)
    return (rest[:size], rest[size:]) if len(rest) >= size else None


def _chunked(rest: bytes) -> tuple[bytes, bytes] | None:
    body, at = bytearray(), 0
    while (line := _chunk_line(rest, at)) is not None:
        size, at = line
        if size == 0:
            end = rest.find(b"\r\n\r\n", at - 2)  # after the trailers, if there are any
            return (bytes(body), rest[end + 4 :]) if end >= 0 else None
        if len(rest) < at + size + 2:
            return None
        if rest[at + size : at + size + 2] != b"\r\n":
            raise Broken("a chunk does not end where its size says")
        body += rest[at : at + size]
        at += size + 2
    return None


def _chunk_line(rest: bytes, at: int) -> tuple[int, int] | None:
    """Return the size of the chunk that starts at `at`, and where its data starts; None until the line is complete."""
    end = rest.find(b"\r\n", at)
    if end < 0 and len(rest) - at <= MAX_CHUNK_LINE_BYTES:
        return None
    match = _CHUNK_LINE.fullmatch(rest, at, end) if end >= 0 else None
    if match is None:
        raise Broken(f"the size of a chunk is malformed: {shown(rest[at : end if end >= 0 else None])}")
    return int(match[1], 16), end + 2
