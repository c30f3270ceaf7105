"""Latency under a given load: trials at shares of each row's capacity, and the highest rate that meets an objective.

They come after the blocks in which rows were measured alone, since those tell the capacity: the median of the valid
rates. Every trial has a fresh server and is recorded before the next begins; what is recorded is not measured again,
and the search goes on where it was.
"""

from __future__ import annotations

import logging
import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from runners.errors import Interrupted
from runners.matrix.cells import Cell
from runners.matrix.model import Matrix, Preset
from runners.matrix.objective import Ask, Objective, highest_rate, most_questions, parse_objective
from runners.plan.order import Offer, Slot, trial_s
from runners.plan.pairing import rows_of
from runners.records import folder
from runners.records.run import Run
from runners.records.trial import Trial
from runners.stats.comparison import counting
from runners.stats.histogram import decode, percentile_us
from runners.trial.trial import Rig, blanks, measure

log = logging.getLogger(__name__)

DESIGNS = frozenset({"paced", "search", "confirm"})
START_SHARE = 1 / 16  # of the capacity, where the search begins
CONFIRM_FACTOR = 3  # a confirmation is so many times longer than a step
LONGER_STEP = 5  # times as long a step of the search may be, where the rate is low
LONGEST_S = 30.0  # the same for a confirmation
RAMP_S = 0.5  # until all connections are open, and the end of what is owed; roughly
DECISIVE = frozenset({"V0", "V1", "V2", "V3", "V25"})  # what may say that a rate is too high; others are the machine's


@dataclass(frozen=True)
class Goal:
    """What a table of mode "latency" asks of one cell."""

    cell: Cell
    fractions: tuple[float, ...]
    objective: Objective | None
    tolerance: float


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
    return sum(_goal_s(goal, preset.blocks.min) for goal in goals)


def _goal_s(goal: Goal, blocks: int) -> float:
    each_s = trial_s(goal.cell) + RAMP_S
    paced_s = len(goal.fractions) * blocks * each_s
    if goal.objective is None:
        return paced_s
    longer_s = (CONFIRM_FACTOR - 1) * goal.cell.load.duration_s
    return paced_s + most_questions(START_SHARE, 1.0, goal.tolerance) * each_s + longer_s


def is_paced(trial: Trial) -> bool:
    """Return whether a trial was offered a rate; it says nothing about how fast a server can be."""
    return trial.design in DESIGNS


def apart(trials: Sequence[Trial]) -> tuple[list[Trial], list[Trial]]:
    """Return the trials at full load, and those that were offered a rate."""
    return [trial for trial in trials if not is_paced(trial)], [trial for trial in trials if is_paced(trial)]


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


Key = tuple[str, str | None, str | None, float | None, int | None, int]


def _key(trial: Trial) -> Key:
    """Return by what a recorded trial is found again; rates of a search follow from the answers before."""
    share = round(trial.fraction, 9) if trial.fraction is not None else None
    return trial.cell, trial.design, trial.objective, share, trial.block, trial.attempt


@dataclass
class Bench:
    """Measures what is not recorded yet, and tells it."""

    rig: Rig
    recorded: list[Trial]
    done: dict[Key, Trial] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Know what is recorded."""
        self.done = {_key(trial): trial for trial in self.recorded if is_paced(trial) and trial.verdict != "not run"}

    def settled(self, cell: Cell, offer: Offer, block: int) -> Trial:
        """Return the trial of an offer; one that only the machine spoilt is repeated once."""
        trial = self.trial(cell, offer, block)
        return (
            self.trial(cell, offer, block, attempt=1) if trial.verdict == "invalid" and not _too_much(trial) else trial
        )

    def trial(self, cell: Cell, offer: Offer, block: int, attempt: int = 0) -> Trial:
        """Return the trial of an offer, measured now unless it is recorded."""
        position = sum(1 for trial in self.recorded if trial.verdict != "not run")
        slot = Slot((cell.id,), f"{cell.family}/{offer.design}", block, attempt, position, offer)
        (blank,) = blanks((cell,), slot)
        if (found := self.done.get(_key(blank))) is not None:
            return found
        try:
            (trial,) = measure((cell,), slot, self.rig)
        except Interrupted as error:
            self.record(replace(blank, reason=str(error)))
            raise
        trial = replace(trial, objective_met=_meets(trial, offer.objective) if offer.objective else None)
        self.record(trial)
        log.info(line_of(trial, offer))
        return trial

    def record(self, trial: Trial) -> None:
        """Write a trial down."""
        folder.append_trial(self.rig.folder, trial)
        self.recorded.append(trial)
        self.done[_key(trial)] = trial


def _meets(trial: Trial, objective: Objective) -> bool:
    """Return whether the rate was reached without errors and the answers were quick enough."""
    return trial.latency is not None and not _too_much(trial) and objective.met_by(decode(trial.latency))


def _too_much(trial: Trial) -> bool:
    """Return whether the server or the generator did not cope, rather than the machine being busy otherwise."""
    return any(check.id in DECISIVE and check.outcome == "fail" for check in trial.checks)


def measure_goals(
    goals: Sequence[Goal],
    run: Run,
    trials: Sequence[Trial],
    rig: Rig,
    after_block: Callable[[], object],
) -> tuple[Trial, ...]:
    """Measure what the goals still lack; return all trials, those before among them.

    In each block every cell meets every share of its capacity once, in a random order.
    """
    bench = Bench(rig, list(trials))
    known = [(goal, capacity) for goal in goals if (capacity := capacity_per_s(trials, goal.cell)) is not None]
    for goal in goals:
        if capacity_per_s(trials, goal.cell) is None:
            log.info(f"{goal.cell.slug}: no valid rate alone, so there is no share of it to offer")
    offers = [(goal.cell, _share(goal, capacity, share)) for goal, capacity in known for share in goal.fractions]
    for block in range(run.blocks_min):
        for cell, offer in random.Random(f"{run.seed}/{block}/paced").sample(offers, len(offers)):  # noqa: S311 - an order
            bench.settled(cell, offer, block)
        after_block()
    for goal, capacity in known:
        if goal.objective is not None:
            _search(goal, goal.objective, capacity, bench)
            after_block()
    return tuple(bench.recorded)


def _share(goal: Goal, capacity: float, share: float) -> Offer:
    return Offer("paced", share * capacity, capacity, goal.cell.load.duration_s, share)


def _search(goal: Goal, objective: Objective, capacity: float, bench: Bench) -> None:
    """Ask until the search has its answer; a confirmation that the machine spoilt is asked once more."""
    search = highest_rate(START_SHARE * capacity, capacity, goal.tolerance)
    ask, rate = next(search), None
    try:
        while True:
            ask = search.send(_answer(ask, goal, objective, capacity, bench))
    except StopIteration as end:
        rate = end.value
    found = f"{rate:,.0f} req/s is the highest rate found with" if rate else "no rate was confirmed with"
    log.info(f"{goal.cell.slug}: {found} {objective.text}")


def _answer(ask: Ask, goal: Goal, objective: Objective, capacity: float, bench: Bench) -> bool:
    confirms = ask.purpose == "confirm"
    duration_s = step_s(ask, objective, goal.cell.load.duration_s)
    offer = Offer(ask.purpose, ask.rate_per_s, capacity, duration_s, objective=objective)
    if not confirms:
        return bool(bench.trial(goal.cell, offer, ask.number).objective_met)
    trial = bench.settled(goal.cell, offer, ask.number)
    return bool(trial.objective_met) and trial.verdict == "ok"


def step_s(ask: Ask, objective: Objective, usual_s: float) -> float:
    """Return how long to load, in seconds, so that enough samples lie above the percentile, within limits."""
    confirms = ask.purpose == "confirm"
    least_s = CONFIRM_FACTOR * usual_s if confirms else usual_s
    most_s = max(least_s, LONGEST_S) if confirms else LONGER_STEP * usual_s
    return min(max(least_s, 1.1 * objective.samples / ask.rate_per_s), most_s)


def line_of(trial: Trial, offer: Offer) -> str:
    """Return what a paced trial gave in a line."""
    head = f"{trial.cell.split('#')[0]} {offer.design} at {offer.rate_per_s:,.0f} req/s"
    if trial.latency is None:
        return f"{head}: {trial.verdict}: {trial.reason}"
    percents = (offer.objective.percent,) if offer.objective else (50.0, 99.0)
    latency: Mapping[int, int] = decode(trial.latency)
    found = ", ".join(f"p{percent:g} {_shown(percentile_us(latency, percent))}" for percent in percents)
    met = "" if trial.objective_met is None else f" {'meets' if trial.objective_met else 'misses'} {trial.objective}:"
    return f"{head}{met} {found} {'ok' if trial.verdict == 'ok' else f'{trial.verdict}: {trial.reason}'}"


def _shown(us: int | None) -> str:
    return "unknown" if us is None else f"{us / 1000:.3g} ms"
