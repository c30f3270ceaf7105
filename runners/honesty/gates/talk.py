"""Conversations with a server over plain sockets: what was sent, what came back, and what may be said of it."""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from runners.honesty.gates.usage import works
from runners.server.answers import SHOWN_BYTES, Answer, Broken, parse_answer, shown

PATIENCE_S = 3.0
EXTENSION = 10  # so many times as long, but no longer than this, may pass where the server is at work all the time
MOST_PATIENCE_S = 8.0
MAX_UNREAD_BYTES = 4 * 1024**2
OUR_LACKS = {errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM}


class Closed(Broken):
    """The server has sent its FIN."""


class Reset(Broken):
    """The server has ended the connection by force."""


class Silent(Broken):
    """What is due does not come."""


class Unknown(Exception):
    """A gate cannot be judged; the text says why."""


@dataclass(frozen=True)
class Target:
    """Whom to ask: an address, the path and the body that it must answer, and its process where that is known.

    `keeps` is whether it is to be used over connections that are kept; else each request asks for the end.
    """

    host: str
    port: int
    path: str = "/"
    body: bytes = b"Hello World"
    pid: int | None = None
    keeps: bool = True

    def request(self, *headers: str, method: str = "GET", path: str | None = None, version: str = "1.1") -> bytes:
        """Return a request with a Host header and these others."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        lines = [f"{method} {path or self.path} HTTP/{version}", f"Host: {host}:{self.port}", *headers]
        if not self.keeps and version == "1.1" and "Connection: close" not in headers:
            lines.append("Connection: close")
        return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1")

    def wanted(self, answer: Answer) -> Answer:
        """Return the answer; Broken unless it is exactly what the target must answer."""
        if answer.status != 200 or answer.body != self.body:
            raise Broken(f"the answer is {answer.status} with {answer.body[:100]!r}, not 200 with {self.body!r}")
        return answer


def patience(seconds: float, pid: int | None) -> Iterator[float]:
    """Give how long to wait for a server, again and again while it is at work, as on a machine with others to serve.

    A server that never rests is not waited for without end, and of an unknown process nothing is known.
    """
    until = time.monotonic() + min(EXTENSION * seconds, MOST_PATIENCE_S)
    yield seconds
    while pid is not None and time.monotonic() < until and works(pid):
        yield seconds


class Excerpt:
    """The first bytes of a stream, and how many there were."""

    def __init__(self) -> None:
        self._first, self._count = b"", 0

    def add(self, data: bytes) -> None:
        """Take note of the next bytes."""
        self._first += data[: SHOWN_BYTES - len(self._first)]
        self._count += len(data)

    def __str__(self) -> str:
        text = shown(self._first) if self._count else ""
        return f"{text} ... ({self._count} bytes)" if self._count > SHOWN_BYTES else text


class Talk:
    """A connection to a target. Nothing waits beyond the deadline, and what goes over it is kept, clipped, to show."""

    def __init__(self, target: Target, deadline: float) -> None:
        self.target, self._deadline = target, deadline
        self.sent, self.received, self._unread = Excerpt(), Excerpt(), b""
        try:
            self.socket = socket.create_connection((target.host, target.port), timeout=self._left_s(self._until()))
        except OSError as error:
            if error.errno in OUR_LACKS:
                raise
            raise Broken(f"it does not take a connection: {error}") from error
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self.socket.close()

    def say(self, data: bytes) -> None:
        """Send bytes; Broken where the server does not take them."""
        self.sent.add(data)
        self.socket.settimeout(self._left_s(self._until()))
        try:
            self.socket.sendall(data)
        except TimeoutError as error:
            raise Silent("it does not read what it is sent") from error
        except OSError as error:
            raise Reset(f"it hung up while a request was on its way: {error}") from error

    def hear(self, *, bodiless: bool = False) -> Answer:
        """Return the next answer; interim ones (100 Continue) are passed over."""
        while True:
            parsed = parse_answer(self._unread, bodiless=bodiless)
            if parsed is None:
                self._await(PATIENCE_S, "no whole answer came")
                continue
            answer, self._unread = parsed
            if answer.status >= 200:
                return answer

    def ask(self, request: bytes, *, bodiless: bool = False) -> Answer:
        """Send a request and return its answer."""
        self.say(request)
        return self.hear(bodiless=bodiless)

    def first_line(self, patience_s: float) -> bytes:
        """Return the first line that comes, whatever it is; empty where the connection ends instead."""
        try:
            while b"\n" not in self._unread:
                self._await(patience_s)
        except (Closed, Reset):
            pass
        return self._unread.partition(b"\n")[0].rstrip(b"\r")

    def silent(self, seconds: float) -> None:
        """Wait; Broken where bytes come that nobody asked for."""
        try:
            if not self._unread:
                self._await(seconds)
        except (Silent, Closed):
            return
        raise Broken(f"bytes came unasked: {shown(self._unread)}")

    def end(self) -> None:
        """Wait for the server's FIN; Broken where more bytes come, a reset comes, or nothing."""
        try:
            if not self._unread:
                self._await(PATIENCE_S, "the connection stays open")
        except Closed:
            return
        raise Broken(f"bytes came unasked: {shown(self._unread)}")

    def reset(self) -> None:
        """Close with a RST instead of a FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def _until(self, patience_s: float = PATIENCE_S) -> float:
        """Return when waiting ends that begins now."""
        return min(time.monotonic() + patience_s, self._deadline)

    def _left_s(self, until: float, otherwise: str = "it is too slow") -> float:
        left_s = until - time.monotonic()
        if left_s > 0:
            return left_s
        raise Silent(f"{otherwise} in time")

    def _await(self, seconds: float, otherwise: str = "nothing came") -> None:
        """Receive; Silent where nothing comes for so long. The time in which the server is at work does not count."""
        for each_s in patience(seconds, self.target.pid):
            self.socket.settimeout(self._left_s(self._until(each_s), otherwise))
            with contextlib.suppress(TimeoutError):
                self._receive()
                return
        raise Silent(f"{otherwise} in time")

    def _receive(self) -> None:
        """Take what has come, or comes before the socket's timeout."""
        try:
            data = self.socket.recv(65536)
        except TimeoutError:
            raise
        except OSError as error:
            raise Reset(f"the connection was reset: {error}") from error
        if not data:
            raise Closed("it closed the connection before a whole answer")
        self.received.add(data)
        self._unread += data
        if len(self._unread) > MAX_UNREAD_BYTES:
            raise Broken(f"an answer does not end within {MAX_UNREAD_BYTES} bytes")


class Visit:
    """What one gate does at a target: its connections, one deadline for all of them, and which of them is shown."""

    def __init__(self, target: Target, limit_s: float) -> None:
        self.target, self.deadline = target, time.monotonic() + limit_s
        self.shown: Talk | None = None

    def talk(self) -> Talk:
        """Return a new connection, which is shown until there is another."""
        self.shown = Talk(self.target, self.deadline)
        return self.shown

    @property
    def words(self) -> tuple[str, str]:
        """Return what was sent over the connection that is shown and what came back, clipped."""
        return (str(self.shown.sent), str(self.shown.received)) if self.shown else ("", "")
