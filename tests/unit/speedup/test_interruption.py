"""A signal ends a run even where Python loses what its handler raises."""

from __future__ import annotations

import signal

import pytest

from runners.errors import Interrupted
from runners.run.interruption import Interruption


def test_a_signal_raises_at_once_and_again_at_the_next_check() -> None:
    """Around a fork Python swallows exceptions of handlers, so the next look raises again."""
    interruption = Interruption()
    interruption.check()
    with pytest.raises(Interrupted, match="SIGINT"):
        interruption(signal.SIGINT, None)
    with pytest.raises(Interrupted, match="SIGINT"):
        interruption.check()
