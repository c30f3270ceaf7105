"""Reading HTTP/1.x requests as their bytes arrive, and composing the answers.

Each connection has a generator that reads requests and yields answers. It yields nothing (b"")
where it needs more bytes, so that a request may come in pieces of any size.
"""

from __future__ import annotations

import re
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from email.utils import formatdate

BODY = b"Hello World"
HEAD_LIMIT = 16 * 1024

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
VALUE = rb"[\t -~\x80-\xff]*"
REQUEST_LINE = re.compile(rb"(%s) ([!-~\x80-\xff]+) HTTP/([0-9])\.([0-9])" % TOKEN)
HEADER = re.compile(rb"(%s):(%s)" % (TOKEN, VALUE))
CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})(?:[ \t;]%s)?" % VALUE)
LENGTH = re.compile(rb"[0-9]{1,12}")
BARE_LF = re.compile(rb"(?<!\r)\n")

Headers = dict[bytes, list[bytes]]
Taking = Generator[bytes, None, bytes]  # Yields b"" until it can return what it was to take.


class Refused(Exception):
    """Raised when a request cannot be understood; its text is the status to end with."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the answer, and the way to the next request, depend on."""

    method: bytes
    path: bytes
    http11: bool
    keep_alive: bool
    length: int
    chunked: bool
    expects_continue: bool


def parse_headers(lines: list[bytes]) -> Headers:
    """Headers by lower-case name; folded lines and control characters are refused."""
    headers: Headers = {}
    for line in lines:
        match = HEADER.fullmatch(line)
        if match is None:
            raise Refused("400 Bad Request")
        headers.setdefault(match[1].lower(), []).append(match[2].strip(b" \t"))
    return headers


def parse_framing(headers: Headers, *, http11: bool) -> tuple[int, bool]:
    """The length of the body, and whether it comes in chunks instead."""
    lengths = headers.get(b"content-length", [])
    codings = headers.get(b"transfer-encoding", [])
    if len(lengths) + len(codings) > 1 or (codings and not http11):
        raise Refused("400 Bad Request")  # Two programs could see two different requests here.
    if codings and codings[0].lower() != b"chunked":
        raise Refused("501 Not Implemented")
    if lengths and LENGTH.fullmatch(lengths[0]) is None:
        raise Refused("400 Bad Request")
    return (int(lengths[0]) if lengths else 0), bool(codings)


def parse_path(target: bytes) -> bytes:
    """The path alone, also from the form with scheme and host that proxies are sent."""
    if target[:7].lower() == b"http://":
        target = b"/" + target[7:].partition(b"/")[2]
    return target.partition(b"?")[0]


def parse_head(head: bytes) -> Request:
    """A request without its body, from all that stands before the empty line."""
    line, *rest = head.split(b"\r\n")
    match = REQUEST_LINE.fullmatch(line)
    if match is None:
        raise Refused("400 Bad Request")
    if match[3] != b"1":
        raise Refused("505 HTTP Version Not Supported")
    http11 = match[4] != b"0"
    headers = parse_headers(rest)
    hosts = len(headers.get(b"host", []))
    if hosts > 1 or (http11 and hosts == 0):
        raise Refused("400 Bad Request")
    length, chunked = parse_framing(headers, http11=http11)
    wishes = b",".join(headers.get(b"connection", [])).lower().split(b",")
    wishes = [wish.strip(b" \t") for wish in wishes]
    expects = headers.get(b"expect", [b""])[0].lower()
    return Request(
        method=match[1],
        path=parse_path(match[2]),
        http11=http11,
        keep_alive=b"close" not in wishes and (http11 or b"keep-alive" in wishes),
        length=length,
        chunked=chunked,
        expects_continue=http11 and expects == b"100-continue",
    )


def check_beginning(received: bytearray) -> None:
    """Refuses what cannot become a request any more, instead of waiting for the rest of it."""
    end = received.find(b"\r\n")
    if end >= 0 and REQUEST_LINE.fullmatch(received[:end]) is None:
        raise Refused("400 Bad Request")
    if BARE_LF.search(received):
        raise Refused("400 Bad Request")
    if len(received) > HEAD_LIMIT:
        raise Refused("431 Request Header Fields Too Large")


def take_head(received: bytearray) -> Taking:
    """Takes a request's head off the front, without the empty line."""
    while not received or received.startswith(b"\r"):
        if received.startswith(b"\r\n"):  # An empty line before a request is to be forgiven.
            del received[:2]
        elif len(received) > 1:
            raise Refused("400 Bad Request")
        else:
            yield b""
    while (end := received.find(b"\r\n\r\n", 0, HEAD_LIMIT)) < 0:
        check_beginning(received)
        yield b""
    head = bytes(received[:end])
    del received[: end + 4]
    return head


def take_line(received: bytearray) -> Taking:
    """Takes a line off the front, without its CRLF."""
    while (end := received.find(b"\r\n", 0, HEAD_LIMIT)) < 0:
        if len(received) > HEAD_LIMIT:
            raise Refused("400 Bad Request")
        yield b""
    line = bytes(received[:end])
    del received[: end + 2]
    return line


def skip(received: bytearray, count: int) -> Iterator[bytes]:
    """Drops bytes as they come, so that a large body takes no room."""
    while count > len(received):
        count -= len(received)
        received.clear()
        yield b""
    del received[:count]


def skip_chunks(received: bytearray) -> Iterator[bytes]:
    """Drops a chunked body: sizes, chunks and the trailer."""
    while True:
        match = CHUNK_SIZE.fullmatch((yield from take_line(received)))
        if match is None:
            raise Refused("400 Bad Request")
        size = int(match[1], 16)
        if size == 0:
            break
        yield from skip(received, size)
        if (yield from take_line(received)) != b"":
            raise Refused("400 Bad Request")
    while (yield from take_line(received)) != b"":
        pass


class Calendar:
    """The date as HTTP writes it, formatted once a second."""

    def __init__(self) -> None:
        """Starts with no date."""
        self._second = 0
        self._date = b""

    def date(self) -> bytes:
        """The date of now."""
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._date = formatdate(second, usegmt=True).encode()
        return self._date


CALENDAR = Calendar()


def compose(status: str, body: bytes, connection: bytes = b"", *, with_body: bool = True) -> bytes:
    """An answer; `connection` is the header line of that name, if one is needed."""
    return (
        b"HTTP/1.1 %s\r\nServer: python_epoll\r\nDate: %s\r\nContent-Type: text/plain\r\n"
        b"Content-Length: %d\r\n%s\r\n%s"
        % (
            status.encode(),
            CALENDAR.date(),
            len(body),
            connection,
            body if with_body else b"",
        )
    )


def answer(request: Request) -> bytes:
    """The answer to a request, with or without the body."""
    connection = b""
    if not request.keep_alive:
        connection = b"Connection: close\r\n"
    elif not request.http11:  # HTTP/1.0 assumes the contrary, so its client wants to be told.
        connection = b"Connection: keep-alive\r\n"
    with_body = request.method != b"HEAD"
    if request.method not in (b"GET", b"HEAD", b"POST"):
        return compose("501 Not Implemented", b"Not Implemented", connection)
    if request.path != b"/":
        return compose("404 Not Found", b"Not Found", connection, with_body=with_body)
    return compose("200 OK", BODY, connection, with_body=with_body)


def converse(received: bytearray) -> Iterator[bytes]:
    """Yields an answer to each request, b"" where it needs more bytes, and ends after the last."""
    try:
        while True:
            request = parse_head((yield from take_head(received)))
            if request.expects_continue and not received:
                yield b"HTTP/1.1 100 Continue\r\n\r\n"
            if request.chunked:
                yield from skip_chunks(received)
            elif request.length:
                yield from skip(received, request.length)
            yield answer(request)
            if not request.keep_alive:
                return
    except Refused as refusal:
        status = str(refusal)
        yield compose(status, status.encode(), b"Connection: close\r\n")
