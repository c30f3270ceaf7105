"""Handles the signals that end a run: at once, so that everything is stopped and recorded."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from runners.errors import Interrupted

AGAIN_S = 0.01


class Interruption:
    """Turns Ctrl-C, SIGTERM and SIGHUP into Interrupted, at once or, if Python swallows that, a moment later.

    An exception from a signal handler is lost while Python runs one of its own callbacks, such as those around a fork.
    """

    def __init__(self) -> None:
        self.reason: str | None = None

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        """Remember the signal and raise Interrupted."""
        self.reason = f"interrupted ({signal.Signals(number).name})"
        self.check()

    def check(self) -> None:
        """Raise Interrupted if a signal came."""
        if self.reason is not None:
            raise Interrupted(self.reason)


@contextmanager
def signals() -> Iterator[Interruption]:
    """Handle the signals that end a run, so that everything is stopped and recorded; restore the handlers after it.

    A signal that was ignored at the start, as by nohup, stays ignored.
    """
    interruption = Interruption()
    ending = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    heeded = [number for number in ending if signal.getsignal(number) is not signal.SIG_IGN]
    previous = {number: signal.signal(number, interruption) for number in heeded}
    previous[signal.SIGALRM] = signal.getsignal(signal.SIGALRM)
    hook = sys.unraisablehook
    raise_again(Interrupted, interruption.check)
    try:
        yield interruption
    finally:
        sys.unraisablehook = hook
        for number, handler in previous.items():
            signal.signal(number, handler)


def raise_again(kind: type[BaseException], check: Callable[[], None]) -> None:
    """Call `check` a moment after a callback of Python has swallowed such an exception, and print no traceback."""

    def unraised(lost: sys.UnraisableHookArgs) -> None:
        if issubclass(lost.exc_type, kind):
            signal.setitimer(signal.ITIMER_REAL, AGAIN_S)
        else:
            sys.__unraisablehook__(lost)

    signal.signal(signal.SIGALRM, lambda *_: check())
    sys.unraisablehook = unraised
