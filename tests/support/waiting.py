"""A small server in a thread per connection that may wait, spin or die: `waiting.py --port=N [--wait-ms=5]`."""

from __future__ import annotations

import argparse
import os
import shlex
import socket
import sys
import threading
import time
from pathlib import Path


def command(*options: str) -> str:
    """Return its start command, as people type it."""
    return shlex.join([sys.executable, str(Path(__file__).resolve()), "--port={port}", *options])


def serve(connection: socket.socket, arguments: argparse.Namespace) -> None:
    """Answer one request after the other."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    unread = b""
    with connection:
        while True:
            while b"\r\n\r\n" not in unread:
                data = connection.recv(65536)
                if not data:
                    return
                unread += data
            head, _, unread = unread.partition(b"\r\n\r\n")
            time.sleep(arguments.wait_ms / 1000) if arguments.wait_ms else None
            last = b"connection: close" in head.lower()
            closing = b"Connection: close\r\n" if last else b""
            body = arguments.body.encode()
            connection.sendall(b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (closing, len(body), body))
            if last:
                return


def main() -> None:
    """Listen, and serve until ended, or until it is time to die."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--wait-ms", type=float, default=0)
    parser.add_argument("--body", default="Hello")
    parser.add_argument("--most-connections", type=int, default=0)
    arguments = parser.parse_args()
    threading.excepthook = lambda _: None  # a client that has gone is no news
    listener = socket.create_server(("127.0.0.1", arguments.port), backlog=1024)
    accepted = 0
    while True:
        connection, _ = listener.accept()
        accepted += 1
        if accepted == arguments.most_connections:
            os._exit(7)
        threading.Thread(target=serve, args=(connection, arguments), daemon=True).start()


if __name__ == "__main__":
    main()
