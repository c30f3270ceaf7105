"""Stands for a container engine: `engine.py SOCKET` starts what its clients ask for, and ends it when they leave.

`engine.py SOCKET COMMAND...` is such a client: the server that it asks for is no child of its own.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading


def serve(client: socket.socket) -> None:
    """Run a command for as long as a client stays."""
    process = subprocess.Popen(json.loads(client.makefile().readline()), env={})
    client.recv(1)
    process.terminate()
    process.wait()


def main(path: str, command: list[str]) -> None:
    """Serve for ever, or ask for a command and stay."""
    with socket.socket(socket.AF_UNIX) as end:
        if command:
            end.connect(path)
            end.sendall(json.dumps(command).encode() + b"\n")
            end.recv(1)
            return
        end.bind(path)
        end.listen()
        print("ready", flush=True)  # noqa: T201 - for the test that waits
        while True:
            threading.Thread(target=serve, args=(end.accept()[0],), daemon=True).start()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
