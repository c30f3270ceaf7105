"""Answers under load: decides for which cells a checker must read them, in trials apart, and how fast. Pure.

Where all answers have one length, the bytes that arrive show wrong ones. Where they differ, or the generator does not
count bytes, nothing does: check V24 is unknown. Such cells get one more trial, whose figures do not count.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from runners.matrix.cells import Cell
from runners.plan.order import Checking, Slot, trial_s
from runners.plan.scheduling import Left, next_position
from runners.records.trial import Trial
from runners.stats.answers import judged

SHARE = 0.01  # of the cell's rate
LEAST_PER_S = 1.0


@dataclass(frozen=True)
class CheckedAnswers:
    """The stage after the blocks: one trial of `duration_s` for each cell whose answers' lengths tell nothing."""

    cells: tuple[Cell, ...]
    duration_s: float

    def following(self, trials: Sequence[Trial]) -> tuple[Slot, ...]:
        """Return the trial of the next cell without one; one that told nothing is repeated once."""
        for cell in self.cells:
            own = [trial for trial in trials if trial.cell == cell.id and trial.verdict != "not run"]
            before = [trial for trial in own if trial.design == "checked"]
            rates = [trial.requests_per_s for trial in own if trial.requests_per_s]
            if rates and any(map(_is_unknown, own)) and (not before or (len(before) == 1 and not _told(before[0]))):
                return (self._slot(cell, rates, len(before), trials),)
        return ()

    def _slot(self, cell: Cell, rates: Sequence[float], attempt: int, trials: Sequence[Trial]) -> Slot:
        position = next_position(trials)
        checking = Checking(max(LEAST_PER_S, SHARE * statistics.median(rates)), self.duration_s)
        family = f"{cell.family}/checked"
        return Slot((cell.id,), family, 0, attempt, position, expected_s=self._trial_s(cell), checking=checking)

    def _trial_s(self, cell: Cell) -> float:
        return trial_s(cell) + self.duration_s - cell.load.duration_s

    def left(self, trials: Sequence[Trial]) -> Left:
        """Return the most that may be left, once it is known which cells need it."""
        unknown = {trial.cell for trial in trials if _is_unknown(trial)}
        done = {trial.cell for trial in trials if trial.design == "checked" and _told(trial)}
        wanted = [cell for cell in self.cells if cell.id in unknown - done]
        return Left(len(wanted), sum(map(self._trial_s, wanted)))

    @property
    def whole(self) -> Left:
        """Return nothing: which cells need it is not known before they are measured, and few do."""
        return Left(0, 0.0)


def checkable(cells: Sequence[Cell]) -> tuple[Cell, ...]:
    """Return the cells that a checker can ask: on this machine, what we know to be asked, each variant as itself."""
    return tuple(cell for cell in cells if not (cell.twin or cell.load.clients or cell.load.locustfile))


def _is_unknown(trial: Trial) -> bool:
    check = judged(trial)
    return check is not None and check.outcome == "unknown"


def _told(trial: Trial) -> bool:
    """Return whether answers were read, right or wrong ones."""
    check = judged(trial)
    return check is not None and check.outcome != "unknown"
