"""Conversations with a server over plain sockets: what was sent, what came back, and what is wrong with it."""

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
EXTENSION = 10  # wait up to this many times as long, but no longer than this, while the server is at work
MOST_PATIENCE_S = 8.0
MAX_UNREAD_BYTES = 4 * 1024**2
OUR_LACKS = {errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM}


class Closed(Broken):
    """The server has sent a FIN."""


class Reset(Broken):
    """The server has reset the connection."""


class Silent(Broken):
    """What is due does not arrive."""


class Unknown(Exception):
    """A gate cannot be judged; the message says why."""


@dataclass(frozen=True)
class Target:
    """The server to test: its address, the path to request, the body expected, and its process if that is known.

    `keeps` says whether to use persistent connections; otherwise each request asks to close the connection.
    """

    host: str
    port: int
    path: str = "/"
    body: bytes = b"Hello World"
    pid: int | None = None
    keeps: bool = True

    def request(self, *headers: str, method: str = "GET", path: str | None = None, version: str = "1.1") -> bytes:
        """Return a request with a Host header and the given headers."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        lines = [f"{method} {path or self.path} HTTP/{version}", f"Host: {host}:{self.port}", *headers]
        if not self.keeps and version == "1.1" and "Connection: close" not in headers:
            lines.append("Connection: close")
        return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1")

    def wanted(self, answer: Answer) -> Answer:
        """Return the answer; raise Broken unless it is exactly the one expected."""
        if answer.status != 200 or answer.body != self.body:
            raise Broken(f"the answer is {answer.status} with {answer.body[:100]!r}, not 200 with {self.body!r}")
        return answer


def patience(seconds: float, pid: int | None) -> Iterator[float]:
    """Yield how long to wait for a server, and yield it again while the server is at work, as on a busy machine.

    This ends even if the server never rests; a server whose process is unknown gets only the first wait.
    """
    until = time.monotonic() + min(EXTENSION * seconds, MOST_PATIENCE_S)
    yield seconds
    while pid is not None and time.monotonic() < until and works(pid):
        yield seconds


class Excerpt:
    """The first bytes of a stream, and its length."""

    def __init__(self) -> None:
        self._first, self._count = b"", 0

    def add(self, data: bytes) -> None:
        """Add the next bytes."""
        self._first += data[: SHOWN_BYTES - len(self._first)]
        self._count += len(data)

    def __str__(self) -> str:
        text = shown(self._first) if self._count else ""
        return f"{text} ... ({self._count} bytes)" if self._count > SHOWN_BYTES else text


class Talk:
    """A connection to a target. Nothing waits beyond the deadline; an excerpt of both directions is kept to show."""

    def __init__(self, target: Target, deadline: float) -> None:
        self.target, self._deadline = target, deadline
        self.sent, self.received, self._unread = Excerpt(), Excerpt(), b""
        try:
            self.socket = socket.create_connection((target.host, target.port), timeout=self._left_s(self._until()))
        except OSError as error:
            if error.errno in OUR_LACKS:
                raise
            raise Broken(f"it does not accept a connection: {error}") from error
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        """Return this connection."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self.socket.close()

    def say(self, data: bytes) -> None:
        """Send bytes; raise Broken if the server does not accept them."""
        self.sent.add(data)
        self.socket.settimeout(self._left_s(self._until()))
        try:
            self.socket.sendall(data)
        except TimeoutError as error:
            raise Silent("it does not read what it is sent") from error
        except OSError as error:
            raise Reset(f"it closed the connection while a request was being sent: {error}") from error

    def hear(self, *, bodiless: bool = False) -> Answer:
        """Return the next answer, skipping interim ones (100 Continue)."""
        while True:
            parsed = parse_answer(self._unread, bodiless=bodiless)
            if parsed is None:
                self._await(PATIENCE_S, "no complete answer came")
                continue
            answer, self._unread = parsed
            if answer.status >= 200:
                return answer

    def ask(self, request: bytes, *, bodiless: bool = False) -> Answer:
        """Send a request and return its answer."""
        self.say(request)
        return self.hear(bodiless=bodiless)

    def first_line(self, patience_s: float) -> bytes:
        """Return the first line that arrives, whatever it is; empty if the connection ends instead."""
        try:
            while b"\n" not in self._unread:
                self._await(patience_s)
        except (Closed, Reset):
            pass
        return self._unread.partition(b"\n")[0].rstrip(b"\r")

    def silent(self, seconds: float) -> None:
        """Wait, and raise Broken if bytes arrive that were not requested."""
        try:
            if not self._unread:
                self._await(seconds)
        except (Silent, Closed):
            return
        raise Broken(f"it sent bytes that were not requested: {shown(self._unread)}")

    def end(self) -> None:
        """Wait for the server's FIN; raise Broken if bytes, a reset or nothing arrives instead."""
        try:
            if not self._unread:
                self._await(PATIENCE_S, "the connection was not closed")
        except Closed:
            return
        raise Broken(f"it sent bytes that were not requested: {shown(self._unread)}")

    def reset(self) -> None:
        """Close with a RST instead of a FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def _until(self, patience_s: float = PATIENCE_S) -> float:
        """Return when a wait that begins now has to end."""
        return min(time.monotonic() + patience_s, self._deadline)

    def _left_s(self, until: float, otherwise: str = "the gate did not finish") -> float:
        left_s = until - time.monotonic()
        if left_s > 0:
            return left_s
        raise Silent(f"{otherwise} in time")

    def _await(self, seconds: float, otherwise: str = "nothing came") -> None:
        """Receive; raise Silent if nothing comes for `seconds`, not counting time in which the server is at work."""
        for each_s in patience(seconds, self.target.pid):
            self.socket.settimeout(self._left_s(self._until(each_s), otherwise))
            with contextlib.suppress(TimeoutError):
                self._receive()
                return
        raise Silent(f"{otherwise} in time")

    def _receive(self) -> None:
        """Receive what has arrived, or arrives before the socket's timeout."""
        try:
            data = self.socket.recv(65536)
        except TimeoutError:
            raise
        except OSError as error:
            raise Reset(f"the connection was reset: {error}") from error
        if not data:
            raise Closed("it closed the connection before its answer was complete")
        self.received.add(data)
        self._unread += data
        if len(self._unread) > MAX_UNREAD_BYTES:
            raise Broken(f"an answer does not end within {MAX_UNREAD_BYTES} bytes")


class Visit:
    """One gate's visit to a target: its connections, one deadline for all of them, and the one that is shown."""

    def __init__(self, target: Target, limit_s: float) -> None:
        self.target, self.deadline = target, time.monotonic() + limit_s
        self.shown: Talk | None = None

    def talk(self) -> Talk:
        """Return a new connection; the newest one is shown."""
        self.shown = Talk(self.target, self.deadline)
        return self.shown

    @property
    def words(self) -> tuple[str, str]:
        """Return excerpts of what was sent over the shown connection and of what came back."""
        return (str(self.shown.sent), str(self.shown.received)) if self.shown else ("", "")
