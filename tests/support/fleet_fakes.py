"""Fakes of a fleet: a link without a network, what hosts say of themselves, orders and results."""

from __future__ import annotations

import socket
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from runners.loads.fleet.wire.clock import now_us
from runners.loads.fleet.wire.link import Incoming, LinkBroken
from runners.loads.fleet.wire.messages import (
    PROTOCOL,
    Facts,
    Hello,
    HostResult,
    HostSample,
    Message,
    Order,
    Ping,
    Pong,
    Ready,
    Welcome,
    from_master,
)
from runners.loads.fleet.wire.seal import BadSeal, Seal, nonce, session_of
from runners.version import VERSION

TOKEN = "a token of the tests' own"  # noqa: S105 - nobody's
TRIAL = "0" * 31 + "1"
SUMMARY = (
    "speedup:summary cpu_us={cpu} duration_us={duration} requests={requests} bytes=100 connect=0 read=0 write=0"
    " status=0 timeout=0 histogram=ffi\nspeedup:histogram {histogram}\n"
)


def wrk_output(histogram: dict[int, int], duration_us: int = 1_000_000) -> str:
    """Return what wrk's script prints at its end."""
    counted = " ".join(f"{value}:{count}" for value, count in sorted(histogram.items()))
    return SUMMARY.format(cpu=1000, duration=duration_us, requests=sum(histogram.values()), histogram=counted)


def facts(**changes: Any) -> Facts:
    """Return a host that fits."""
    kept: dict[str, Any] = {
        "protocol": PROTOCOL, "version": VERSION, "tools": {"wrk": "4.2.0", "locust": "2.40"}, "cpus": 2,
        "cpu": "Invented CPU", "kernel": "Linux 6", "wall_us": time.time_ns() // 1000,
    }  # fmt: skip
    return Facts(**{**kept, **changes})


def order(**changes: Any) -> Order:
    """Return an order that begins almost now."""
    kept: dict[str, Any] = {
        "trial": TRIAL, "generator": "wrk", "host": "127.0.0.1", "port": 8080, "path": "/", "mode": "persistent",
        "connections": 4, "threads": None, "warmup_s": 0.0, "duration_s": 1.0, "start_us": now_us() + 50_000,
        "measured": True,
    }  # fmt: skip
    return Order(**{**kept, **changes})


def result(of: Order, **changes: Any) -> HostResult:
    """Return what a healthy worker says of an order: it sent 1000 segments in a second."""
    begin = of.start_us
    kept: dict[str, Any] = {
        "trial": of.trial, "started_us": begin, "ended_us": begin + 1_000_000, "failure": None,
        "output": wrk_output({80: 900, 120: 100}), "threads": 2, "tcp": {"TCPOrigDataSent": 1000, "RetransSegs": 0},
        "samples": (HostSample(at_us=begin - 100_000, segments=5), HostSample(at_us=begin + 1_000_000, segments=1005)),
        "thread_share": 0.5, "wait_share": 0.0, "host_share": 0.4,
    }  # fmt: skip
    return HostResult(**{**kept, **changes})


class FakeLink:
    """A link that keeps what is sent, and hands out what a test puts in; `turn` runs whenever one waits for more."""

    def __init__(self) -> None:
        self.ready = True
        self.broken: str | None = None
        self.sent: list[tuple[str, str | None]] = []
        self.trusted: list[str] = []
        self.coming: deque[Incoming] = deque()
        self.turn: Callable[[], None] = lambda: None
        self.hear: Callable[[str, str | None], None] = lambda _text, _to: None
        self._sockets = socket.socketpair()

    def fileno(self) -> int:
        """Return a descriptor on which nothing ever comes."""
        return self._sockets[0].fileno()

    def send(self, text: str, to: str | None = None) -> None:
        """Keep a text, and let the other end hear it."""
        self.sent.append((text, to))
        self.hear(text, to)

    def receive(self, patience_s: float) -> Incoming | None:
        """Return what there is, after a turn of the test's; wait only where there is nothing."""
        if self.broken:
            raise LinkBroken(self.broken)
        if not self.coming:
            self.turn()
        if not self.coming:
            time.sleep(min(patience_s, 0.005))
        return self.coming.popleft() if self.coming else None

    def trust(self, peer: str) -> None:
        """Keep who may send much."""
        self.trusted.append(peer)

    @property
    def closed(self) -> bool:
        """Return whether it was closed."""
        return self._sockets[0].fileno() == -1

    def close(self) -> None:
        """Close the descriptors."""
        for each in self._sockets:
            each.close()


class FakeWorker:
    """A worker without a host: joins, answers pings, and does with orders what a test says."""

    def __init__(self, link: FakeLink, name: str, address: str | None = None, token: str = TOKEN) -> None:
        self.link, self.name, self.address, self.token = link, name, address or f"id-{name}", token
        self.silent = False
        self.ahead_us = 0
        self.heard: list[Message] = []
        self.obey: Callable[[Order], None] = self.do_well
        self.seal: Seal | None = None

    def hello(self, **changes: Any) -> str:
        """Return its first message."""
        self.nonce, self.seal = nonce(), None
        self.first = Seal(self.token, "worker")
        return self.first.wrap(Hello(name=self.name, nonce=self.nonce, facts=facts(**changes)).model_dump_json())

    def send(self, text: str) -> None:
        """Let a text come to the master from this worker's address."""
        self.link.coming.append(Incoming(self.address, text))

    def say(self, message: Message) -> None:
        """Seal a message and send it."""
        self.body(message.model_dump_json())

    def body(self, body: str) -> None:
        """Seal any text and send it."""
        assert self.seal is not None
        self.send(self.seal.wrap(body))

    def heard_text(self, text: str) -> None:
        """Act on what the master sends to it."""
        try:
            message = from_master((self.seal or self.first).open(text))
        except BadSeal:
            return  # of an earlier session, as a real worker drops it
        self.heard.append(message)
        if isinstance(message, Welcome):
            self.seal = Seal(self.token, "worker", session_of(message.nonce, self.nonce))
        elif isinstance(message, Order):
            self.obey(message)
        elif isinstance(message, Ping) and not self.silent:
            self.say(Pong(number=message.number, read_us=now_us() + self.ahead_us))

    def do_well(self, order: Order) -> None:
        """Be ready, and say the result at once."""
        self.say(Ready(trial=order.trial))
        self.say(result(order))
