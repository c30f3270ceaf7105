"""Decides which block is measured next, and when it is enough. Pure.

Every family gets its least number of blocks, in rounds. Then the family whose ratios are least certain gets the next
one, until every ratio is as precise as asked, the most blocks are done, or the time is spent: sampling stops on
precision, never on significance. Blocks with an invalid trial are repeated whole at the end, at most a quarter of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runners.plan.order import TOGETHER, Block, Slot, first_round, is_duet_family
from runners.records.trial import Trial
from runners.stats.comparison import by_family, compare_duets, compare_family, counting, widest

REPEATED_SHARE = 0.25


@dataclass(frozen=True)
class Bounds:
    """When to stop: blocks at least (of duets, where that differs), half-width wanted, seconds of load allowed.

    The most blocks are those of the order.
    """

    least: int
    precision: float | None
    budget_s: float | None
    least_duets: int | None = None

    def least_of(self, family: str) -> int:
        """Return how many blocks a family gets in any case."""
        return self.least if self.least_duets is None or not is_duet_family(family) else self.least_duets


@dataclass(frozen=True)
class Progress:
    """How far one family is."""

    family: str
    done: int
    repeats: int
    invalid_block: int | None
    attempt: int
    half_width: float


@dataclass(frozen=True)
class Schedule:
    """A run's families with their blocks, the cell that each is compared with, and when to stop."""

    order: Mapping[str, Sequence[Block]]
    baselines: Mapping[str, str]
    bounds: Bounds
    seed: int
    block_s: Mapping[str, float]

    def following(self, trials: Sequence[Trial], spent_s: float) -> tuple[Slot, ...]:
        """Return what is left of the block to measure next; empty when it is enough."""
        progress = self.progress(trials)
        chosen = self._least(progress) or self._widest(progress, spent_s) or self._repeat(progress, spent_s)
        if chosen is None:
            return ()
        family, block, attempt = chosen
        return self._slots(family, block, attempt, trials)

    def progress(self, trials: Sequence[Trial]) -> list[Progress]:
        """Return how far each family is, from what is recorded."""
        families = by_family(trials)
        return [self._progress(family, families.get(family, [])) for family in self.order]

    def _progress(self, family: str, trials: Sequence[Trial]) -> Progress:
        recorded = {
            (trial.block, trial.attempt, trial.cell, trial.pair) for trial in trials if trial.verdict != "not run"
        }
        done = 0
        while done < len(self.order[family]) and self._is_whole(family, done, recorded):
            done += 1
        latest = {trial.block: trial.attempt for trial in counting(trials)}
        invalid = [trial.block for trial in counting(trials) if trial.verdict == "invalid" and not _hopeless(trial)]
        block = next((block for block in invalid if block is not None), None)
        return Progress(
            family=family,
            done=done,
            repeats=sum(attempt for attempt in latest.values()),
            invalid_block=block,
            attempt=latest.get(block, 0) + 1,
            half_width=self._half_width(family, trials),
        )

    def _is_whole(self, family: str, block: int, recorded: set[tuple[int | None, int, str, str | None]]) -> bool:
        done = {(number, cell) for number, _attempt, cell, _pair in recorded}
        return all((block, cell) in done for item in self.order[family][block] for cell in item.split(TOGETHER))

    def _half_width(self, family: str, trials: Sequence[Trial]) -> float:
        if self.bounds.precision is None and self.bounds.budget_s is None:
            return math.inf
        counted = counting(trials)
        compare = compare_duets if is_duet_family(family) else compare_family
        return widest(compare(counted, self.baselines[family]))

    def _least(self, progress: Sequence[Progress]) -> tuple[str, int, int] | None:
        """Return the next block on the way to every family's least number; all come along evenly, in random order."""
        wanting = [item for item in progress if item.done < self._least_of(item.family)]
        chosen = min(wanting, key=self._turn, default=None)
        return None if chosen is None else (chosen.family, chosen.done, 0)

    def _turn(self, item: Progress) -> tuple[float, int]:
        rank = first_round(self.order, item.done, self.seed).index(item.family)
        return item.done / self._least_of(item.family), rank

    def _least_of(self, family: str) -> int:
        return min(self.bounds.least_of(family), len(self.order[family]))

    def _widest(self, progress: Sequence[Progress], spent_s: float) -> tuple[str, int, int] | None:
        """Return the next block of the family whose ratios are least certain, if any wants one and may have it."""
        open_ones = [
            item
            for item in progress
            if item.done < len(self.order[item.family])
            and item.half_width > (self.bounds.precision or 0.0)
            and self._affordable(item.family, spent_s)
        ]
        chosen = max(open_ones, key=lambda item: (min(item.half_width, 1e9), -item.done), default=None)
        return None if chosen is None else (chosen.family, chosen.done, 0)

    def _repeat(self, progress: Sequence[Progress], spent_s: float) -> tuple[str, int, int] | None:
        for item in progress:
            allowed = int(REPEATED_SHARE * item.done)
            if item.invalid_block is not None and item.repeats < allowed and self._affordable(item.family, spent_s):
                return item.family, item.invalid_block, item.attempt
        return None

    def _affordable(self, family: str, spent_s: float) -> bool:
        return self.bounds.budget_s is None or spent_s + self.block_s[family] <= self.bounds.budget_s

    def _slots(self, family: str, block: int, attempt: int, trials: Sequence[Trial]) -> tuple[Slot, ...]:
        done = {
            trial.cell if trial.pair is None else (trial.cell, trial.pair)
            for trial in trials
            if (trial.family, trial.block, trial.attempt) == (family, block, attempt) and trial.verdict != "not run"
        }
        position = sum(1 for trial in trials if trial.verdict != "not run")
        missing = [
            tuple(item.split(TOGETHER))
            for item in self.order[family][block]
            if not any(known in done for known in _names(item))
        ]
        return tuple(Slot(cells, family, block, attempt, position + number) for number, cells in enumerate(missing))

    def ended_by(self, trials: Sequence[Trial]) -> dict[str, str]:
        """Return for each family which bound ended it."""
        return {item.family: self._why(item) for item in self.progress(trials)}

    def _why(self, item: Progress) -> str:
        if item.done >= len(self.order[item.family]):
            return "most blocks"
        if self.bounds.precision is not None and item.half_width <= self.bounds.precision:
            return "precision"
        return (
            "time budget"
            if self.bounds.budget_s is not None and item.done >= self.bounds.least_of(item.family)
            else "interrupted"
        )


def _names(item: str) -> list[str | tuple[str, str]]:
    """Return how a finished item may be known: a solo cell's id, or a duet's cell with its pair in either order."""
    cells = item.split(TOGETHER)
    if len(cells) == 1:
        return [item]
    pairs = (TOGETHER.join(cells), TOGETHER.join(reversed(cells)))
    return [(cell, pair) for cell in cells for pair in pairs]


def _hopeless(trial: Trial) -> bool:
    """Return whether repeating cannot help: the server itself answers wrongly."""
    return any(check.id == "V0" and check.outcome == "fail" for check in trial.checks)
