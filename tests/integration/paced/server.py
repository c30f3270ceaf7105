"""A hello server of known capacity: one thread that takes a fixed time for each request, and may stall now and then."""

from __future__ import annotations

import argparse
import selectors
import socket
import time
from contextlib import suppress

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nHello World"


class Server:
    """Serves one request after another; each takes `delay_s`, and in every second the first `stall_s` are lost."""

    def __init__(self, port: int, delay_s: float, stall_s: float) -> None:
        self.delay_s, self.stall_s = delay_s, stall_s
        self.stalls_at = time.monotonic() + 1
        self.listener = socket.create_server(("127.0.0.1", port), backlog=1024)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)

    def run(self) -> None:
        """Serve until interrupted."""
        while True:
            for key, _ in self.selector.select(0.01):
                if key.fileobj is self.listener:
                    self.accept()
                elif isinstance(key.fileobj, socket.socket):
                    self.answer(key.fileobj)
            if self.stall_s and time.monotonic() >= self.stalls_at:
                time.sleep(self.stall_s)
                self.stalls_at += 1

    def accept(self) -> None:
        """Take a connection."""
        connection, _ = self.listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.selector.register(connection, selectors.EVENT_READ)

    def answer(self, connection: socket.socket) -> None:
        """Answer a request, or see that there are no more."""
        data = b""
        with suppress(OSError):
            data = connection.recv(65536)
        if data:
            time.sleep(self.delay_s)
            connection.sendall(HELLO)
        else:
            self.selector.unregister(connection)
            connection.close()


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    parser.add_argument("--delay-s", type=float, default=0.0)
    parser.add_argument("--stall-s", type=float, default=0.0)
    options = parser.parse_args()
    with suppress(KeyboardInterrupt):
        Server(options.port, options.delay_s, options.stall_s).run()


if __name__ == "__main__":
    main()
