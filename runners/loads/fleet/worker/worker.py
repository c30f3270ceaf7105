"""A worker: joins a master, generates the load that it is told to, reports what it counted, and joins the next master.

It trusts nothing that is not sealed with the token, loads only the hosts that it was started for, and stops its
generator if the master falls silent.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from runners.loads.fleet.wire import clock
from runners.loads.fleet.wire.link import Link, LinkBroken
from runners.loads.fleet.wire.messages import (
    Facts,
    Hello,
    HostResult,
    Malformed,
    Message,
    Order,
    Ping,
    Pong,
    Ready,
    Refusal,
    Stop,
    Welcome,
    from_master,
)
from runners.loads.fleet.wire.seal import BadSeal, Seal, nonce, session_of
from runners.loads.fleet.worker.loading import Place, Running
from runners.matrix.requests.locustfile import sha256_of

log = logging.getLogger(__name__)

HELLO_S = 2.0  # how often it asks to be admitted
SILENCE_S = 10.0  # a master that is silent for this long is gone, since it pings every other second
IDLE_S = 0.5


@dataclass(frozen=True)
class Membership:
    """A worker's identity: its name, its token, the hosts that it may load, and the facts about its own host."""

    name: str
    token: str
    targets: frozenset[str]
    facts: Callable[[], Facts]


class Worker:
    """A worker on one link; `run` raises LinkBroken when the link ends."""

    def __init__(self, member: Membership, place: Place, link: Link, tick: Callable[[], None]) -> None:
        self.member, self.place, self.link, self.tick = member, place, link, tick
        self.nonce = ""
        self.seal: Seal | None = None
        self.running: Running | None = None
        self.greeted_at = self.heard_at = float("-inf")

    def run(self) -> None:
        """Serve until the link breaks or the master has been silent for too long."""
        try:
            while True:
                self._turn()
        finally:
            if self.running is not None:
                self.running.stop()

    def _turn(self) -> None:
        self.tick()
        if self.seal is None:
            self._greet()
        elif time.monotonic() - self.heard_at > SILENCE_S:
            raise LinkBroken("the master fell silent")
        incoming = self.link.receive(self.running.patience_s if self.running else IDLE_S)
        if incoming is not None:
            self._hear(incoming.text)
        if self.running is not None:
            result = self.running.look()
            if result is not None:
                self.running = None
                self._say(result)

    def _greet(self) -> None:
        if not self.link.ready or time.monotonic() - self.greeted_at < HELLO_S:
            return
        self.greeted_at = time.monotonic()
        self.nonce = nonce()
        hello = Hello(name=self.member.name, nonce=self.nonce, facts=self.member.facts())
        self.link.send(Seal(self.member.token, "worker").wrap(hello.model_dump_json()))

    def _hear(self, text: str) -> None:
        """Act on a message; drop it if it is not the master's."""
        seal = self.seal or Seal(self.member.token, "worker")
        try:
            message = from_master(seal.open(text))
        except (BadSeal, Malformed) as error:
            if self.seal is not None:
                log.warning(f"dropped a message: {error}")
            return
        self.heard_at = time.monotonic()
        self._act(message)

    def _act(self, message: Message) -> None:
        if isinstance(message, Welcome | Refusal):
            self._answered(message)
        elif self.seal is None:
            return
        elif isinstance(message, Ping):
            self._say(Pong(number=message.number, read_us=clock.now_us()))
        elif isinstance(message, Stop):
            self._stop()
        elif isinstance(message, Order):
            self._stop()
            self._obey(message)

    def _answered(self, answer: Welcome | Refusal) -> None:
        if self.seal is not None or answer.to != self.nonce:
            return
        if isinstance(answer, Refusal):
            log.warning(f"the master rejects this worker: {answer.reason}")
            return
        self.seal = Seal(self.member.token, "worker", session_of(answer.nonce, self.nonce))
        log.info("joined; waiting for orders")

    def _obey(self, order: Order) -> None:
        why = self._why_not(order)
        if why:
            self._say(_refused(order, why))
            return
        try:
            self.running = Running(order, self.place)
        except OSError as error:
            self._say(_refused(order, f"{order.generator} cannot be started here: {error.strerror}"))
            return
        if order.measured:
            log.info(f"loading {order.host}:{order.port}{order.path} with {order.connections} connections")
        self._say(Ready(trial=order.trial))

    def _why_not(self, order: Order) -> str | None:
        """Return why an order is not obeyed; None if it is."""
        if order.host not in self.member.targets:
            return f"{order.host} is not a host that this worker may load; see --target"
        if order.locustfile and order.locustfile != sha256_of(self.place.locustfile):
            return "its locustfile is missing or is not the matrix's; see --locustfile"
        return None

    def _stop(self) -> None:
        if self.running is not None:
            self.running.stop()
            self.running = None

    def _say(self, message: Message) -> None:
        if self.seal is not None:
            self.link.send(self.seal.wrap(message.model_dump_json()))


def _refused(order: Order, why: str) -> HostResult:
    now = clock.now_us()
    return HostResult(
        trial=order.trial, started_us=now, ended_us=now, failure=why[:2000], output="", threads=0, samples=(), tcp={},
        thread_share=None, wait_share=None, host_share=None,
    )  # fmt: skip


def serve(connect: Callable[[], Link], make: Callable[[Link], Worker], pause_s: float = 2.0) -> None:
    """Join again and again, until the user or a signal stops it."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    while True:
        link = connect()
        try:
            make(link).run()
        except LinkBroken as error:
            log.warning(f"{error}; joining again")
        finally:
            with suppress(Exception):
                getattr(link, "close", lambda: None)()
        time.sleep(pause_s)
