"""Both sides of a duet at one offered rate: decides the rate, and what is measured next. Pure.

In a closed loop, latency follows from the rate, and a server that answers late is asked less often. At one rate that
both can keep, their latencies can be compared, and so can their costs away from full load.

The rate is a share of what the slower side answered in duets at full load. The generator that paces needs more CPU time
than the one of those duets, so the rate is lowered until both generators are well below what they can do; only trials
at the last, lowest rate count.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from runners.plan.goals import RAMP_S
from runners.plan.order import OVERHEAD_S, Duet, Offer, Slot, starts
from runners.plan.scheduling import LATELY, LEAST_REPEATS, REPEATED_SHARE, Left, next_position, warmup_s
from runners.records.trial import Trial
from runners.stats.comparison import counting

SHARE = 0.6  # of the slower side's rate in duets at full load
MOST_OF_CLIENTS = 0.8  # of their CPUs is what both generators may use
LOWERED = 0.7  # times the rate, if it was too high
MOST_LOWERINGS = 5
ENOUGH = 1_100  # answers of a side: ten of a thousand lie above its 99th percentile
LONGER = 3  # times as long as usual may an item be to get as many
FAMILY = "/equal"  # after the name of a family, that of its duets at equal rates


@dataclass(frozen=True)
class EqualRates:
    """The stage after the blocks: each of these duets `blocks` times for `duration_s`, at a rate of its own."""

    duets: tuple[Duet, ...]
    blocks: int
    duration_s: float
    seed: int

    def following(self, trials: Sequence[Trial]) -> tuple[Slot, ...]:
        """Return the next item of the first duet that lacks one."""
        found = (self._slot(duet, trials) for duet in self.duets)
        return next(((slot,) for slot in found if slot is not None), ())

    def _slot(self, duet: Duet, trials: Sequence[Trial]) -> Slot | None:
        """Return a duet's next item; each is a block of its own, and none is repeated as such."""
        items = _items(duet, trials)
        capacity = _capacity_per_s(duet, items, trials)
        if capacity is None or not self._lacks(items):  # without a capacity, there is nothing to take a share of
            return None
        number = len(items)
        chance = random.Random(f"{self.seed}/{duet.cells}/equal")  # noqa: S311 - an order, not a secret
        rate = _rate_per_s(items, capacity)
        duration_s = min(max(self.duration_s, ENOUGH / rate), LONGER * self.duration_s)
        offer = Offer("paced", rate, capacity, duration_s)
        return Slot(
            starts(duet.cells, number + 1, chance)[number],
            f"{duet.baseline.family}{FAMILY}",
            number,
            0,
            next_position(trials),
            offer,
            self._item_s(trials) + duration_s - self.duration_s,
            warmup_s=warmup_s(duet.cells, trials),
        )

    def _lacks(self, items: Sequence[Pair]) -> int:
        """Return how many items a duet lacks: as many as are wanted, or else what repeats and lowerings allow."""
        at_rate = _at_last_rate(items)
        if at_rate and at_rate[-1].too_much and _lowerings(items) >= MOST_LOWERINGS:
            return 0
        repeats = max(LEAST_REPEATS, int(REPEATED_SHARE * self.blocks))
        wanted = self.blocks - sum(pair.counts for pair in at_rate)
        return max(0, min(wanted, self.blocks + repeats - len(at_rate)))

    def _item_s(self, trials: Iterable[Trial]) -> float:
        """Return how long an item should take: automatic warm-ups take what they took in duets."""
        warmed_s = [trial.warmed_us / 1e6 for trial in trials if trial.pair and trial.warmed_us is not None]
        return self.duration_s + RAMP_S + OVERHEAD_S + (statistics.fmean(warmed_s[-LATELY:]) if warmed_s else 0.0)

    def left(self, trials: Sequence[Trial]) -> Left:
        """Return about what is left once duets at full load have been measured."""
        found = [(duet, _items(duet, trials)) for duet in self.duets]
        lacking = sum(self._lacks(items) for duet, items in found if _capacity_per_s(duet, items, trials))
        return Left(lacking, lacking * self._item_s(trials))

    @property
    def whole(self) -> Left:
        """Return how much the stage is."""
        items = self.blocks * len(self.duets)
        return Left(items, items * self._item_s(()))


@dataclass(frozen=True)
class Pair:
    """Both records of one item."""

    sides: tuple[Trial, Trial]

    @property
    def rate_per_s(self) -> float:
        """Return the rate that was offered to each side."""
        return self.sides[0].offered_per_s or 0.0

    @property
    def counts(self) -> bool:
        """Return whether it says something."""
        return all(side.verdict == "ok" for side in self.sides)

    @property
    def too_much(self) -> bool:
        """Return whether a server could not keep the rate, or the generators used too much of their CPUs."""
        shares = [side.client_cpu_share for side in self.sides if side.client_cpu_share is not None]
        missed = any(check.id == "V25" and check.outcome == "fail" for side in self.sides for check in side.checks)
        return missed or sum(shares) > MOST_OF_CLIENTS


def _items(duet: Duet, trials: Iterable[Trial]) -> list[Pair]:
    """Return a duet's items at equal rates that were measured, in their order."""
    pair = tuple(sorted(duet.cells))
    found: dict[int, list[Trial]] = {}
    for trial in trials:
        if trial.design == "paced" and trial.pair == pair and trial.verdict != "not run":
            found.setdefault(trial.block or 0, []).append(trial)
    return [Pair((sides[0], sides[1])) for _, sides in sorted(found.items()) if len(sides) > 1]


def _capacity_per_s(duet: Duet, items: Sequence[Pair], trials: Iterable[Trial]) -> float | None:
    """Return what the slower side answered in duets at full load; None if a side has no valid one.

    Once items were paced by some capacity, it stays the same, so that a resumed run goes on with the same rates.
    """
    if items:
        return items[0].sides[0].capacity_per_s
    full = [trial for trial in counting(trials) if trial.design == "duet" and trial.pair == tuple(sorted(duet.cells))]
    rates = [
        [
            trial.requests_per_s
            for trial in full
            if trial.cell == cell and trial.verdict == "ok" and trial.requests_per_s
        ]
        for cell in duet.cells
    ]
    return min(map(statistics.median, rates)) if all(rates) else None


def _rate_per_s(items: Sequence[Pair], capacity_per_s: float) -> float:
    """Return the rate to offer next, with two digits: lower than the last one if that was too much."""
    if not items:
        return _two_digits(SHARE * capacity_per_s)
    last = items[-1].rate_per_s
    return _two_digits(LOWERED * last) if _is_too_high(_at_last_rate(items)) else last


def _two_digits(rate: float) -> float:
    return float(f"{rate:.1e}")


def _at_last_rate(items: Sequence[Pair]) -> list[Pair]:
    return [item for item in items if item.rate_per_s == items[-1].rate_per_s]


def _is_too_high(at_rate: Sequence[Pair]) -> bool:
    """Return whether the first item at a rate says that it is too high, or two of them: a single one may be noise."""
    return at_rate[0].too_much or sum(item.too_much for item in at_rate) > 1


def _lowerings(items: Sequence[Pair]) -> int:
    return len({item.rate_per_s for item in items}) - 1


def equal_rate_per_s(trials: Iterable[Trial]) -> float | None:
    """Return the equal rate of one duet's paced trials: of those that were offered, the lowest counts."""
    return min((trial.offered_per_s for trial in trials if trial.offered_per_s is not None), default=None)
