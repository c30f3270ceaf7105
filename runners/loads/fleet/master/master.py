"""The master: a process beside the server that holds the fleet together and gives it one order at a time.

It is run by `session`. Orders come from `ask` over a Unix socket, one line of JSON each, and are answered with one
line. Closing the connection stops the order.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import secrets
import select
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runners.loads.fleet.master.members import Member, Members
from runners.loads.fleet.wire import clock
from runners.loads.fleet.wire.clock import Offset
from runners.loads.fleet.wire.link import Link, LocustLink, master_arguments
from runners.loads.fleet.wire.messages import Facts, HostResult, Malformed, Message, Order, Ready, Stop, order_of
from runners.loads.fleet.wire.seal import read_token

log = logging.getLogger(__name__)

LEAD_S = {"wrk": 1.0, "locust": 6.0}  # from the order to its start: the workers start Python meanwhile
PATIENCE_S = 15.0  # beyond the duration, for a generator to end and for its histogram to arrive
CLOCK_QUESTIONS = 8
CLOCK_S = 2.0
TURN_S = 0.5

Here = Callable[[], bool]


class OrderFailed(Exception):
    """An order that not every client carried out; `client` names the one at fault, if it is a single one."""

    def __init__(self, reason: str, client: str | None = None, kind: str = "broken") -> None:
        super().__init__(reason)
        self.client, self.kind = client, kind


@dataclass(frozen=True)
class Assignment:
    """A member's part of an order."""

    member: Member
    order: Order
    offset: Offset


class Master:
    """Carries out orders, one at a time."""

    def __init__(
        self,
        token: str,
        link: Link,
        expected: int,
        tools: Mapping[str, str] | None = None,
    ) -> None:
        self.link, self.expected = link, expected
        self.members = Members(token, link, tools)

    def turn(self, patience_s: float) -> tuple[Member, Message] | None:
        """Ping, receive one message, and answer it if it concerns the register; return any other message."""
        self.members.ping()
        incoming = self.link.receive(patience_s)
        return None if incoming is None else self.members.hear(incoming.sender, incoming.text)

    def idle(self) -> None:
        """Receive a message, if there is one; without an order, none is expected but those for the register."""
        try:
            said = self.turn(0.0)
        except Malformed as error:
            self.members.complain(f"dropped a malformed message: {error}")
            return
        if said is not None:
            self.members.complain(f"dropped a {type(said[1]).__name__} from {said[0].name}: there is no such order")

    def gather(self, wait_s: float, here: Here) -> list[Member]:
        """Return all clients once they are here; raise OrderFailed if some are not here in time."""
        deadline = time.monotonic() + wait_s
        while len(self.members.alive()) < self.expected:
            if time.monotonic() > deadline or not here():
                names = ", ".join(each.name for each in self.members.alive()) or "none"
                count = len(self.members.alive())
                raise OrderFailed(f"{count} of {self.expected} clients are here ({names})", kind="absent")
            self._quietly(TURN_S)
        return self.members.alive()[: self.expected]

    def present(self, wait_s: float, here: Here) -> list[Member]:
        """Return all clients, each with its clock just measured; a silent client is awaited like one that is away."""
        deadline = time.monotonic() + wait_s
        while True:
            self._say_who_is_away(deadline)
            members = self.gather(max(0.0, deadline - time.monotonic()), here)
            try:
                self.measure_clocks(members)
            except OrderFailed as error:
                log.warning(f"{error.client} {error}")
                self.members.leave(error.client or "")
            else:
                return members

    def _say_who_is_away(self, deadline: float) -> None:
        here = [each.name for each in self.members.alive()]
        if len(here) < self.expected:
            left_s = max(0.0, deadline - time.monotonic())
            away = f"{self.expected - len(here)} of {self.expected} clients"
            log.info(f"waiting for {away}, at most {left_s:.0f} s; here: {', '.join(here) or 'none'}")

    def _quietly(self, patience_s: float) -> None:
        try:
            self.turn(patience_s)
        except Malformed as error:
            self.members.complain(f"dropped a malformed message: {error}")

    def measure_clocks(self, members: Sequence[Member]) -> None:
        """Ask every member for its clock several times in a row; raise OrderFailed if one does not answer."""
        for member in members:
            member.exchanges.clear()
        deadline = time.monotonic() + CLOCK_S
        for count in range(1, CLOCK_QUESTIONS + 1):
            self.members.ask_clocks(members)
            while any(len(member.exchanges) < count for member in members):
                self._quietly(0.02)
                if time.monotonic() > deadline:
                    silent = next(member for member in members if len(member.exchanges) < count)
                    if silent.exchanges:
                        return  # a slow link: the uncertainty shows it
                    raise OrderFailed("does not answer", silent.name)

    def carry_out(self, wanted: dict[str, Any], here: Here) -> list[dict[str, Any]]:
        """Have all clients generate load at the same moment; return what each of them reports.

        If any client fails to carry out its order, stop all and raise OrderFailed.
        """
        members = self.present(float(wanted["wait_s"]), here)
        parts = _parts(members, wanted, clock.now_us() + round(LEAD_S[wanted["generator"]] * 1e6))
        try:
            for part in parts:
                self.members.send(part.member, part.order)
            answers = self._answers(parts, here)
            self.measure_clocks(members)
        except BaseException:
            self.stop(members)
            raise
        return [_told(part, answers[part.member.name]) for part in parts]

    def stop(self, members: Sequence[Member]) -> None:
        """Tell members to stop what they are doing."""
        for member in members:
            self.members.send(member, Stop())

    def _answers(self, parts: Sequence[Assignment], here: Here) -> dict[str, HostResult]:
        """Return every member's result, by name."""
        missing = {part.member.name: part for part in parts}
        ready: set[str] = set()
        results: dict[str, HostResult] = {}
        order = parts[0].order
        begin_us = parts[0].offset.of_master(order.start_us)
        deadline_us = begin_us + round((order.warmup_s + order.duration_s + PATIENCE_S) * 1e6)
        while missing:
            self._check(missing, ready, begin_us, deadline_us)
            if not here():
                raise OrderFailed("the trial was ended", kind="ended")
            said = self._heard(missing)
            if said is None:
                continue
            name, message = said
            if isinstance(message, Ready):
                ready.add(name)
            else:
                results[name] = message
                del missing[name]
        return results

    def _check(self, missing: dict[str, Assignment], ready: set[str], begin_us: int, deadline_us: int) -> None:
        """Raise OrderFailed for a client that is gone, was not ready in time, or takes too long."""
        now_us = clock.now_us()
        since_s = max(0.0, (now_us - begin_us) / 1e6)
        for name, part in missing.items():
            current = self.members.by_address.get(part.member.address)
            if current is not part.member:
                raise OrderFailed(f"came back as another process {since_s:.1f} s into the load", name)
            if not part.member.alive:
                raise OrderFailed(f"fell silent {since_s:.1f} s into the load", name)
            if now_us > begin_us and name not in ready:
                raise OrderFailed("was not ready in time", name)
            if now_us > deadline_us:
                raise OrderFailed(f"sent no result within {since_s:.1f} s", name)

    def _heard(self, missing: dict[str, Assignment]) -> tuple[str, Ready | HostResult] | None:
        """Return the next message about this order; raise OrderFailed if a client sends anything else."""
        try:
            said = self.turn(TURN_S)
        except Malformed as error:
            raise OrderFailed(f"a client sent a malformed message: {error}") from error
        if said is None or said[0].name not in missing:
            return None
        member, message = said
        if not isinstance(message, Ready | HostResult):
            return None
        if message.trial != missing[member.name].order.trial:
            raise OrderFailed("answered for another trial than the one it was ordered to load", member.name)
        if isinstance(message, HostResult) and message.failure:
            raise OrderFailed(f"{message.failure}: {message.output[-300:].strip()}", member.name)
        return member.name, message


def _parts(members: Sequence[Member], wanted: dict[str, Any], start_us: int) -> list[Assignment]:
    """Return each member's part of an order, with the connections divided as evenly as possible."""
    trial = secrets.token_hex(16)
    each, more = divmod(int(wanted["connections"]), len(members))
    if each == 0:
        raise OrderFailed(f"{wanted['connections']} connections cannot be divided among {len(members)} clients")
    settings = {name: wanted[name] for name in SETTINGS}
    parts = []
    for number, member in enumerate(members):
        offset = member.offset
        own = {"trial": trial, "connections": each + (number < more), "start_us": offset.of_worker(start_us)}
        try:
            order = order_of({**settings, **own})
        except Malformed as error:
            raise OrderFailed(f"no client would accept this order: {error}") from error
        parts.append(Assignment(member, order, offset))
    return parts


SETTINGS = ("generator", "host", "port", "path", "mode", "threads", "warmup_s", "duration_s", "measured",
            "locustfile")  # fmt: skip


def _told(part: Assignment, result: HostResult) -> dict[str, Any]:
    """Return a member's answer with its times converted to the master's clock."""
    before, after = part.offset, part.member.offset
    told = result.model_dump(mode="json")
    return told | {
        "name": part.member.name,
        "facts": part.member.facts.model_dump(mode="json"),
        "connections": part.order.connections,
        "started_us": before.of_master(result.started_us),
        "ended_us": before.of_master(result.ended_us),
        "samples": [[before.of_master(sample.at_us), sample.segments] for sample in result.samples],
        "clock_offset_us": before.offset_us,
        "clock_uncertainty_us": before.uncertainty_us,
        "clock_drift_us": after.offset_us - before.offset_us,
    }


def _as_words(facts: Facts) -> dict[str, str]:
    """Return what a run folder records about a client host."""
    return {"cpu": facts.cpu, "cpus": str(facts.cpus), "kernel": facts.kernel, **facts.tools}


class Desk:
    """Where orders arrive: a Unix socket that only this user may open."""

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        previous = os.umask(0o077)
        self.listener.bind(str(path))
        os.umask(previous)
        self.listener.listen(4)

    def serve(self, master: Master) -> None:
        """Serve until the process is stopped."""
        while True:
            ready, _, _ = select.select([self.listener.fileno(), master.link.fileno()], [], [], TURN_S)
            if self.listener.fileno() in ready:
                connection, _ = self.listener.accept()
                with connection:
                    self._serve_one(connection, master)
            master.idle()

    def _serve_one(self, connection: socket.socket, master: Master) -> None:
        with connection.makefile("rb") as lines:
            line = lines.readline()
        if not line:
            return
        wanted = json.loads(line)
        answer = self._answer(wanted, master, lambda: _is_here(connection))
        try:
            connection.sendall(json.dumps(answer).encode() + b"\n")
        except OSError:
            log.warning("nobody is waiting for this answer any more")

    def _answer(self, wanted: dict[str, Any], master: Master, here: Here) -> dict[str, Any]:
        try:
            if wanted["what"] == "gather":
                members = master.gather(float(wanted["wait_s"]), here)
                clients = [{"name": each.name, **_as_words(each.facts)} for each in members]
                return {"failure": None, "clients": clients}
            return {"failure": None, "clients": master.carry_out(wanted, here)}
        except OrderFailed as error:
            log.warning(f"order failed: {error.client or 'fleet'}: {error}")
            return {"failure": {"client": error.client, "reason": str(error), "kind": error.kind}, "clients": []}


def _is_here(connection: socket.socket) -> bool:
    """Return whether the other end is still waiting."""
    ready, _, _ = select.select([connection], [], [], 0)
    return not ready or bool(connection.recv(1, socket.MSG_PEEK))


def main() -> int:
    """Hold a fleet together until this process is stopped."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bind", required=True, metavar="ADDRESS")
    parser.add_argument("--port", required=True, type=int)
    parser.add_argument("--token-file", required=True, type=Path)
    parser.add_argument("--socket", required=True, type=Path)
    parser.add_argument("--expected", required=True, type=int)
    parser.add_argument("--tools", default="{}", help="the versions of this host's tools, as JSON")
    options = parser.parse_args()
    logging.basicConfig(stream=sys.stdout, format="%(message)s", level=logging.INFO)  # read by the session's Teller
    token = read_token(options.token_file)
    link = LocustLink(master_arguments(options.bind, options.port), os.environ, sys.stderr.buffer)
    master = Master(token, link, options.expected, json.loads(options.tools))
    try:
        Desk(options.socket).serve(master)
    finally:
        link.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
