"""An honest web server, and the ways in which servers are dishonest, one at a time.

It runs in a process of its own, so that its descriptors and memory are its own: `python fake_http.py [FAULT]` prints
its port.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import socket
import struct
import subprocess
import sys
import threading
import time
from email.utils import formatdate
from functools import lru_cache
from typing import Self

BODY = b"Hello World"
HEAD = re.compile(rb"([A-Z]+) (\S+) HTTP/1\.([01])\r\n((?:[^\r\n\x00: ]+:[^\r\n\x00]*\r\n)*)\r\n")
BARE_LF = re.compile(rb"(?<!\r)\n")
START_S = time.time() - 1000
MOST_HEAD_BYTES = 65536
MOST_AT_ONCE = 256  # answers that are sent together


class FakeServer:
    """The server's process, for as long as a block lasts; `fault` None is honest."""

    def __init__(self, fault: str | None = None, host: str = "127.0.0.1") -> None:
        argv = [sys.executable, "-S", "-E", __file__, host, *([fault] if fault else [])]
        self._process = subprocess.Popen(argv, stdout=subprocess.PIPE)
        self.pid = self._process.pid
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def __enter__(self) -> Self:
        """Return itself; it listens already."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


class Server:
    """Serves each connection in a thread of its own."""

    def __init__(self, listener: socket.socket, fault: str | None) -> None:
        self.listener, self.fault = listener, fault
        self.now: set[socket.socket] = set()
        self.leaked: list[socket.socket] = []

    def run(self) -> None:
        """Accept for ever."""
        while True:
            connection, _ = self.listener.accept()
            if self.fault == "takes 1000 connections" and len(self.now) > 1000:
                connection.close()
                continue
            self.now.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            Conversation(connection, self.fault).hold()
        if self.fault == "leaks descriptors":
            self.leaked.append(connection)
        else:
            connection.close()
        self.now.discard(connection)


class Conversation:
    """What one client gets: requests are read while there are any, and their answers sent together."""

    def __init__(self, connection: socket.socket, fault: str | None) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection, self.fault = connection, fault
        self.unread, self.unsent = b"", bytearray()
        self.told, self.final = 0, False

    def hold(self) -> None:
        """Answer until one side hangs up."""
        if self.fault == "answers unasked":
            self._send([self._answer(b"GET", b"/", b"")])
        while not self.final and (answers := self._answers()):
            self._send(answers)
        if self.final:
            self._leave()

    def _answers(self) -> list[bytes]:
        """Return answers to all that has been read, up to the last one."""
        answers: list[bytes] = []
        while len(answers) < MOST_AT_ONCE and not self.final and (request := self._next(wait=not answers)):
            answers.append(self._tell(*request))
        if self.fault == "drops pipelined requests":
            del answers[1:]
        return answers[::-1] if self.fault == "answers out of order" else answers

    def _next(self, *, wait: bool) -> tuple[bytes, bytes, bytes, bytes] | None:
        """Return method, target, minor version and headers of the next request; None where there is none."""
        while True:
            if self.fault == "answers before the end" and len(self.unread) > 20:
                self.unread = b""
                return b"GET", b"/", b"1", b""
            if match := HEAD.match(self.unread):
                self.unread = self.unread[match.end() :]
                good = self._consume(match[4]) and _is_clear(match[3], match[4])
                return (match[1], match[2], match[3], match[4]) if good else (b"BAD", b"", b"0", b"")
            if self._is_garbage():
                return b"BAD", b"", b"0", b""
            if not wait or not self._receive():
                return None

    def _is_garbage(self) -> bool:
        if self.fault == "waits for ever":
            return False
        long = len(self.unread) > MOST_HEAD_BYTES
        return long or b"\r\n\r\n" in self.unread or bool(BARE_LF.search(self.unread))

    def _receive(self) -> bool:
        while self.unsent and not self._is_readable():
            del self.unsent[: self.connection.send(self.unsent, socket.MSG_DONTWAIT)]
        data = self.connection.recv(65536)
        self.unread += data
        return bool(data)

    def _consume(self, headers: bytes) -> bool:
        """Read a body, and return whether its length could be told."""
        if self.fault == "takes a body for a request":
            return True
        if b"chunked" in headers.lower():
            while not self.unread.endswith(b"0\r\n\r\n") and self._receive():
                pass
            self.unread = b""
            return True
        length = _header(headers, b"content-length") or b"0"
        while length.isdigit() and len(self.unread) < int(length) and self._receive():
            pass
        self.unread = self.unread[int(length) :] if length.isdigit() else b""
        return length.isdigit()

    def _tell(self, method: bytes, target: bytes, minor: bytes, headers: bytes) -> bytes:
        """Return the answer, and take note whether it is the last one."""
        if method == b"BAD":
            self.final = True
            return self._refusal()
        asked = b"close" in headers or minor == b"0"
        closing = (asked or self.fault == "closes always") and self.fault != "ignores close"
        if self.fault == "keeps HTTP/1.0 open" and minor == b"0":
            closing = False
        self.final = closing
        said = b"Connection: close\r\n" if closing and self.fault != "closes without saying" else b""
        answer = self._answer(method, target, said)
        self.told += 1
        if self.fault == "loses long output" and self.told % 10_000 == 0:
            answer = b""
        if self.fault == "tears long output" and self.told % 10_000 == 0:
            answer = answer[:-20]
        return answer * (2 if self.fault == "answers twice" else 1)

    def _refusal(self) -> bytes:
        if self.fault == "dies of garbage":
            os._exit(1)
        status = b"200 OK" if self.fault == "answers garbage" else b"400 Bad Request"
        version = b"HTTP/1.0 " if self.fault == "answers garbage" else b"HTTP/1.1 "
        return version + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

    def _answer(self, method: bytes, target: bytes, connection: bytes) -> bytes:
        known = target == b"/" or self.fault == "knows every path"
        body = BODY if known else b"Not Found"
        length = len(body) + (self.fault == "lies about the length")
        if method == b"HEAD" and self.fault == "has no length for HEAD":
            length = 0
        head = (
            (b"HTTP/1.1 200 OK\r\n" if known else b"HTTP/1.1 404 Not Found\r\n")
            + b"Server: fake\r\nContent-Type: text/plain\r\n" + self._date() + connection
            + b"Content-Length: %d\r\n" % length * (2 if self.fault == "says the length twice" else 1) + b"\r\n"
        )  # fmt: skip
        if self.fault == "ends lines with LF":
            head = head.replace(b"\r\n", b"\n")
        return head + (body if method != b"HEAD" or self.fault == "sends a body for HEAD" else b"")

    def _date(self) -> bytes:
        stale = {"has a stale date": START_S, "has a date that stands": START_S + 1000}.get(self.fault or "")
        date = _dated(int(stale or time.time()))
        if self.fault == "has an odd date":
            date = date.replace("GMT", "+0000")
        return b"" if self.fault == "has no date" else b"Date: " + date.encode() + b"\r\n"

    def _send(self, answers: list[bytes]) -> None:
        """Send, waiting until the client takes it; or keep it for later, however much there is."""
        data = b"".join(answers)
        if self.fault != "remembers what is unsent":
            self.connection.sendall(data)
            return
        self.unsent += data
        if self.final:
            self.connection.sendall(self.unsent)
            return
        with contextlib.suppress(BlockingIOError):
            del self.unsent[: self.connection.send(self.unsent, socket.MSG_DONTWAIT)]

    def _is_readable(self) -> bool:
        """Wait until there is something to read, or room to send."""
        ready = select.poll()
        ready.register(self.connection, select.POLLIN | select.POLLOUT)
        return bool(ready.poll()[0][1] & select.POLLIN)

    def _leave(self) -> None:
        """Close with a FIN, after the client's own where input may still come."""
        if self.fault == "resets at the end":
            time.sleep(0.05)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(1)
        with contextlib.suppress(OSError):
            while self.connection.recv(65536):
                pass


@lru_cache
def _dated(second: int) -> str:
    return formatdate(second, usegmt=True)


def _header(headers: bytes, name: bytes) -> bytes | None:
    """Return a header's value; None where it is not there, several joined by commas."""
    lines = (line.partition(b":") for line in headers.split(b"\r\n"))
    values = [value.strip() for key, _, value in lines if key.lower() == name]
    return b",".join(values) if values else None


def _is_clear(minor: bytes, headers: bytes) -> bool:
    """Return whether all programs read a request in the same way: one host, one way to tell the length."""
    both = _header(headers, b"content-length") is not None and _header(headers, b"transfer-encoding") is not None
    host = _header(headers, b"host")
    return not both and (minor == b"0" if host is None else b"," not in host)


def main(host: str, fault: str | None = None) -> None:
    """Serve until killed."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, 0), family=family, backlog=4096)
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    Server(listener, fault).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
