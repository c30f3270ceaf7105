"""Servers in the shapes that people really have, in one program of the standard library: `shapes.py --shape NAME`.

Each is an ordinary application; what is unusual about it is in the docstring of its class.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

LOOPBACK = "127.0.0.1"


class Plain:
    """Answers JSON that never changes, in a thread for each connection."""

    version = b"HTTP/1.1"
    host = LOOPBACK
    backlog = 1024

    def __init__(self, port: int) -> None:
        self.port = port

    def run(self) -> None:
        """Listen, and serve for ever."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        listener = socket.create_server((self.host, self.port), family=family, backlog=self.backlog)
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.take(connection)

    def take(self, connection: socket.socket) -> None:
        """Serve a connection in a thread of its own."""
        threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection: socket.socket) -> None:
        """Answer one request after the other, until either side closes."""
        unread, count = b"", 0
        with connection:
            while True:
                while b"\r\n\r\n" not in unread:
                    data = _received(connection)
                    if not data:
                        return
                    unread += data
                head, _, unread = unread.partition(b"\r\n\r\n")
                count += 1
                last = self.is_last(head, count)
                try:
                    self.answer(connection, head.split(b" ", 2)[1], last=last)
                except OSError:
                    return
                if last:
                    return

    def is_last(self, head: bytes, _count: int) -> bool:
        """Return whether it closes after this request, with so many answers."""
        return b"connection: close" in head.lower()

    def body(self) -> bytes:
        """Return what it answers."""
        return json.dumps({"message": "Hello"}).encode()

    def head(self, path: bytes, *, last: bool) -> bytes:
        """Return the first lines of an answer, without how long it is."""
        status = b"200 OK" if path == b"/" else b"404 Not Found"
        closing = b"Connection: close\r\n" if last else b""
        return self.version + b" " + status + b"\r\nContent-Type: application/json\r\n" + closing

    def answer(self, connection: socket.socket, path: bytes, *, last: bool) -> None:
        """Send one answer."""
        body = self.body()
        connection.sendall(self.head(path, last=last) + b"Content-Length: %d\r\n\r\n" % len(body) + body)


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except OSError:
        return b""


class Timestamp(Plain):
    """Answers JSON with the time in it."""

    def body(self) -> bytes:
        """Return another body each time."""
        return json.dumps({"message": "Hello", "now": time.time(), "user": {"id": 7, "seen": time.time()}}).encode()


class Chunked(Plain):
    """Answers in chunks."""

    def answer(self, connection: socket.socket, path: bytes, *, last: bool) -> None:
        """Send the head and two chunks."""
        body = self.body()
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:], b""))
        connection.sendall(self.head(path, last=last) + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)


class TwoWrites(Plain):
    """Sends the head and the body apart."""

    def answer(self, connection: socket.socket, path: bytes, *, last: bool) -> None:
        """Send twice."""
        body = self.body()
        connection.sendall(self.head(path, last=last) + b"Content-Length: %d\r\n\r\n" % len(body))
        connection.sendall(body)


class Stdin(Plain):
    """Ends when its standard input ends, as watchers and wrappers do."""

    def run(self) -> None:
        """Serve until then."""
        threading.Thread(target=self._watch, daemon=True).start()
        super().run()

    def _watch(self) -> None:
        while sys.stdin.readline():
            pass
        os._exit(0)


class Http10(Plain):
    """Speaks HTTP/1.0: each answer ends its connection."""

    version = b"HTTP/1.0"

    def is_last(self, _head: bytes, _count: int) -> bool:
        """Always."""
        return True


class SlowStart(Plain):
    """Listens only after 3 s."""

    def run(self) -> None:
        """Take that long first."""
        time.sleep(3)
        super().run()


class SlowAnswer(Plain):
    """Takes 110 ms for each answer."""

    def answer(self, connection: socket.socket, path: bytes, *, last: bool) -> None:
        """Wait, then answer."""
        time.sleep(0.11)
        super().answer(connection, path, last=last)


class Pool(Plain):
    """Serves at most 20 connections at once; others wait until one of them is closed."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.pool = ThreadPoolExecutor(20)

    def take(self, connection: socket.socket) -> None:
        """Leave a connection to the next free thread."""
        self.pool.submit(self.serve, connection)


class Recycling(Plain):
    """Closes each connection after 25 requests."""

    def is_last(self, head: bytes, count: int) -> bool:
        """Then, or when it is asked to."""
        return count >= 25 or super().is_last(head, count)


class ShortQueue(Plain):
    """Lets five connections wait to be accepted, as Python's own servers do."""

    backlog = 5


class Prefork(Plain):
    """Serves in three processes that share a listening socket."""

    def run(self) -> None:
        """Fork them, and end with them."""
        listener = socket.create_server((self.host, self.port), backlog=1024)
        workers = [pid for _ in range(3) if (pid := self._forked(listener))]
        signal.signal(signal.SIGTERM, lambda *_: self._end(workers))
        signal.signal(signal.SIGINT, lambda *_: self._end(workers))
        while True:
            signal.pause()

    def _forked(self, listener: socket.socket) -> int:
        pid = os.fork()
        while pid == 0:
            connection, _ = listener.accept()
            self.take(connection)
        return pid

    def _end(self, workers: list[int]) -> None:
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        os._exit(0)


class Proxy(Plain):
    """Passes each request on to a backend, a process of its own."""

    def run(self) -> None:
        """Start the backend on a port that is free, then serve."""
        with socket.create_server((LOOPBACK, 0)) as found:
            self.backend = found.getsockname()[1]
        subprocess.Popen([sys.executable, __file__, "--shape", "plain", "--port", str(self.backend)])
        super().run()

    def answer(self, connection: socket.socket, path: bytes, *, last: bool) -> None:
        """Ask the backend on a connection for each request."""
        with socket.create_connection((LOOPBACK, self.backend)) as upstream:
            upstream.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: backend\r\nConnection: close\r\n\r\n")
            received = b"".join(iter(lambda: _received(upstream), b""))
        body = received.partition(b"\r\n\r\n")[2]
        connection.sendall(self.head(path, last=last) + b"Content-Length: %d\r\n\r\n" % len(body) + body)


class Links(Plain):
    """Answers with its own address."""

    def body(self) -> bytes:
        """Return another body on another port."""
        return json.dumps({"self": f"http://{LOOPBACK}:{self.port}/", "message": "Hello"}).encode()


class IgnoresClose(Plain):
    """Keeps connections open although it is asked to close them."""

    def is_last(self, _head: bytes, _count: int) -> bool:
        """Never."""
        return False


class SixOnly(Plain):
    """Listens only on IPv6."""

    host = "::1"


class Background(Plain):
    """Goes into the background, as daemons do."""

    def run(self) -> None:
        """Leave the process group, and the parent."""
        if os.fork():
            time.sleep(0.3)
            os._exit(0)
        os.setsid()
        super().run()


class Silent(Plain):
    """Never listens."""

    def run(self) -> None:
        """Do something else."""
        print("thinking", flush=True)  # noqa: T201 - its last words
        time.sleep(600)


class Ends(Plain):
    """Ends before it listens."""

    def run(self) -> None:
        """Say why."""
        sys.exit("no configuration")


SHAPES = {
    "plain": Plain,
    "timestamp": Timestamp,
    "chunked": Chunked,
    "two-writes": TwoWrites,
    "stdin": Stdin,
    "http-1.0": Http10,
    "slow-start": SlowStart,
    "slow-answer": SlowAnswer,
    "pool": Pool,
    "recycling": Recycling,
    "prefork": Prefork,
    "proxy": Proxy,
    "short-queue": ShortQueue,
    "links": Links,
    "ignores-close": IgnoresClose,
    "six-only": SixOnly,
    "background": Background,
    "silent": Silent,
    "ends": Ends,
}


def command(shape: str, *port: str) -> str:
    """Return the command that starts a shape, as it would be typed; without `port` it reads PORT."""
    options = "".join(f" --port={text}" for text in port)
    return f"'{sys.executable}' -S -E '{Path(__file__)}' --shape {shape}{options}"


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--shape", choices=SHAPES, required=True)
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "3000")))
    options = parser.parse_args()
    SHAPES[options.shape](options.port).run()


if __name__ == "__main__":
    main()
