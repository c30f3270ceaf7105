"""Gates with many clients: some that leave in every possible way, and 1,100 at once."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from runners.honesty.gates.talk import Unknown, Visit
from runners.honesty.gates.usage import descriptors, works
from runners.server.answers import Broken

LEAVERS = 60
STEADY_S = 0.25
LOOK_S = 0.02
FREED_S = 4.0


def frees_descriptors(visit: Visit) -> None:
    """No descriptor stays open for a client that leaves, by FIN or by reset, before, during or after a request."""
    target = visit.target
    if target.pid is None:
        raise Unknown("its process is unknown")
    with visit.talk() as talk:  # What the server opens with its first request stays open.
        talk.ask(target.request())
    before = _steady_count(target.pid)
    for number in range(LEAVERS):
        _leave(visit, number)
    with visit.talk() as talk:  # Once this one is answered, all earlier ones have been accepted.
        talk.ask(target.request())
    until = time.monotonic() + FREED_S
    while (now := _steady_count(target.pid)) > before:
        if time.monotonic() > (visit.deadline if works(target.pid) else until):
            raise Broken(f"after {LEAVERS} clients have left, {now - before} descriptors stay open")


def _leave(visit: Visit, number: int) -> None:
    """Connect, and leave in one of six ways."""
    request = visit.target.request()
    with visit.talk() as talk:
        talk.say((b"", request[:20], request)[number % 3])
        if number % 2:
            talk.reset()


def _steady_count(pid: int) -> int:
    """Return the number of descriptors once it no longer changes: clients of other gates may just have left."""
    count, since, began = descriptors(pid), time.monotonic(), time.monotonic()
    while time.monotonic() < min(since + STEADY_S, began + FREED_S):
        time.sleep(LOOK_S)
        if (now := descriptors(pid)) != count:
            count, since = now, time.monotonic()
    return count


def serves_a_crowd(visit: Visit) -> None:
    """As many simultaneous connections as are measured, or 1,100 if that is unknown, are all answered."""
    target, crowd = visit.target, visit.target.connections
    with contextlib.ExitStack() as opened:
        talks = []
        for number in range(1, crowd + 1):
            with _numbered(number, crowd):
                talks.append(opened.enter_context(visit.talk()))
                talks[-1].say(target.request())
        for number, talk in enumerate(talks, 1):
            visit.shown = talk
            with _numbered(number, crowd):
                target.wanted(talk.hear())


@contextlib.contextmanager
def _numbered(number: int, crowd: int) -> Iterator[None]:
    """Say which connection it was if something is broken."""
    try:
        yield
    except Broken as broken:
        raise Broken(f"connection {number} of {crowd}: {broken}") from broken
