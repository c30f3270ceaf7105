"""What comes before everything else: signals end the command with one line, also while modules are still imported.

Imports as little as possible, so that there is no time before it.
"""

from __future__ import annotations

import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import NoReturn

INTERRUPTED = 130
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def begin() -> None:
    """End at once on a signal, as long as there is nothing to clean up; one that is ignored stays ignored."""
    _open_streams()
    _handle(_end)


def heed() -> None:
    """From now on, let a signal raise KeyboardInterrupt, so that what was begun is cleaned up."""
    from runners.run.interruption import raise_again

    if signal.getsignal(signal.SIGINT) is _end or signal.getsignal(signal.SIGTERM) is _end:
        _handle(_interrupt)
        raise_again(KeyboardInterrupt, check)


_received: list[str] = []


def received() -> str:
    """Return which signal came, in words; empty if none did."""
    return f"interrupted ({_received[0]})" if _received else ""


def check() -> None:
    """Raise KeyboardInterrupt if a signal came: what its handler raises may be lost in an import or a callback."""
    if _received:
        raise KeyboardInterrupt(received())


def _open_streams() -> None:
    """Open what a caller has closed of the standard streams: else the next file that is opened would be one."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _handle(handler: Callable[[int, FrameType | None], None]) -> None:
    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _end(number: int, _frame: FrameType | None) -> None:
    try:
        os.write(2, f"speedup: interrupted ({signal.Signals(number).name})\n".encode())
    finally:
        os._exit(INTERRUPTED)


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    _received.append(signal.Signals(number).name)
    raise KeyboardInterrupt(received())
