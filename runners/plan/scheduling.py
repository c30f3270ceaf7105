"""Decides which block is measured next, and when to stop. Pure.

Every family first gets its minimum number of blocks: families of duets up to their first look, one after the other, so
that their tables have an answer early; then all in rounds. Then the family with the least certain ratios gets the next
blocks, up to its next look (`runners.stats.rule`), until every ratio is as precise as requested, the maximum
number of blocks is done, or the time is used up: sampling stops on precision, never on significance. Blocks with a
failed or invalid trial are repeated whole at the end, up to a quarter of the blocks, or a few if that is more;
of trials that only noise made invalid, those that decide something.

What comes next follows from what is recorded alone, so a run that was cut off anywhere goes on as if it had not been.
A block that has begun is completed before anything else: its latest attempt, at items that this attempt lacks. Attempts
and repeats are counted over all sessions of a run.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Protocol

from runners.plan.order import DUET, OVERHEAD_S, Slot, first_round
from runners.records.run import Block, FamilyInfo, Item
from runners.records.trial import PACED_DESIGNS, Trial, slug_of
from runners.stats.comparison import TWIN_MARK, by_family, compare_duets, compare_family, counting, widest
from runners.stats.noise import is_noisy
from runners.stats.rule import LOOKS, last_look, looks_of
from runners.stats.steadiness import WARM_ALREADY_S, needs_warm_up

REPEATED_SHARE = 0.25
LATELY = 10  # items whose automatic warm-ups say how long the next ones take
LEAST_REPEATS = 2  # allowed even if a quarter of the blocks is less


@dataclass(frozen=True)
class Left:
    """The most items that may still have to be measured, and how long that should take, in seconds."""

    items: float
    seconds: float

    def __add__(self, other: Left) -> Left:
        return Left(self.items + other.items, self.seconds + other.seconds)


class Stage(Protocol):
    """A part of a run, in which the next measurement follows from what is recorded."""

    def following(self, trials: Sequence[Trial]) -> tuple[Slot, ...]:
        """Return what to measure next; empty when the stage is finished."""

    def left(self, trials: Sequence[Trial]) -> Left:
        """Return what is left once the stage has begun."""

    @property
    def whole(self) -> Left:
        """Return how much the stage is before anything is recorded."""


@dataclass(frozen=True)
class Spent:
    """How much was measured so far: seconds of load, and how long the items should have taken in all.

    The next item of each family should take `next_s`.
    """

    load_s: float
    took_s: float
    next_s: Mapping[str, float]


@dataclass(frozen=True)
class Bounds:
    """When to stop: the minimum of blocks and the half-width wanted (of duets, too), the seconds of load allowed.

    The maximum is the number of blocks in each family. Beyond the minimum, nothing is begun that would end later than
    `limit_s` after the first trial, as long as all items take what they should.
    """

    least: int
    precision: float | None
    budget_s: float | None
    least_duets: int | None = None
    duet_precision: float | None = None
    limit_s: float | None = None

    def precision_of(self, family: FamilyInfo) -> float | None:
        """Return the half-width wanted of a family's ratios; None: as narrow as the blocks make it."""
        return self.precision if family.design == "solo" else self.duet_precision

    def least_of(self, family: FamilyInfo) -> int:
        """Return the minimum number of blocks of a family."""
        wanted = self.least if family.design == "solo" or self.least_duets is None else self.least_duets
        return min(wanted, len(family.blocks))


@dataclass(frozen=True)
class Progress:
    """How far one family has got: complete blocks, repeats, and the blocks worth repeating, least repeated first.

    `unfinished` is the first block that has begun, or is followed by one that has, and of which the latest attempt is
    not whole. `missing` counts the items that blocks without a whole attempt lack, `missing_again` those that repeats
    lack.
    """

    family: FamilyInfo
    done: int
    repeats: int
    spoilt: tuple[int, ...]
    unfinished: int | None
    missing: int
    missing_again: int
    attempts: Mapping[int, int]
    half_width: float = math.inf

    @property
    def repeats_allowed(self) -> int:
        """Return the total number of repeats that the family may have."""
        return max(LEAST_REPEATS, int(REPEATED_SHARE * self.done))


@dataclass(frozen=True)
class Blocks:
    """The first stage: a run's families, when to stop, and the seconds that one item of each family should take."""

    families: tuple[FamilyInfo, ...]
    bounds: Bounds
    seed: int
    item_s: Mapping[str, float]

    def following(self, trials: Sequence[Trial]) -> tuple[Slot, ...]:
        """Return the rest of the block to measure next; empty when the stage is finished."""
        progress, spent = self.progress(trials), self._spent(trials)
        chosen = (
            self._unfinished(progress)
            or self._least(progress)
            or self._widest(progress, spent)
            or self._repeat(progress, spent)
        )
        return () if chosen is None else self._slots(*chosen, trials, spent)

    def lacking(self, trials: Sequence[Trial]) -> tuple[str, ...]:
        """Return, in words, what families lack although they must have it; nothing once the stage is finished."""
        progress = self.progress(trials, precise=False)
        few = [
            f"{item.family.name} has {item.done} of at least {self.bounds.least_of(item.family)} blocks"
            for item in progress
            if item.done < self.bounds.least_of(item.family)
        ]
        begun = [f"block {item.unfinished} of {item.family.name}" for item in progress if item.unfinished is not None]
        return (*few, *(f"{block} is not complete" for block in begun))

    def left(self, trials: Sequence[Trial]) -> Left:
        """Return the most that may be left: blocks, and repeats, assuming that blocks are spoilt at the rate so far."""
        progress, spent = self.progress(trials, precise=False), self._spent(trials)
        left = sum((self._left_of(item, spent) for item in progress), start=Left(0, 0))
        needed = sum((self._needed_of(item, spent) for item in progress), start=Left(0, 0))
        bounds = ((self.bounds.budget_s, spent.load_s), (self.bounds.limit_s, spent.took_s))
        for most_s, used_s in bounds:
            if most_s is not None:
                share = min(1.0, max(needed.seconds, most_s - used_s, 0.0) / (left.seconds or 1.0))
                left = Left(left.items * share, left.seconds * share)
        return left

    def _needed_of(self, item: Progress, spent: Spent) -> Left:
        """Return what a family's least blocks still lack, whatever the time."""
        if self.bounds.budget_s is not None:
            return Left(0, 0)
        items = max(0, self.bounds.least_of(item.family) - item.done) * len(item.family.blocks[0])
        return Left(items, items * spent.next_s[item.family.name])

    @property
    def whole(self) -> Left:
        """Return how much all blocks are."""
        return self.left(())

    def _left_of(self, item: Progress, spent: Spent) -> Left:
        blocks = item.family.blocks
        spoilt_share = min(1.0, (item.repeats + len(item.spoilt)) / item.done) if item.done else 0.0
        wanted = len(item.spoilt) + spoilt_share * (len(blocks) - item.done)
        repeats = min(wanted, max(LEAST_REPEATS, REPEATED_SHARE * len(blocks)) - item.repeats)
        items = item.missing + item.missing_again + max(0.0, repeats) * len(blocks[0])
        return Left(items, items * spent.next_s[item.family.name])

    def progress(self, trials: Sequence[Trial], *, precise: bool = True) -> list[Progress]:
        """Return how far each family has got; the widths of its intervals are computed only if they matter."""
        families = by_family(trials)
        beside = {family.name.removesuffix(DUET) for family in self.families if family.design == "duet"}
        found = [
            _progress(family, families.get(family.name, ()), decides=family.name not in beside)
            for family in self.families
        ]
        wanted = (self.bounds.precision, self.bounds.duet_precision, self.bounds.budget_s)
        if not precise or all(bound is None for bound in wanted):
            return found
        return [replace(item, half_width=self._half_width(item, families.get(item.family.name, ()))) for item in found]

    def _half_width(self, item: Progress, trials: Sequence[Trial]) -> float:
        """Return how uncertain a family's ratios were at the last look: what came since is seen at the next."""
        family = item.family
        looks = looks_of(self.bounds.least_of(family), len(family.blocks))
        seen = [trial for trial in counting(trials) if (trial.block or 0) < last_look(item.done, looks)]
        compare = compare_duets if family.design == "duet" else compare_family
        return widest(compare(seen, family.baseline, len(looks))) if seen else math.inf

    def _unfinished(self, progress: Sequence[Progress]) -> tuple[FamilyInfo, int, int] | None:
        """Return the block and the attempt that an interruption, or damage, left incomplete."""
        item = next((item for item in progress if item.unfinished is not None), None)
        if item is None or item.unfinished is None:
            return None
        return item.family, item.unfinished, item.attempts[item.unfinished]

    def _least(self, progress: Sequence[Progress]) -> tuple[FamilyInfo, int, int] | None:
        """Return the next block towards every family's minimum.

        Duets come first until they may give an answer; then families advance evenly, in random order.
        """
        wanting = [item for item in progress if item.done < self.bounds.least_of(item.family)]
        early = (item for item in wanting if item.family.design == "duet" and item.done < LOOKS[0])
        chosen = next(early, None) or min(wanting, key=self._turn, default=None)
        return None if chosen is None else (chosen.family, chosen.done, 0)

    def _turn(self, item: Progress) -> tuple[float, int]:
        rank = first_round([family.name for family in self.families], item.done, self.seed).index(item.family.name)
        return item.done / self.bounds.least_of(item.family), rank

    def _widest(self, progress: Sequence[Progress], spent: Spent) -> tuple[FamilyInfo, int, int] | None:
        """Return the next block of the family with the least certain ratios, if any needs and may have one."""
        open_ones = [
            item
            for item in progress
            if item.done < len(item.family.blocks)
            and item.half_width > (self.bounds.precision_of(item.family) or 0.0)
            and self._affordable(item.family, spent, self._until_look(item))
        ]
        chosen = max(open_ones, key=lambda item: (min(item.half_width, 1e9), -item.done), default=None)
        return None if chosen is None else (chosen.family, chosen.done, 0)

    def _until_look(self, item: Progress) -> int:
        """Return how many blocks a family lacks until they are looked at: fewer would be of no use."""
        looks = looks_of(self.bounds.least_of(item.family), len(item.family.blocks))
        return next((look - item.done for look in looks if look > item.done), 1)

    def _repeat(self, progress: Sequence[Progress], spent: Spent) -> tuple[FamilyInfo, int, int] | None:
        for item in progress:
            if item.spoilt and item.repeats < item.repeats_allowed and self._affordable(item.family, spent):
                block = item.spoilt[0]
                return item.family, block, item.attempts[block] + 1
        return None

    def _affordable(self, family: FamilyInfo, spent: Spent, blocks: int = 1) -> bool:
        """Return whether a block fits into the load that is allowed, and so many blocks into the time."""
        block_s = len(family.blocks[0]) * spent.next_s[family.name]
        limits = (
            (self.bounds.budget_s, spent.load_s + block_s),
            (self.bounds.limit_s, spent.took_s + blocks * block_s),
        )
        return all(most is None or by_then <= most for most, by_then in limits)

    def _spent(self, trials: Sequence[Trial]) -> Spent:
        """Return what was spent. Items with automatic warm-ups say how long the next ones take.

        Those of a family tell of it; of families that have none yet, all of them tell how much longer than planned.
        """
        took_s, planned_s, items, warmed_s = 0.0, 0.0, 0, dict[str, list[float]]()
        for trial in (trial for trial in trials if trial.role != "second"):
            family = trial.family or ""
            item_s = _took_s(trial, self.item_s.get(family, 0.0))
            took_s, planned_s, items = took_s + item_s, planned_s + self.item_s.get(family, 0.0), items + 1
            if trial.warmed_us is not None:
                warmed_s.setdefault(family, []).append(item_s)
        longer_s = max(0.0, took_s - planned_s) / max(1, items)
        lately_s = {family: statistics.fmean(items_s[-LATELY:]) for family, items_s in warmed_s.items()}
        next_s = {family: lately_s.get(family, item_s + longer_s) for family, item_s in self.item_s.items()}
        return Spent(spent_s(trials), took_s, next_s)

    def _slots(
        self, family: FamilyInfo, block: int, attempt: int, trials: Sequence[Trial], spent: Spent
    ) -> tuple[Slot, ...]:
        this = (family.name, block, attempt)
        done = _items(t for t in trials if (t.family, t.block, t.attempt) == this and _is_over(t))
        position = next_position(trials)
        missing = [item for item in family.blocks[block] if tuple(sorted(item)) not in done]
        return tuple(
            Slot(
                item,
                family.name,
                block,
                attempt,
                position + number,
                expected_s=spent.next_s[family.name],
                warmup_s=warmup_s(item, trials),
            )
            for number, item in enumerate(missing)
        )

    def concluded(self, trials: Sequence[Trial]) -> tuple[FamilyInfo, ...]:
        """Return the families, each with the bound that ended it."""
        return tuple(replace(item.family, ended_by=self._why(item)) for item in self.progress(trials))

    def _why(self, item: Progress) -> str:
        if item.done >= len(item.family.blocks):
            return "most blocks"
        precision = self.bounds.precision_of(item.family)
        if precision is not None and item.half_width <= precision:
            return "precision"
        bounded = self.bounds.budget_s is not None or self.bounds.limit_s is not None
        within = bounded and item.done >= self.bounds.least_of(item.family)
        return "time budget" if within else "interrupted"


def _took_s(trial: Trial, planned_s: float) -> float:
    """Return how long a trial took, or should have taken; an automatic warm-up's length is only known afterwards."""
    if trial.warmed_us is None:
        return planned_s
    return (trial.warmed_us + (trial.duration_us or 0)) / 1e6 + OVERHEAD_S


def warmup_s(item: Item, trials: Sequence[Trial]) -> float | None:
    """Return how short the warm-up of these cells may be; None: as the matrix says."""
    wanted = set(map(_warmed_alike, item))
    starts = [trial for trial in trials if trial.warmup_drift is not None]
    needed = any(needs_warm_up([trial for trial in starts if _warmed_alike(trial.cell) == one]) for one in wanted)
    return None if needed else WARM_ALREADY_S


@cache
def _warmed_alike(cell: str) -> str:
    """Return what cells have in common whose starts are alike: all but the number of connections, and being a twin."""
    name, *point = slug_of(cell).split("/")
    return "/".join((name.removesuffix(TWIN_MARK), *point[:1], *point[2:]))


def spent_s(trials: Sequence[Trial]) -> float:
    """Return the seconds of load at full speed so far; the two sides of a duet count once."""
    full = (trial for trial in trials if trial.role != "second" and trial.design not in PACED_DESIGNS)
    return sum((trial.duration_us or 0) / 1e6 for trial in full)


def next_position(trials: Iterable[Trial]) -> int:
    """Return the number of the next item: no trial that is recorded has it, even if others were lost."""
    return max((trial.position + 1 for trial in trials if trial.position is not None and _is_over(trial)), default=0)


@dataclass(frozen=True)
class State:
    """How far a block is: its latest attempt, how many items that lacks, and whether any attempt at it is whole."""

    attempt: int
    lacks: int
    measured: bool
    begun: bool


def _state(block: Block, attempts: Mapping[int, set[Item]]) -> State:
    wanted = {tuple(sorted(item)) for item in block}
    latest = max(attempts, default=0)
    lacks = len(wanted - attempts.get(latest, set()))
    return State(latest, lacks, any(wanted <= items for items in attempts.values()), bool(attempts))


def _progress(family: FamilyInfo, trials: Sequence[Trial], *, decides: bool) -> Progress:
    """Return how far a family has got; noise is no reason for a repeat where duets decide in its place."""
    over = [trial for trial in trials if _is_over(trial)]
    measured = _attempts(over)
    states = [_state(block, measured.get(number, {})) for number, block in enumerate(family.blocks)]
    reached = max((number + 1 for number, state in enumerate(states) if state.begun), default=0)
    attempts = {number: state.attempt for number, state in enumerate(states)}
    bad = [trial for trial in counting(over) if trial.verdict != "ok" and not _hopeless(trial)]
    spoilt = {trial.block or 0 for trial in bad if decides or not is_noisy(trial)}
    return Progress(
        family=family,
        done=next((number for number, state in enumerate(states) if not state.measured), len(states)),
        repeats=sum(attempts.values()),
        spoilt=tuple(sorted(spoilt, key=lambda block: (attempts[block], block))),
        unfinished=next((number for number, state in enumerate(states[:reached]) if state.lacks), None),
        missing=sum(state.lacks for state in states if not state.measured),
        missing_again=sum(state.lacks for state in states if state.measured),
        attempts=attempts,
    )


def _attempts(trials: Iterable[Trial]) -> dict[int, dict[int, set[Item]]]:
    """Return the items that are measured in each attempt at each block."""
    found: dict[int, dict[int, list[Trial]]] = {}
    for trial in trials:
        found.setdefault(trial.block or 0, {}).setdefault(trial.attempt, []).append(trial)
    return {block: {number: _items(each) for number, each in tries.items()} for block, tries in found.items()}


def _items(trials: Iterable[Trial]) -> set[Item]:
    """Return the items that are recorded completely, each as its cells in the order of their ids."""
    found: dict[Item, set[str]] = {}
    for trial in trials:
        found.setdefault(trial.pair or (trial.cell,), set()).add(trial.cell)
    return {item for item, cells in found.items() if len(cells) == len(item)}


def _is_over(trial: Trial) -> bool:
    return trial.verdict != "not run"


def _hopeless(trial: Trial) -> bool:
    """Return whether a repeat cannot help, because the server itself answers wrongly."""
    return any(check.id == "V0" and check.outcome == "fail" for check in trial.checks)
