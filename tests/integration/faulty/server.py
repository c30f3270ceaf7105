"""A hello server with one fault, chosen by --fault; threads serve connections, one request after another."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time

HELLO = b"Hello World"


def answer(body: bytes, close: bool, length: int | None = None) -> bytes:
    ending = "Connection: close\r\n" if close else ""
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body) if length is None else length}\r\n{ending}\r\n"
    return head.encode() + body


class Faulty:
    """Serves connections in the way that the fault says."""

    def __init__(self, fault: str) -> None:
        self.fault = fault
        self.served = 0

    def serve(self, connection: socket.socket) -> None:
        pending = b""
        with connection:
            while True:
                while b"\r\n\r\n" not in pending:
                    chunk = connection.recv(65536)
                    if not chunk:
                        return
                    pending += chunk
                head, _, pending = pending.partition(b"\r\n\r\n")
                self.served += 1
                close = b"connection: close" in head.lower() and self.fault != "ignores-close"
                connection.sendall(self.reply(close))
                if close:
                    return

    def reply(self, close: bool) -> bytes:
        if self.fault == "dies" and self.served > 500:
            print("about to crash", flush=True)
            os.kill(os.getpid(), signal.SIGSEGV)
        if self.fault == "wrong-body":
            return answer(b"Hello Mars!", close)
        if self.fault == "body-changes" and self.served > 50:
            return answer(b"Hello Worlds and more", close)
        if self.fault == "errors" and self.served % 100 == 99:
            return b"HTTP/1.1 500 Oops\r\nContent-Length: 11\r\n\r\nHello World"
        return answer(HELLO, close)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    parser.add_argument("--fault", default="none")
    options = parser.parse_args()
    if options.fault == "stubborn":
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if options.fault == "leaves-child":
        subprocess.Popen(["sleep", "600"], start_new_session=True)
    if options.fault == "exits":
        sys.exit("faulty: no configuration")
    if options.fault == "never-listens":
        print("thinking", flush=True)
        time.sleep(600)
    listener = socket.create_server(("127.0.0.1", options.port), backlog=1024)
    faulty = Faulty(options.fault)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve_quietly, args=(faulty, connection), daemon=True).start()


def serve_quietly(faulty: Faulty, connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        faulty.serve(connection)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
