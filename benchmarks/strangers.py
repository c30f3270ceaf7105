"""What messages of strangers cost a fleet's master: `python -m benchmarks.strangers [MESSAGES [BYTES]]`.

Starts a real master with Locust, floods its port with messages that nobody sealed, and prints the CPU time that each
costs, and how much the master wrote down. It speaks ZeroMQ's protocol itself, so it can send what no library would.
"""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from runners import resources
from runners.loads.fleet.wire.seal import make_token
from runners.server.process import free_port
from runners.tools.find import find_tools, known_tools, this_host, tool_environment

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16) + b"\x00" + bytes(31)
LONG, COMMAND = 2, 4
START_S, SETTLE_S, CALM_S = 30.0, 1.0, 2.0


class Stranger:
    """A peer that needs no token: it connects, and sends frames."""

    def __init__(self, port: int, name: bytes) -> None:
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.connection.sendall(GREETING)
        self.connection.recv(len(GREETING), socket.MSG_WAITALL)
        ready = b"\x05READY" + _property(b"Socket-Type", b"DEALER") + _property(b"Identity", name)
        self.connection.sendall(frame(ready, COMMAND))

    def send(self, data: bytes) -> bool:
        """Send a frame; return whether the master's end still takes it."""
        try:
            self.connection.sendall(frame(data))
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Leave."""
        self.connection.close()


def frame(data: bytes, kind: int = 0) -> bytes:
    """Return a frame of ZeroMQ's protocol."""
    if len(data) < 256:
        return bytes([kind, len(data)]) + data
    return struct.pack(">BQ", kind | LONG, len(data)) + data


def _property(name: bytes, value: bytes) -> bytes:
    return bytes([len(name)]) + name + struct.pack(">I", len(value)) + value


def packed(kind: str, text: str, sender: str = "stranger") -> bytes:
    """Return a message as Locust packs it."""
    return b"\x93" + b"".join(
        b"\xdb" + struct.pack(">I", len(each)) + each for each in map(str.encode, (kind, text, sender))
    )


@contextmanager
def master(folder: Path) -> Iterator[tuple[psutil.Process, int, Path]]:
    """Run a master; yield its process, its port and its log."""
    make_token(folder / "token")
    port, host = free_port(7), this_host()
    env = {**os.environ, **tool_environment(find_tools(known_tools(), ("locust",), host), host)}
    argv = [
        *(sys.executable, "-m", "runners.loads.fleet.master.master", "--bind", "127.0.0.1", "--port", str(port)),
        *("--token-file", str(folder / "token"), "--socket", str(folder / "socket"), "--expected", "1"),
    ]
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(argv, stdout=output, stderr=output, env=env, cwd=resources.code())
    try:
        _wait_for(port)
        yield psutil.Process(process.pid), port, log
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the master did not start")


def cpu_s(process: psutil.Process) -> float:
    """Return the CPU time that a process and all below it have used."""
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def flood(process: psutil.Process, port: int, data: bytes, count: int) -> float:
    """Send a message so often, each time again where the connection was closed; return the CPU time it took."""
    before, stranger = cpu_s(process), Stranger(port, b"stranger")
    for number in range(count):
        if not stranger.send(data):
            stranger.close()
            stranger = Stranger(port, b"stranger%d" % number)
    calm_s, used = 0.0, cpu_s(process)
    while calm_s < CALM_S:  # until it has caught up
        time.sleep(0.5)
        calm_s, used = (calm_s + 0.5 if cpu_s(process) - used < 0.02 else 0.0), cpu_s(process)
    stranger.close()
    return cpu_s(process) - before


def main() -> None:
    """Print what each message costs."""
    words = [int(word) for word in sys.argv[1:]]
    count, size_bytes = [*words, *(1000, 200)[len(words) :]]
    with tempfile.TemporaryDirectory() as folder, master(Path(folder)) as (process, port, log):
        time.sleep(SETTLE_S)
        used_s = flood(process, port, packed("speedup", "\x1b" * size_bytes), count)
        cost = f"{used_s / count * 1e3:.3f} ms CPU each, {log.stat().st_size} bytes of log"
        print(f"{count} messages of {size_bytes} bytes: {cost}")


if __name__ == "__main__":
    main()
