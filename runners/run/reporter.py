"""What a run reports while it is in progress; the command line shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from runners.plan.order import Slot
from runners.plan.pace import Pace
from runners.records.trial import Trial


class Reporter(Protocol):
    """Receives what happens during a run."""

    def begin(self, pace: Pace) -> None:
        """Trials begin; `pace` says how many, and how long they will take."""

    def trial(self, slot: Slot, trials: Sequence[Trial]) -> None:
        """A trial, or both trials of a duet, ended and were recorded."""

    def tick(self) -> None:
        """Time passes during a trial; called about ten times a second."""

    def end(self) -> None:
        """There are no more trials."""
