"""A small closed-loop load generator that counts honestly, and then tells a chosen lie.

It prints one line of JSON after "fake:result ". Latencies are in microseconds.
"""

from __future__ import annotations

import argparse
import json
import resource
import select
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

Result = dict[str, Any]


class Client:
    """Keeps one request in flight on each connection; `burn_s` is CPU time that it wastes after every answer."""

    def __init__(self, port: int, connections: int, burn_s: float = 0.0) -> None:
        self.request = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        self.sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(connections)]
        self.burn_s = burn_s
        self.asked_s: dict[int, float] = {}
        self.received: Counter[int] = Counter()
        self.latency: Counter[int] = Counter()
        self.bytes = self.requests = self.lost = 0

    def run(self, duration_s: float) -> Result:
        """Generate load for `duration_s` seconds and return the truth."""
        poller, by_number = select.epoll(), {one.fileno(): one for one in self.sockets}
        began_s = time.perf_counter()
        for number, one in by_number.items():
            poller.register(number, select.EPOLLIN)
            self.ask(number, one)
        while time.perf_counter() < began_s + duration_s:
            for number, _events in poller.poll(0.05):
                if not self.read(number, by_number[number]):
                    poller.unregister(number)
        return self.result(time.perf_counter() - began_s)

    def ask(self, number: int, one: socket.socket) -> None:
        """Send a request."""
        self.asked_s[number] = time.perf_counter()
        one.send(self.request)

    def read(self, number: int, one: socket.socket) -> bool:
        """Read an answer and send the next request; return False if the connection is lost."""
        try:
            data = one.recv(65536)
        except OSError:
            data = b""
        if not data:
            self.lost += 1
            return False
        self.bytes += len(data)
        if data.endswith(b"Hello World"):
            self.count(time.perf_counter() - self.asked_s[number])
            self.ask(number, one)
        return True

    def count(self, took_s: float) -> None:
        """Count one answer."""
        self.requests += 1
        self.latency[max(1, round(took_s * 1e6))] += 1
        until_s = time.process_time() + self.burn_s
        while self.burn_s and time.process_time() < until_s:
            pass

    def result(self, took_s: float) -> Result:
        """Return what was counted."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "requests": self.requests,
            "duration_us": round(took_s * 1e6),
            "bytes": self.bytes,
            "errors": {"read": self.lost},
            "latency": dict(self.latency),
            "cpu_us": (used.ru_utime + used.ru_stime) * 1e6,
        }


def more(truth: Result) -> Result:
    """Report a tenth more requests than were sent, consistently."""
    latency = dict(truth["latency"])
    added = truth["requests"] // 10
    latency[max(latency)] += added
    each = truth["bytes"] / truth["requests"]
    return {
        **truth,
        "requests": truth["requests"] + added,
        "bytes": truth["bytes"] + round(each * added),
        "latency": latency,
    }


def broken(truth: Result) -> Result:
    """Leave the slowest requests out of the histogram."""
    latency = dict(truth["latency"])
    for value in sorted(latency)[-(1 + len(latency) // 10) :]:
        del latency[value]
    return {**truth, "latency": latency}


def hurried(truth: Result) -> Result:
    """Report half the time."""
    return {**truth, "duration_us": truth["duration_us"] // 2}


def flattering(truth: Result) -> Result:
    """Report two thirds of each latency."""
    latency: Counter[int] = Counter()
    for value, count in truth["latency"].items():
        latency[max(1, value * 2 // 3)] += count
    return {**truth, "latency": dict(latency)}


LIES: dict[str, Callable[[Result], Result]] = {
    "more": more,
    "broken": broken,
    "hurried": hurried,
    "flattering": flattering,
}


def main() -> None:
    """Generate load, then print the truth or a lie."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--duration-s", type=float, required=True)
    parser.add_argument("--lie", default="none")
    options = parser.parse_args()
    burn_s = 0.0003 if options.lie == "busy" else 0.0
    over_s = 0.6 if options.lie == "late" else 0.0
    truth = Client(options.port, options.connections, burn_s).run(options.duration_s + over_s)
    if options.lie == "endless":
        time.sleep(60)
    if options.lie == "crash":
        sys.exit("fake client: out of luck")
    told = LIES.get(options.lie, dict)(truth)
    if options.lie != "silent":
        sys.stdout.write(f"fake:result {json.dumps(told)}\n")


if __name__ == "__main__":
    main()
