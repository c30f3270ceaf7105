"""Signals that end a run: heeded at once, so that everything is stopped and recorded."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from runners.errors import Interrupted


class Interruption:
    """Turns Ctrl-C, TERM and HUP into Interrupted, at once and, should Python swallow that, at the next check.

    What a signal handler raises is lost where Python runs a callback of its own, such as those around a fork.
    """

    def __init__(self) -> None:
        self.reason: str | None = None

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        """Remember the signal and raise."""
        self.reason = f"interrupted ({signal.Signals(number).name})"
        self.check()

    def check(self) -> None:
        """Raise Interrupted if a signal came."""
        if self.reason is not None:
            raise Interrupted(self.reason)


@contextmanager
def signals() -> Iterator[Interruption]:
    """Heed the signals that end a run, so that everything is stopped and recorded."""
    interruption = Interruption()
    heeded = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    previous = {number: signal.signal(number, interruption) for number in heeded}
    try:
        yield interruption
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
