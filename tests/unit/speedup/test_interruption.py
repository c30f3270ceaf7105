"""A signal ends a run even where Python loses what its handler raises."""

from __future__ import annotations

import signal

import pytest

from runners.errors import Interrupted
from runners.run.interruption import Interruption, signals


def test_a_signal_raises_at_once_and_again_at_the_next_check() -> None:
    """Around a fork Python swallows exceptions of handlers, so the next look raises again."""
    interruption = Interruption()
    interruption.check()
    with pytest.raises(Interrupted, match="SIGINT"):
        interruption(signal.SIGINT, None)
    with pytest.raises(Interrupted, match="SIGINT"):
        interruption.check()


def test_a_signal_that_was_ignored_at_the_start_stays_ignored() -> None:
    """nohup means that a closed terminal does not end the run; the others end it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            assert isinstance(signal.getsignal(signal.SIGTERM), Interruption)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert not isinstance(signal.getsignal(signal.SIGTERM), Interruption)
