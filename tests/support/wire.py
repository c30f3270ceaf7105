"""Plain sockets to servers under test: what a client library would hide is what matters here."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

STEADY_S = 0.1
HELLO = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
HELLO_AND_CLOSE = b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True)
class Answer:
    """One answer as it came over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes


class Wire:
    """A connection to a server, read answer by answer."""

    def __init__(self, port: int, *, receive_buffer: int | None = None) -> None:
        """Connects; a small receive buffer makes the client a slow reader."""
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect(("127.0.0.1", port))
        self._buffer = b""

    def __enter__(self) -> Self:
        """Returns itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the connection."""
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Sends all of it."""
        self.socket.sendall(data)

    def ask(self, request: bytes = HELLO, *, with_body: bool = True) -> Answer:
        """Sends a request and reads the answer."""
        self.send(request)
        return self.answer(with_body=with_body)

    def answer(self, *, with_body: bool = True) -> Answer:
        """Reads exactly one answer."""
        while b"\r\n\r\n" not in self._buffer:
            self._fill()
        head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        status, *lines = head.decode("latin-1").split("\r\n")
        assert status.startswith("HTTP/1."), head
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if with_body and "content-length" not in headers:
            assert headers["connection"] == "close"  # Then the end of the connection ends the body.
            return Answer(int(status.split()[1]), headers, self.rest())
        length = int(headers["content-length"]) if with_body else 0
        while len(self._buffer) < length:
            self._fill()
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        return Answer(int(status.split()[1]), headers, body)

    def unasked(self, wait_s: float = 0.05) -> bytes:
        """What comes within a while although nothing is due."""
        self.socket.settimeout(wait_s)
        try:
            return self._buffer + self.socket.recv(65536)
        except TimeoutError:
            return self._buffer
        finally:
            self.socket.settimeout(10)

    def rest(self) -> bytes:
        """Everything up to the server's FIN; a reset raises."""
        while data := self.socket.recv(65536):
            self._buffer += data
        rest, self._buffer = self._buffer, b""
        return rest

    def finish(self) -> None:
        """Says by a FIN that nothing more will be sent."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Closes with a RST instead of a FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        self.socket.close()

    def _fill(self) -> None:
        data = self.socket.recv(1 << 20)
        if not data:
            message = f"the server hung up before the answer was complete: {self._buffer[:200]!r}"
            raise EOFError(message)
        self._buffer += data


def all_of_1100_answers(port: int) -> bool:
    """Whether 1,100 connections at once, more than the usual limit of descriptors, are all answered."""
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(port)) for _ in range(1100)]
        for wire in wires:
            wire.send(HELLO)
        return [wire.answer().body for wire in wires] == [b"Hello World"] * 1100


def read_late(port: int, count: int) -> bytes:
    """All that comes to a client that asks so often, and reads only when the server takes no more requests."""
    with Wire(port, receive_buffer=4096) as wire, ThreadPoolExecutor(max_workers=1) as pool:
        sending = pool.submit(wire.send, HELLO * (count - 1) + HELLO_AND_CLOSE)
        time.sleep(0.3)
        received = wire.rest()
        sending.result(10)
    return received


def accepts_connections(port: int) -> bool:
    """Whether somebody listens on the port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def descriptors(pid: int) -> int:
    """How many descriptors the process has open."""
    return len(os.listdir(Path("/proc") / str(pid) / "fd"))  # noqa: PTH208 - a count, not the paths


def settled(count: Callable[[], int]) -> int:
    """What a count is once it has not changed for a while: clients may just have left."""
    seen, since = count(), time.monotonic()
    while time.monotonic() < since + STEADY_S:
        time.sleep(0.01)
        if (now := count()) != seen:
            seen, since = now, time.monotonic()
    return seen


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Waits until the condition holds; false if it still does not at the end."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
