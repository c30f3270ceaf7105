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
from runners.matrix.requests.request import Expect, Request
from runners.server.answers import SHOWN_BYTES, Answer, Broken, parse_answer, shown
from runners.server.probe import SLOWEST, authority

PATIENCE_S = 3.0
USUAL_S, LONGEST_S = 0.02, 120.0  # a gate's time is for answers that take this long, and never longer than that
EXTENSION = 10  # wait up to this many times as long, but no longer than this, while the server is at work
MOST_PATIENCE_S = 8.0
MAX_UNREAD_BYTES = 4 * 1024**2
CLOSING_S = 0.002
OUR_LACKS = {errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM}


class Closed(Broken):
    """The server has sent a FIN."""


class Reset(Broken):
    """The server has reset the connection."""


class Silent(Broken):
    """What is due does not arrive."""


class Unknown(Exception):
    """A gate cannot be judged; the message says why."""


HELLO = Request(expect=Expect(body="Hello World"))


@dataclass(frozen=True)
class Target:
    """The server to test: its address, what to ask it with the answer expected, and its process if that is known.

    `keeps` says whether persistent connections are measured; otherwise each request asks to close the connection.
    `closes` says whether that is measured. `connections` is the number of clients under load, `others` are requests
    beside `asked`. `took_s` is how long it takes for an answer, by which all waiting is scaled. A `brief` visit is for
    servers that promise little: it sends less.
    """

    host: str
    port: int
    asked: Request = HELLO
    pid: int | None = None
    keeps: bool = True
    closes: bool = True
    connections: int = 1100
    others: tuple[Request, ...] = ()
    took_s: float = 0.0
    brief: bool = False

    def request(
        self, *headers: str, method: str | None = None, path: str | None = None, version: str = "1.1",
        asked: Request | None = None,
    ) -> bytes:  # fmt: skip
        """Return a request with a Host header and the given headers: another one with a method or path of its own."""
        chosen = asked or self.asked
        if method or path:
            chosen = Request(path or self.asked.path, method=method or "GET", headers=self.asked.headers)
        if not self.keeps and version == "1.1" and "Connection: close" not in headers:
            headers = (*headers, "Connection: close")
        text = chosen.bytes_for(authority(self.host, self.port), *headers)
        return text if version == "1.1" else text.replace(b" HTTP/1.1\r\n", f" HTTP/{version}\r\n".encode(), 1)

    def wanted(self, answer: Answer, asked: Request | None = None) -> Answer:
        """Return the answer; raise Broken unless it is the one expected."""
        if fault := (asked or self.asked).expect.fault(answer.status, answer.body):
            raise Broken(f"it {fault}")
        return answer

    def count(self, most: int, within_s: float, least: int = 3) -> int:
        """Return how many of `most` requests, one after another, such a server is asked: as many as fit in a time."""
        return most if self.took_s <= within_s / most else max(least, int(within_s / self.took_s))

    @property
    def patience_s(self) -> float:
        """Return how long to wait for an answer."""
        return max(PATIENCE_S, SLOWEST * self.took_s)


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
        self.sent, self.received, self._unread, self._ended = Excerpt(), Excerpt(), b"", False
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
            parsed = parse_answer(self._unread, bodiless=bodiless, ended=None if self.target.keeps else self._ended)
            if parsed is None:
                self._await_more()
                continue
            answer, self._unread = parsed
            if answer.status >= 200:
                return answer

    def _await_more(self) -> None:
        """Receive more of an answer, or, if the connection may end with it, learn that it has ended."""
        try:
            self._await(self.target.patience_s, "no complete answer came")
        except Closed:
            if self.target.keeps or self._ended or not self._unread:
                raise
            self._ended = True

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

    @property
    def is_over(self) -> bool:
        """Return whether the server has closed the connection, with nothing unread before that."""
        try:
            self._await(CLOSING_S)
        except (Closed, Reset):
            return True
        except Silent:
            pass
        return False

    def end(self) -> None:
        """Wait for the server's FIN; raise Broken if bytes, a reset or nothing arrives instead."""
        try:
            if not self._unread and not self._ended:
                self._await(self.target.patience_s, "the connection was not closed")
        except Closed:
            return
        raise Broken(f"it sent bytes that were not requested: {shown(self._unread)}")

    def reset(self) -> None:
        """Close with a RST instead of a FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def _until(self, patience_s: float | None = None) -> float:
        """Return when a wait that begins now has to end."""
        return min(time.monotonic() + (patience_s or self.target.patience_s), self._deadline)

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
        limit_s *= max(1.0, target.took_s / USUAL_S)
        self.target, self.deadline = target, time.monotonic() + min(limit_s, LONGEST_S)
        self.shown: Talk | None = None

    def talk(self) -> Talk:
        """Return a new connection; the newest one is shown."""
        self.shown = Talk(self.target, self.deadline)
        return self.shown

    @property
    def words(self) -> tuple[str, str]:
        """Return excerpts of what was sent over the shown connection and of what came back."""
        return (str(self.shown.sent), str(self.shown.received)) if self.shown else ("", "")
