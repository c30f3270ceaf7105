"""An HTTP server with a thread per connection that takes a known time, or CPU time, for every request."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import threading
import time

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nHello World"


def serve(connection: socket.socket, sleep_s: float, burn_s: float) -> None:
    """Answer the requests of one connection, each after the given time; the thread ends with the connection."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        while connection.recv(65536):
            until_s = time.thread_time() + burn_s
            time.sleep(sleep_s)
            while time.thread_time() < until_s:
                pass
            connection.sendall(ANSWER)
    except OSError:
        pass
    connection.close()


def main() -> None:
    """Serve every connection in its own thread."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--sleep-ms", type=float, default=0.0)
    parser.add_argument("--burn-ms", type=float, default=0.0)
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with contextlib.suppress(OSError):  # as root, it wakes up on time whatever else runs; it needs little CPU time
        if not options.burn_ms:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    listener = socket.create_server(("127.0.0.1", options.port), backlog=1024)
    while True:
        connection, _peer = listener.accept()
        times_s = (options.sleep_ms / 1000, options.burn_ms / 1000)
        threading.Thread(target=serve, args=(connection, *times_s), daemon=True).start()


if __name__ == "__main__":
    main()
