"""A fleet's members: admits workers that prove they have the token and match the others, and keeps their clocks."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from runners.loads.fleet.wire import clock
from runners.loads.fleet.wire.clock import Exchange, Offset
from runners.loads.fleet.wire.link import Link
from runners.loads.fleet.wire.messages import (
    PROTOCOL,
    Facts,
    Hello,
    Malformed,
    Message,
    Ping,
    Pong,
    Refusal,
    Welcome,
    from_worker,
)
from runners.loads.fleet.wire.seal import BadSeal, Seal, nonce, session_of
from runners.version import VERSION

log = logging.getLogger(__name__)

SILENCE_S = 5.0  # a worker that answers no ping for this long is gone
PING_S = 2.0  # rarely: each ping wakes three programs on each side, and the load may share CPUs with them
CLOCK_MOST_US = 1_000_000
HELLO_CHARACTERS = 8192
KEPT_NONCES = 10_000  # of hellos, which are out of date after CLOCK_MOST_US
SAID_CHARACTERS = 300
SAID_LINES = 100  # about messages that were dropped; beyond them, only their number is said
KEPT_EXCHANGES = 16
LOCUSTFILE = "locustfile"  # among the versions: the hash of the user's own locustfile


@dataclass
class Member:
    """A worker that was admitted."""

    name: str
    address: str
    facts: Facts
    seal: Seal
    heard_at: float
    exchanges: deque[Exchange] = field(default_factory=lambda: deque(maxlen=KEPT_EXCHANGES))
    asked_us: dict[int, int] = field(default_factory=dict)
    pings: int = 0

    @property
    def alive(self) -> bool:
        """Return whether it was heard from recently."""
        return time.monotonic() - self.heard_at < SILENCE_S

    @property
    def offset(self) -> Offset:
        """Return the offset of its clock from the master's."""
        return clock.estimate(self.exchanges)


class Members:
    """The register of a fleet; `tools` are the versions on the master's own host, of the tools that it has."""

    def __init__(self, token: str, link: Link, tools: Mapping[str, str] | None = None) -> None:
        self.token, self.link, self.tools = token, link, tools or {}
        self.by_address: dict[str, Member] = {}
        self.pinged_at = 0.0
        self.refused: dict[str, str] = {}
        self.nonces: deque[str] = deque(maxlen=KEPT_NONCES)
        self.dropped = 0

    def alive(self) -> list[Member]:
        """Return the members that are here, sorted by name."""
        return sorted((each for each in self.by_address.values() if each.alive), key=lambda each: each.name)

    def hear(self, address: str, text: str) -> tuple[Member, Message] | None:
        """Return a member and its message; None if it is no member's, or concerns only the register.

        Raise Malformed if a member's message does not fit the schema.
        """
        member = self.by_address.get(address)
        body = self._opened(member, address, text)
        if member is None or body is None:
            return None
        member.heard_at = time.monotonic()
        message = from_worker(body)
        if isinstance(message, Pong):
            self._timed(member, message)
            return None
        return member, message

    def _opened(self, member: Member | None, address: str, text: str) -> str | None:
        """Return the body of a member's message, or None; anyone else's message may ask for admission."""
        if member is not None:
            try:
                return member.seal.open(text)
            except BadSeal as error:
                reason = error
        else:
            reason = BadSeal("it did not join")
        if not self._let_in(address, text):
            self.complain(f"dropped a message from {address[:80]!r}: {reason}")
        return None

    def complain(self, line: str) -> None:
        """Say that a message was dropped; of very many, only how many."""
        self.dropped += 1
        if self.dropped <= SAID_LINES:
            log.warning(line)
        elif str(self.dropped).strip("0") == "1":
            log.warning(f"dropped {self.dropped:,} messages so far")

    def _let_in(self, address: str, text: str) -> bool:
        """Answer a hello by admission or refusal; return whether it was a hello."""
        seal = Seal(self.token, "master")
        if len(text) > HELLO_CHARACTERS:
            self._refuse_once(address, f"rejected {address[:80]!r}: it did not join, and its message is too long")
            return True
        try:
            hello = from_worker(seal.open(text))
        except BadSeal as error:
            self._refuse_once(address, f"rejected {address[:80]!r}: {error}")
            return True
        except Malformed:
            return False
        if not isinstance(hello, Hello) or hello.nonce in self.nonces:
            return False
        self.nonces.append(hello.nonce)
        reason = self._unfit(hello)
        if reason:
            self._refuse_once(address, f"rejected {hello.name}: {reason}")
            self.link.send(seal.wrap(Refusal(to=hello.nonce, reason=reason[:2000]).model_dump_json()), address)
            return True
        own = nonce()
        self.link.trust(address)
        self.link.send(seal.wrap(Welcome(to=hello.nonce, nonce=own).model_dump_json()), address)
        session = Seal(self.token, "master", session_of(own, hello.nonce))
        self._remove(hello.name)
        self.by_address[address] = Member(hello.name, address, hello.facts, session, time.monotonic())
        log.info(f"{hello.name} joined: {hello.facts.cpus} CPUs, {hello.facts.cpu}")
        return True

    def _refuse_once(self, address: str, line: str) -> None:
        if self.refused.get(address) != line and len(self.refused) < 1000:
            self.refused[address] = line
            log.warning(line[:SAID_CHARACTERS])

    def leave(self, name: str) -> None:
        """Count a member as away until it is heard from again."""
        for member in self.by_address.values():
            if member.name == name:
                member.heard_at = float("-inf")

    def _remove(self, name: str) -> None:
        for address in [address for address, member in self.by_address.items() if member.name == name]:
            del self.by_address[address]

    def _unfit(self, hello: Hello) -> str | None:
        """Return why a worker cannot be part of this fleet; None if it can."""
        others = [each for each in self.alive() if each.name != hello.name]
        if any(each.name == hello.name for each in self.alive()):
            return f"a client named {hello.name} is here already; give another --name"
        expected = {**(others[0].facts.tools if others else {}), **self.tools}
        return unfit(hello.facts, expected, time.time_ns() // 1000)

    def ping(self) -> None:
        """Ask every member for its clock, unless that was less than `PING_S` ago."""
        if time.monotonic() - self.pinged_at >= PING_S:
            self.pinged_at = time.monotonic()
            self.ask_clocks(self.by_address.values())

    def ask_clocks(self, members: Iterable[Member]) -> None:
        """Ask members for their clocks now."""
        for member in members:
            member.pings += 1
            member.asked_us[member.pings] = clock.now_us()
            self.send(member, Ping(number=member.pings))

    def _timed(self, member: Member, pong: Pong) -> None:
        asked_us = member.asked_us.pop(pong.number, None)
        if asked_us is not None:
            member.exchanges.append(Exchange(asked_us, pong.read_us, clock.now_us()))
        for number in [number for number in member.asked_us if number < pong.number]:
            del member.asked_us[number]

    def send(self, member: Member, message: Message) -> None:
        """Send a message to one member."""
        self.link.send(member.seal.wrap(message.model_dump_json()), member.address)


def unfit(facts: Facts, expected: Mapping[str, str], wall_us: int) -> str | None:
    """Return why a host cannot take part, given the versions of the tools that are expected; None if it can."""
    if facts.protocol != PROTOCOL or facts.version != VERSION:
        return f"it has http-speedup {facts.version}, the master {VERSION}"
    off_us = facts.wall_us - wall_us
    if abs(off_us) > CLOCK_MOST_US:
        return f"its clock is {off_us / 1e6:+.1f} s off the master's; set it (NTP)"
    for name, version in sorted(expected.items()):
        if name == LOCUSTFILE and facts.tools.get(name) != version:
            which = "not the matrix's" if name in facts.tools else "missing"
            return f"its locustfile is {which}; copy the matrix's there, and start the worker with --locustfile FILE"
        if facts.tools.get(name) != version:
            return f"its {name} is {facts.tools.get(name, 'missing')}, the others have {version}"
    return None
