"""How far a run is, and how long the rest takes at the pace so far. Pure but for the clock."""

from __future__ import annotations

import time
from collections.abc import Sequence

from runners.plan.order import Slot
from runners.plan.scheduling import Schedule
from runners.records.trial import Trial


class Pace:
    """How many trials the schedule holds at most, how many are done, and how long the rest takes at the pace so far."""

    def __init__(self, schedule: Schedule, recorded: Sequence[Trial]) -> None:
        self.item_s = {family: schedule.block_s[family] / len(blocks[0]) for family, blocks in schedule.order.items()}
        items = {family: sum(map(len, blocks)) for family, blocks in schedule.order.items()}
        found = [trial for trial in recorded if trial.verdict != "not run" and trial.role != "second"]
        self.done = len(found)
        self.total = sum(items.values())
        self.left_planned_s = sum(self.item_s[family] * count for family, count in items.items())
        self.left_planned_s -= sum(self.item_s.get(trial.family or "", 0.0) for trial in found)
        self.budget_s = schedule.bounds.budget_s
        self.spent_planned_s = 0.0
        self.began = time.monotonic()

    def add(self, slot: Slot) -> None:
        """One more trial ended."""
        self.done += 1
        self.total = max(self.total, self.done)
        self.spent_planned_s += self.item_s[slot.family]
        self.left_planned_s = max(0.0, self.left_planned_s - self.item_s[slot.family])

    def left_s(self) -> float:
        """Return the seconds left at most, at the pace of the trials so far."""
        passed_s = time.monotonic() - self.began
        pace = passed_s / self.spent_planned_s if self.spent_planned_s else 1.0
        left_s = self.left_planned_s * pace
        left_s = left_s if left_s >= 1 else 0.0
        return left_s if self.budget_s is None else min(left_s, max(0.0, self.budget_s - passed_s))
