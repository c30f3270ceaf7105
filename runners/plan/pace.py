"""How far a run has got, and how long the rest will take at the pace so far. Pure except for the clock."""

from __future__ import annotations

import time
from collections.abc import Sequence

from runners.plan.order import Slot
from runners.plan.scheduling import Left, Stage
from runners.records.trial import Trial


class Pace:
    """How many items are done, how many there may be as far as is known, and how long the rest will take.

    Repeats and trials at offered rates count too. The current stage says what is left of it, later stages how long
    they are.
    """

    def __init__(self, stages: Sequence[Stage], recorded: Sequence[Trial]) -> None:
        self.stages = list(stages)
        self.done = sum(trial.verdict != "not run" and trial.role != "second" for trial in recorded)
        self.spent_planned_s = 0.0
        self.began = time.monotonic()
        self.look(recorded)

    def add(self, slot: Slot, trials: Sequence[Trial]) -> None:
        """Count one more finished item; `trials` are all that are recorded."""
        self.done += 1
        self.spent_planned_s += slot.expected_s
        self.look(trials)

    def next_stage(self, trials: Sequence[Trial]) -> None:
        """Go on with the next stage."""
        self.stages = self.stages[1:]
        self.look(trials)

    def look(self, trials: Sequence[Trial]) -> None:
        """Update what is left."""
        to_come = (stage.whole for stage in self.stages[1:])
        self.left = sum(to_come, start=self.stages[0].left(trials) if self.stages else Left(0, 0))

    @property
    def total(self) -> int:
        """Return the expected number of items."""
        return self.done + round(self.left.items)

    def left_s(self) -> float:
        """Return the most seconds that may be left, at the pace of the items so far."""
        passed_s = time.monotonic() - self.began
        pace = passed_s / self.spent_planned_s if self.spent_planned_s else 1.0
        return self.left.seconds * pace
