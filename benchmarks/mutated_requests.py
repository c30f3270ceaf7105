"""Sends mutated requests to a server: `python -m benchmarks.mutated_requests COUNT -- SERVER {host} {port} ...`.

Build the server with what notices a fault: C with `-fsanitize=address,undefined`, Nim with `-d:release`, which keeps
its checks. It passes if it never ends, prints no complaint, and always answers a whole request in between.
"""

from __future__ import annotations

import argparse
import random
import select
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
TOGETHER = 50  # connections at a time
PATIENCE_S = 10.0  # for a server that is slow because of its checks
START_S = 20.0
COMPLAINTS = (b"Sanitizer", b"runtime error", b"Traceback", b"Error: unhandled", b"SIGSEGV", b"core dumped")
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: the connection ends with a reset
WHOLE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
SEEDS = (
    WHOLE,
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n",
    b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"HEAD /none?a=b%20c HTTP/1.1\r\nHost: a\r\nAccept: */*\r\nConnection: Keep-Alive, close\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n",
    b"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
    b"GET / HTTP/1.1\nHost: a\n\n",
    b"GET http://a/ HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\nCookie: a=b; c=d\r\nCookie: e\r\n\r\n" * 3,
)
PIECES = (
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\0", b" ", b":", b"\t", b"/", b"%", b"%00", b"HTTP/1.", b"HTTP/9.9",
    b"GET ", b"Connection: close\r\n", b"Content-Length: 18446744073709551616\r\n", b"Content-Length: -1\r\n",
    b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"ffffffffffffffff\r\n", b"0\r\n\r\n",
    b"\xff\xfe", b"A" * 300, b"a: b\r\n" * 200, b"x" * 9000, b"/" * 70000, b"content-length:", b"connection:",
    b"Expect: 100-continue\r\n",
)  # fmt: skip


@dataclass
class Tally:
    """What was sent, and what came of it."""

    sent: int = 0
    answered: int = 0
    reset: int = 0
    silent: int = 0


def mutated(randoms: random.Random) -> bytes:
    """Return a request with a few things wrong; now and then with none."""
    data = bytearray(randoms.choice(SEEDS))
    for _ in range(randoms.choice((0, 1, 1, 1, 2, 2, 3, 5, 9))):
        _mutate(data, randoms)
    return bytes(data)


def _mutate(data: bytearray, randoms: random.Random) -> None:
    at = randoms.randrange(len(data) + 1)
    end = min(len(data), at + randoms.choice((1, 1, 1, 4, 20)))
    match randoms.randrange(7):
        case 0 if at < len(data):
            data[at] ^= 1 << randoms.randrange(8)
        case 1 if at < len(data):
            data[at] = randoms.randrange(256)
        case 2:
            data[at:end] = b""
        case 3:
            data[at:at] = data[at:end] * randoms.choice((1, 2, 50))
        case 4:
            del data[at:]
        case 5:
            data[at:] = randoms.choice(SEEDS)[randoms.randrange(40) :]
        case _:
            data[at:end] = randoms.choice(PIECES)


@contextmanager
def serving(argv: Sequence[str], port: int) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Run a server; yield its process, and the file of what it prints."""
    words = [word.replace("{host}", HOST).replace("{port}", str(port)) for word in argv]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        with log.open("wb") as output:
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            _wait_for(port, process)
            yield process, log
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()
            process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError):
            socket.create_connection((HOST, port), timeout=1).close()
            return
        time.sleep(0.05)
    raise SystemExit(f"the server does not listen on port {port}")


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as asked:
        asked.bind((HOST, 0))
        port: int = asked.getsockname()[1]
        return port


def bombard(port: int, requests: Sequence[bytes], randoms: random.Random, tally: Tally) -> None:
    """Send each request on a connection of its own, cut anywhere; some connections end with a reset."""
    waiting = []
    for request in requests:
        connection = socket.create_connection((HOST, port), timeout=PATIENCE_S)
        cut = randoms.randrange(len(request) + 1)
        with suppress(OSError):  # it may have hung up already
            connection.send(request[:cut])
            connection.send(request[cut:])
            connection.shutdown(socket.SHUT_WR)
        tally.sent += 1
        if randoms.random() < 0.05:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            connection.close()
            continue
        waiting.append(connection)
    for connection in waiting:
        _drain(connection, tally)


def _drain(connection: socket.socket, tally: Tally) -> None:
    answered = False
    with connection:
        try:
            while data := connection.recv(65536):
                answered = answered or data.startswith(b"HTTP/1.")
            tally.answered += answered
        except TimeoutError:
            tally.silent += 1
        except OSError:
            tally.reset += 1


def is_right(port: int) -> bool:
    """Return whether a whole request is answered rightly."""
    with socket.create_connection((HOST, port), timeout=PATIENCE_S) as connection:
        connection.sendall(WHOLE)
        answer = b""
        with suppress(TimeoutError):
            while data := connection.recv(65536):
                answer += data
                if not select.select([connection], [], [], PATIENCE_S)[0]:
                    break
    return answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"Hello World")


def attack(argv: Sequence[str], count: int, seed: int = 1) -> tuple[Tally, str | None]:
    """Send so many requests; return what came of them, and what is wrong with the server, None if nothing is."""
    randoms, tally, port = random.Random(seed), Tally(), free_port()
    with serving(argv, port) as (process, log):
        while tally.sent < count:
            try:
                bombard(port, [mutated(randoms) for _ in range(min(TOGETHER, count - tally.sent))], randoms, tally)
                right = is_right(port)
            except OSError as error:
                return tally, f"after {tally.sent} requests: {error}; {_said(process, log)}"
            if not right or process.poll() is not None:
                return tally, f"wrong or gone after {tally.sent} requests; {_said(process, log)}"
        said = log.read_bytes()
    return tally, f"complains: {said[-2000:]!r}" if any(word in said for word in COMPLAINTS) else None


def _said(process: subprocess.Popen[bytes], log: Path) -> str:
    return f"status {process.poll()}, printed {log.read_bytes()[-2000:]!r}"


def main() -> int:
    """Attack a server; print what came of it, and return 1 if it has a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("server", nargs="+")
    options = parser.parse_args()
    began = time.monotonic()
    tally, fault = attack(options.server, options.count, options.seed)
    print(f"{options.server[0]}: {tally} in {time.monotonic() - began:.0f} s: {fault or 'no fault'}")
    return 1 if fault else 0


if __name__ == "__main__":
    sys.exit(main())
