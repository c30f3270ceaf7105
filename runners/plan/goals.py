"""Latency under a given load: which rates are offered to which cells next, and what their trials answer. Pure.

They come after the blocks in which rows were measured alone, since those tell the capacity: the median of the valid
rates. What is recorded is not measured again, and a search goes on where it was: its questions follow from the answers.
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
from runners.plan.scheduling import Left
from runners.records.trial import PACED_DESIGNS, Check, Trial
from runners.stats.comparison import counting

START_SHARE = 1 / 16  # of the capacity, where the search begins
CONFIRM_FACTOR = 3  # a confirmation is so many times longer than a step
LONGER_STEP = 5  # times as long a step of the search may be, where the rate is low
LONGEST_S = 30.0  # the same for a confirmation
RAMP_S = 0.5  # until all connections are open, and the end of what is owed; roughly
DECISIVE = frozenset({"V0", "V1", "V2", "V3", "V25"})  # what may say that a rate is too high; others are the machine's

Key = tuple[str, str | None, str | None, float | None, int | None]
Recorded = Mapping[Key, Sequence[Trial]]


@dataclass(frozen=True)
class Goal:
    """What a table of mode "latency" asks of one cell."""

    cell: Cell
    fractions: tuple[float, ...]
    objective: Objective | None
    tolerance: float

    @property
    def questions(self) -> int:
        """Return how many questions the search asks at most."""
        return most_questions(START_SHARE, 1.0, self.tolerance) if self.objective else 0


def goals_of(matrix: Matrix, cells: Sequence[Cell]) -> tuple[Goal, ...]:
    """Return what the tables ask of the cells that are measured, in the tables' order, each once."""
    found = [
        Goal(cell, table.offered, parse_objective(table.slo) if table.slo else None, table.tolerance)
        for table in matrix.table
        if table.mode == "latency"
        for cell in rows_of(table, cells)
        if not cell.twin
    ]
    return tuple(dict.fromkeys(found))


def estimated_s(goals: Sequence[Goal], preset: Preset) -> float:
    """Return how long all this takes at most, in seconds, unless a low rate needs longer for enough samples."""
    return OfferedRates(tuple(goals), preset.blocks.min, 0).whole.seconds


@dataclass(frozen=True)
class OfferedRates:
    """The stage after the blocks: shares of each cell's capacity, then the highest rates that meet objectives.

    In each of `blocks` blocks every cell meets every share of its capacity once, in a random order.
    """

    goals: tuple[Goal, ...]
    blocks: int
    seed: int

    def following(self, trials: Sequence[Trial]) -> tuple[Slot, ...]:
        """Return what is left of the block to measure next, or the next question of a search."""
        recorded, known = _recorded(trials), self._known(trials)
        position = sum(trial.verdict != "not run" for trial in trials)
        for block in range(self.blocks):
            wanted = [_slot(cell, offer, block, recorded) for cell, offer in self._offers(known, block)]
            if slots := [slot for slot in wanted if slot is not None]:
                return tuple(replace(slot, position=position + number) for number, slot in enumerate(slots))
        questions = (_search(goal, capacity, recorded).question for goal, capacity in known)
        question = next((slot for slot in questions if slot is not None), None)
        return () if question is None else (replace(question, position=position),)

    def left(self, trials: Sequence[Trial]) -> Left:
        """Return what is left at most."""
        recorded, known = _recorded(trials), self._known(trials)
        offers = [(block, *offer) for block in range(self.blocks) for offer in self._offers(known, block)]
        paced = [_slot(cell, offer, block, recorded) for block, cell, offer in offers]
        left = sum((Left(1, slot.expected_s) for slot in paced if slot is not None), start=Left(0, 0))
        searches = ((goal, _search(goal, capacity, recorded)) for goal, capacity in known)
        return sum((_search_left(goal, search) for goal, search in searches), start=left)

    @property
    def whole(self) -> Left:
        """Return what all goals come to at most."""
        return sum(map(self._whole_of, self.goals), start=Left(0, 0))

    def _whole_of(self, goal: Goal) -> Left:
        number = len(goal.fractions) * self.blocks + goal.questions
        return Left(number, number * _step_s(goal) + _longer_s(goal))

    def conclusions(self, trials: Sequence[Trial]) -> Iterator[str]:
        """Yield what became of each goal that asks for a rate or cannot be measured, in a line."""
        recorded, known = _recorded(trials), dict(self._known(trials))
        for goal in self.goals:
            if goal not in known:
                yield f"{goal.cell.slug}: no valid rate alone, so there is no share of it to offer"
            elif goal.objective is not None:
                rate = _search(goal, known[goal], recorded).found_per_s
                found = f"{rate:,.0f} req/s is the highest rate found with" if rate else "no rate was confirmed with"
                yield f"{goal.cell.slug}: {found} {goal.objective.text}"

    def _known(self, trials: Sequence[Trial]) -> list[tuple[Goal, float]]:
        found = ((goal, capacity_per_s(trials, goal.cell)) for goal in self.goals)
        return [(goal, capacity) for goal, capacity in found if capacity is not None]

    def _offers(self, known: Sequence[tuple[Goal, float]], block: int) -> list[tuple[Cell, Offer]]:
        offers = [(goal.cell, _share(goal, capacity, share)) for goal, capacity in known for share in goal.fractions]
        return random.Random(f"{self.seed}/{block}/paced").sample(offers, len(offers))  # noqa: S311 - an order


def capacity_per_s(trials: Sequence[Trial], cell: Cell) -> float | None:
    """Return the median of a cell's valid rates at full load, alone; None where it has none.

    Once trials were paced by a capacity it stays that, so that a run that is resumed goes on with the same rates.
    """
    known = [trial.capacity_per_s for trial in trials if trial.cell == cell.id and trial.capacity_per_s]
    alone = [
        trial.requests_per_s
        for trial in counting(trials)
        if trial.cell == cell.id and trial.design == "solo" and trial.verdict == "ok" and trial.requests_per_s
    ]
    return known[0] if known else statistics.median(alone) if alone else None


def too_much(checks: Iterable[Check]) -> bool:
    """Return whether the server or the generator did not cope, rather than the machine being busy otherwise."""
    return any(check.id in DECISIVE and check.outcome == "fail" for check in checks)


def _share(goal: Goal, capacity: float, share: float) -> Offer:
    return Offer("paced", share * capacity, capacity, goal.cell.load.duration_s, share)


def _recorded(trials: Sequence[Trial]) -> Recorded:
    """Return the trials at offered rates by what they were asked; rates of a search follow from the answers before."""
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
    """Return the trial that an offer still lacks; what only the machine spoilt is repeated once, but for a search."""
    answers = _answers(cell, offer, block, recorded)
    spoilt = bool(answers) and answers[-1].verdict != "ok" and not too_much(answers[-1].checks)
    if answers and not (spoilt and len(answers) == 1 and offer.design != "search"):
        return None
    expected_s = trial_s(cell) + RAMP_S + offer.duration_s - cell.load.duration_s
    return Slot((cell.id,), f"{cell.family}/{offer.design}", block, len(answers), 0, offer, expected_s)


@dataclass(frozen=True)
class Search:
    """How far a search is: its next question or, once it has ended, the rate found; how often it asked so far."""

    question: Slot | None
    found_per_s: float | None
    asked: int


def _search(goal: Goal, capacity: float, recorded: Recorded) -> Search:
    """Ask anew, and answer from what is recorded."""
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
    """Return the answer to a question: what a confirmation says must be valid, a step of the search need not be."""
    return bool(trial.objective_met) and (trial.design != "confirm" or trial.verdict == "ok")


def step_s(ask: Ask, objective: Objective, usual_s: float) -> float:
    """Return how long to load, in seconds, so that enough samples lie above the percentile, within limits."""
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
    """Return by how much a confirmation is longer than a step, in seconds."""
    return (CONFIRM_FACTOR - 1) * goal.cell.load.duration_s if goal.objective else 0.0
