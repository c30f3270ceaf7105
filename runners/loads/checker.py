"""Reads answers under load and judges them whole: `python -m runners.loads.checker FILE` prints what it found.

wrk reads bodies without looking at them, and its hook for answers would make it collect every one of them. This program
asks on connections of its own, so slowly that the server hardly notices, and looks at all that it gets.
"""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path
from threading import Event, Lock, Thread
from types import FrameType
from typing import Any

from runners.matrix.requests.described import described, request_from
from runners.matrix.requests.request import Request
from runners.records.trial import Checked
from runners.server.probe import Connection, HungUp, Unanswered, ask, connected

CONNECTIONS = 8  # so that one slow answer does not hold up the others
PATIENCE_S = 60.0
LAST_ANSWER_S = 1.0  # for the connections to end properly
RESULT = "speedup:checked "


@dataclass(frozen=True)
class Order:
    """What to ask where, how often a second in all, and whether on a connection for each request."""

    host: str
    port: int
    requests: tuple[Request, ...]
    rate_per_s: float
    closes: bool

    @property
    def text(self) -> str:
        """Return it as JSON."""
        return json.dumps({**asdict(self), "requests": [described(each) for each in self.requests]})


def order_from(text: str | bytes) -> Order:
    """Return the order that JSON describes."""
    facts: dict[str, Any] = json.loads(text)
    return Order(**{**facts, "requests": tuple(map(request_from, facts["requests"]))})


def result_in(output: str) -> Checked:
    """Return what a checker printed; without a result, that it found nothing, and why."""
    lines = [line for line in output.splitlines() if line.startswith(RESULT)]
    if not lines:
        return Checked(0, 0, "the checker gave no result")
    return Checked(**json.loads(lines[-1].removeprefix(RESULT)))


class Checker:
    """Asks a server again and again, and counts the answers and the wrong ones among them."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.answers = self.wrong = 0
        self.how = ""
        self.over = Event()
        self.lock = Lock()
        self.turns: Iterator[tuple[int, Request]] = enumerate(cycle(order.requests))
        self.began = time.monotonic()

    def run(self) -> Checked:
        """Ask until it is over; return what was found."""
        threads = [Thread(target=self._ask_on_a_connection, daemon=True) for _ in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        self.over.wait()
        for thread in threads:
            thread.join(LAST_ANSWER_S / CONNECTIONS)
        with self.lock:
            return Checked(self.answers, self.wrong, self.how)

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """Ask nothing more."""
        self.over.set()

    def _ask_on_a_connection(self) -> None:
        connection: Connection | None = None
        while (request := self._next()) is not None:
            try:
                connection = self._ask(connection, request)
            except Unanswered as error:
                self._count(str(error))
                connection = None
            except OSError as error:
                self._count(f"breaks off: {error.strerror or 'no answer in time'}")
                connection = None
            else:
                self._count("")
        if connection is not None:
            connection.close()

    def _ask(self, connection: Connection | None, request: Request) -> Connection | None:
        """Ask on a connection or a new one; return it if it stays open. Raise Unanswered or OSError for a wrong one."""
        where = (self.order.host, self.order.port)
        with contextlib.ExitStack() as opened:
            try:
                used = opened.enter_context(connection or connected(*where, PATIENCE_S))
                used.deadline = time.monotonic() + PATIENCE_S
                answer = ask(used, *where, request, close=self.order.closes)
            except (HungUp, ConnectionError):
                if connection is None:
                    raise
                return self._ask(None, request)  # it may close one that it has kept whenever it likes
            if not (self.order.closes or answer.closes or answer.ended):
                opened.pop_all()
                return used
        return None

    def _next(self) -> Request | None:
        """Wait for the next request's time and return it; None once it is over."""
        with self.lock:
            number, request = next(self.turns)
        due = self.began + number / self.order.rate_per_s
        return None if self.over.wait(max(0.0, due - time.monotonic())) else request

    def _count(self, fault: str) -> None:
        """Count an answer with its fault, empty if it has none."""
        with self.lock:
            if not self.over.is_set():  # the server may be going down by now
                self.answers += 1
                self.wrong += bool(fault)
                self.how = self.how or fault


def main(file: Path) -> None:
    """Check answers until SIGTERM or SIGINT, then print what was found."""
    checker = Checker(order_from(file.read_bytes()))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, checker.stop)
    print(RESULT + json.dumps(asdict(checker.run())), flush=True)  # noqa: T201 - for the process that started this one


if __name__ == "__main__":
    main(Path(sys.argv[1]))
