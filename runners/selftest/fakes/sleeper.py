"""An HTTP server that takes a known time for every request, whatever the number of connections."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import threading
import time

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nHello World"


def serve(connection: socket.socket, sleep_s: float) -> None:
    """Answer the requests of one connection, each after the time."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        while connection.recv(65536):
            time.sleep(sleep_s)
            connection.sendall(ANSWER)
    except OSError:
        pass
    connection.close()


def main() -> None:
    """Serve every connection in a thread of its own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--sleep-ms", type=float, required=True)
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with contextlib.suppress(OSError):  # as root it wakes up on time, whatever else runs
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    listener = socket.create_server(("127.0.0.1", options.port), backlog=1024)
    while True:
        connection, _peer = listener.accept()
        threading.Thread(target=serve, args=(connection, options.sleep_ms / 1000), daemon=True).start()


if __name__ == "__main__":
    main()
