"""What a run reports while it goes on; the command line shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from runners.plan.order import Slot
from runners.plan.pace import Pace
from runners.records.trial import Trial


class Reporter(Protocol):
    """Hears what happens during a run."""

    def begin(self, pace: Pace) -> None:
        """The trials begin; `pace` knows how many, and how long they will take."""

    def trial(self, slot: Slot, trials: Sequence[Trial]) -> None:
        """A trial, or a duet of two, ended and is recorded."""

    def tick(self) -> None:
        """Time passes inside a trial; called about ten times a second."""

    def end(self) -> None:
        """No more trials."""
