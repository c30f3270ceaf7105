"""Latency under a given load: decides which rates are offered to which cells next, and reads the results. Pure.

These trials come after the blocks in which rows were measured alone, since those give the capacity: the median of the
valid rates. Recorded trials are not repeated, and a search resumes where it was, since its questions follow from the
answers so far.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from runners.matrix.cells import Cell
from runners.matrix.model import Matrix, Preset
from runners.matrix.objective import Ask, Objective, highest_rate, most_questions, parse_objective
from runners.plan.order import Offer, Slot, trial_s
from runners.plan.pairing import rows_of
from runners.plan.scheduling import Left, next_position
from runners.records.trial import PACED_DESIGNS, Check, Trial
from runners.stats.comparison import counting

START_SHARE = 1 / 16  # of the capacity, where the search begins
CONFIRM_FACTOR = 3  # a confirmation is this many times as long as a step
LONGER_STEP = 5  # a step of the search may be this many times as long if the rate is low
LONGEST_S = 30.0  # a confirmation may be this long if the rate is low
RAMP_S = 1.0  # roughly, for opening all connections, until the load settles, and for what is in flight at the end
DECISIVE = frozenset({"V0", "V1", "V2", "V3", "V25"})  # may show that a rate is too high; others are about the machine

Key = tuple[str, str | None, str | None, float | None, int | None]
Recorded = Mapping[Key, Sequence[Trial]]


@dataclass(frozen=True)
class Goal:
    """What a table of mode "latency" demands of one cell."""

    cell: Cell
    fractions: tuple[float, ...]
    objective: Objective | None
    tolerance: float

    @property
    def questions(self) -> int:
        """Return the largest number of questions that the search may ask."""
        return most_questions(START_SHARE, 1.0, self.tolerance) if self.objective else 0


def goals_of(matrix: Matrix, cells: Sequence[Cell]) -> tuple[Goal, ...]:
    """Return what the tables demand of the cells that are measured, in the tables' order, each goal once."""
    found = [
        Goal(cell, table.offered, parse_objective(table.slo) if table.slo else None, table.tolerance)
        for table in matrix.table
        if table.mode == "latency"
        for cell in rows_of(table, cells)
        if not cell.twin
    ]
    return tuple(dict.fromkeys(found))


def estimated_s(goals: Sequence[Goal], preset: Preset) -> float:
    """Return the longest time that this may take, in seconds, unless a low rate needs longer for enough samples."""
    return OfferedRates(tuple(goals), preset.blocks.min, 0).whole.seconds


@dataclass(frozen=True)
class OfferedRates:
    """The stage after the blocks: shares of each cell's capacity, then the highest rates that meet objectives.

    In each of `blocks` blocks, every cell is offered every share of its capacity once, in random order.
    """

    goals: tuple[Goal, ...]
    blocks: int
    seed: int

    def following(self, trials: Sequence[Trial]) -> tuple[Slot, ...]:
        """Return the rest of the block to measure next, or the next question of a search."""
        recorded, known = _recorded(trials), self._known(trials)
        position = next_position(trials)
        for block in range(self.blocks):
            wanted = [_slot(cell, offer, block, recorded) for cell, offer in self._offers(known, block)]
            if slots := [slot for slot in wanted if slot is not None]:
                return tuple(replace(slot, position=position + number) for number, slot in enumerate(slots))
        questions = (_search(goal, capacity, recorded).question for goal, capacity in known)
        question = next((slot for slot in questions if slot is not None), None)
        return () if question is None else (replace(question, position=position),)

    def left(self, trials: Sequence[Trial]) -> Left:
        """Return the most that may be left."""
        recorded, known = _recorded(trials), self._known(trials)
        offers = [(block, *offer) for block in range(self.blocks) for offer in self._offers(known, block)]
        paced = [_slot(cell, offer, block, recorded) for block, cell, offer in offers]
        left = sum((Left(1, slot.expected_s) for slot in paced if slot is not None), start=Left(0, 0))
        searches = ((goal, _search(goal, capacity, recorded)) for goal, capacity in known)
        return sum((_search_left(goal, search) for goal, search in searches), start=left)

    @property
    def whole(self) -> Left:
        """Return the most that all goals may take."""
        return sum(map(self._whole_of, self.goals), start=Left(0, 0))

    def _whole_of(self, goal: Goal) -> Left:
        number = len(goal.fractions) * self.blocks + goal.questions
        return Left(number, number * _step_s(goal) + _longer_s(goal))

    def conclusions(self, trials: Sequence[Trial]) -> Iterator[str]:
        """Yield a line for each goal that searches for a rate or cannot be measured: its outcome."""
        recorded, known = _recorded(trials), dict(self._known(trials))
        for goal in self.goals:
            if goal not in known:
                yield f"{goal.cell.slug}: no valid rate when measured alone, so no share of it can be offered"
            elif goal.objective is not None:
                rate = _search(goal, known[goal], recorded).found_per_s
                found = (
                    f"{rate:,.0f} req/s is the highest rate found to meet" if rate else "no rate was confirmed to meet"
                )
                yield f"{goal.cell.slug}: {found} {goal.objective.text}"

    def _known(self, trials: Sequence[Trial]) -> list[tuple[Goal, float]]:
        found = ((goal, capacity_per_s(trials, goal.cell)) for goal in self.goals)
        return [(goal, capacity) for goal, capacity in found if capacity is not None]

    def _offers(self, known: Sequence[tuple[Goal, float]], block: int) -> list[tuple[Cell, Offer]]:
        offers = [(goal.cell, _share(goal, capacity, share)) for goal, capacity in known for share in goal.fractions]
        return random.Random(f"{self.seed}/{block}/paced").sample(offers, len(offers))  # noqa: S311 - an order


def capacity_per_s(trials: Sequence[Trial], cell: Cell) -> float | None:
    """Return the median of a cell's valid rates at full load, measured alone; None without any.

    Once trials were paced by some capacity, it stays the same, so that a resumed run goes on with the same rates.
    """
    known = [trial.capacity_per_s for trial in trials if trial.cell == cell.id and trial.capacity_per_s]
    alone = [
        trial.requests_per_s
        for trial in counting(trials)
        if trial.cell == cell.id and trial.design == "solo" and trial.verdict == "ok" and trial.requests_per_s
    ]
    return known[0] if known else statistics.median(alone) if alone else None


def too_much(checks: Iterable[Check]) -> bool:
    """Return whether the rate was too high for the server or the generator, rather than the machine too busy."""
    return any(check.id in DECISIVE and check.outcome == "fail" for check in checks)


def _share(goal: Goal, capacity: float, share: float) -> Offer:
    return Offer("paced", share * capacity, capacity, goal.cell.load.duration_s, share)


def _recorded(trials: Sequence[Trial]) -> Recorded:
    """Return the trials at offered rates by their question, without a search's rates: those follow from its answers."""
    found: dict[Key, list[Trial]] = {}
    for trial in trials:
        if trial.design in PACED_DESIGNS and trial.verdict != "not run":
            share = round(trial.fraction, 9) if trial.fraction is not None else None
            key = (trial.cell, trial.design, trial.objective, share, trial.block)
            found.setdefault(key, []).append(trial)
    return found


def _answers(cell: Cell, offer: Offer, block: int, recorded: Recorded) -> Sequence[Trial]:
    objective = offer.objective.text if offer.objective else None
    return recorded.get((cell.id, offer.design, objective, round(offer.share, 9), block), ())


def _slot(cell: Cell, offer: Offer, block: int, recorded: Recorded) -> Slot | None:
    """Return the trial that an offer lacks; one that only the machine spoilt is repeated once, but not in a search."""
    answers = _answers(cell, offer, block, recorded)
    spoilt = bool(answers) and answers[-1].verdict != "ok" and not too_much(answers[-1].checks)
    if answers and not (spoilt and len(answers) == 1 and offer.design != "search"):
        return None
    expected_s = trial_s(cell) + RAMP_S + offer.duration_s - cell.load.duration_s
    return Slot((cell.id,), f"{cell.family}/{offer.design}", block, len(answers), 0, offer, expected_s)


@dataclass(frozen=True)
class Search:
    """The state of a search: its next question or, once it has ended, the rate found; and how many it has asked."""

    question: Slot | None
    found_per_s: float | None
    asked: int


def _search(goal: Goal, capacity: float, recorded: Recorded) -> Search:
    """Replay the search with the recorded answers, up to the first question without one."""
    if goal.objective is None:
        return Search(None, None, 0)
    search = highest_rate(START_SHARE * capacity, capacity, goal.tolerance)
    asked, ask = 0, next(search)
    try:
        while True:
            offer = _offer(ask, goal.objective, capacity, goal.cell)
            if slot := _slot(goal.cell, offer, ask.number, recorded):
                return Search(slot, None, asked)
            asked += 1
            ask = search.send(_is_met(_answers(goal.cell, offer, ask.number, recorded)[-1]))
    except StopIteration as end:
        return Search(None, end.value, asked)


def _offer(ask: Ask, objective: Objective, capacity: float, cell: Cell) -> Offer:
    duration_s = step_s(ask, objective, cell.load.duration_s)
    return Offer(ask.purpose, ask.rate_per_s, capacity, duration_s, objective=objective)


def _is_met(trial: Trial) -> bool:
    """Return the answer to a question; a confirmation must be valid to count, a step of the search need not be."""
    return bool(trial.objective_met) and (trial.design != "confirm" or trial.verdict == "ok")


def step_s(ask: Ask, objective: Objective, usual_s: float) -> float:
    """Return how long to generate load, in seconds, so that enough samples lie above the percentile, within limits."""
    confirms = ask.purpose == "confirm"
    least_s = CONFIRM_FACTOR * usual_s if confirms else usual_s
    most_s = max(least_s, LONGEST_S) if confirms else LONGER_STEP * usual_s
    return min(max(least_s, 1.1 * objective.samples / ask.rate_per_s), most_s)


def _search_left(goal: Goal, search: Search) -> Left:
    if search.question is None:
        return Left(0, 0.0)
    number = max(1, goal.questions - search.asked)
    return Left(number, number * _step_s(goal) + _longer_s(goal))


def _step_s(goal: Goal) -> float:
    return trial_s(goal.cell) + RAMP_S


def _longer_s(goal: Goal) -> float:
    """Return how much longer a confirmation is than a step, in seconds."""
    return (CONFIRM_FACTOR - 1) * goal.cell.load.duration_s if goal.objective else 0.0
