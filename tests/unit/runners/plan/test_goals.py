"""What a table of mode "latency" asks for, and which trials that leads to, with a server that is a formula."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from runners.matrix.cells import Cell
from runners.matrix.objective import Ask, Objective, parse_objective
from runners.plan.goals import OfferedRates, capacity_per_s, estimated_s, goals_of, step_s
from runners.plan.order import Slot
from runners.records.trial import Check, Trial
from runners.trial.trial import blanks
from tests.support.latency_matrix import cells, matrix


def test_a_latency_table_offers_three_shares_unless_it_says_otherwise() -> None:
    """Over persistent connections, its twin left out; equal goals of several tables are one."""
    asked = matrix()
    (goal,) = goals_of(asked, [*cells(asked), replace(cells(asked)[0], twin=True)])
    assert (goal.cell.program.name, goal.cell.mode) == ("a", "persistent")
    assert (goal.fractions, goal.objective) == ((0.5, 0.7, 0.9), None)
    other = matrix('fractions = ["25%"]\nslo = "p90 <= 1ms"\ntolerance = "5%"')
    (goal,) = goals_of(other, cells(other))
    assert (goal.fractions, goal.objective, goal.tolerance) == ((0.25,), parse_objective("p90 <= 1ms"), 0.05)
    plain = matrix(mode="persistent")
    assert goals_of(plain, cells(plain)) == ()


def test_the_time_is_bounded_before_anything_runs() -> None:
    """Shares times least blocks; with an objective at most so many questions, and a longer confirmation."""
    asked, more = matrix(), matrix('slo = "p99 < 2ms"')
    paced_s = estimated_s(goals_of(asked, cells(asked)), asked.preset["quick"])
    assert paced_s == pytest.approx(3 * 2 * (0.1 + 1 + 0.2 + 1.0))
    longer_s = estimated_s(goals_of(more, cells(more)), more.preset["quick"])
    assert longer_s > paced_s
    assert math.isfinite(longer_s)


class World:
    """A made-up server: rates above `limit` are not reached, and latency is 1 ms up to `quick` and 50 ms beyond."""

    def __init__(self, limit: float = 900, quick: float = 640) -> None:
        self.limit, self.quick = limit, quick
        self.measured: list[Trial] = []
        self.stop_after = 10**9
        self.spoilt: set[int] = set()

    def measure(self, cell: Cell, slot: Slot) -> Trial:
        """Stand in for a trial."""
        assert slot.offer is not None
        rate, objective = slot.offer.rate_per_s, slot.offer.objective
        reached = rate <= self.limit
        noisy = len(self.measured) in self.spoilt
        checks = (
            Check("V15", "calm", "fail" if noisy else "pass", ""),
            Check("V25", "o", "pass" if reached else "fail", ""),
        )
        (blank,) = blanks((cell,), slot)
        histogram = {1000 if rate <= self.quick else 50_000: round(rate * slot.offer.duration_s)}
        return replace(
            blank,
            verdict="ok" if reached and not noisy else "invalid",
            checks=checks,
            objective_met=reached and objective.met_by(histogram) if objective else None,
        )

    def run(self, stage: OfferedRates, trials: Sequence[Trial]) -> list[Trial]:
        """Measure what a stage asks for, until it is enough or the world stops; return all trials."""
        found = list(trials)
        cells = {goal.cell.id: goal.cell for goal in stage.goals}
        while slots := stage.following(found):
            for slot in slots:
                if len(self.measured) >= self.stop_after:
                    return found
                self.measured.append(self.measure(cells[slot.cells[0]], slot))
                found.append(self.measured[-1])
        return found


def solo(cell: Cell, rate: float, block: int, **changes: Any) -> Trial:
    """Return a trial at full load."""
    (blank,) = blanks((cell,), Slot((cell.id,), cell.family, block, 0, block))
    return replace(blank, verdict="ok", requests_per_s=rate, **changes)


def stage_with(slo: str | None = None, blocks: int = 2) -> OfferedRates:
    """Return what a table asks of server a."""
    asked = matrix(f'slo = "{slo}"' if slo else "")
    return OfferedRates(goals_of(asked, cells(asked)), blocks, 3)


def test_every_share_is_offered_once_in_each_block() -> None:
    """Of the median of the valid rates alone, in a random order, recorded with what was offered."""
    world, stage = World(), stage_with()
    cell = stage.goals[0].cell
    trials = [solo(cell, rate, block) for block, rate in enumerate((900, 1000, 2000))]
    beside = solo(cell, 9, 3, pair=(cell.id, "x"), design="duet")
    world.run(stage, [*trials, beside])
    assert sorted((trial.block, trial.fraction) for trial in world.measured) == [
        (block, share) for block in (0, 1) for share in (0.5, 0.7, 0.9)
    ]
    assert {trial.design for trial in world.measured} == {"paced"}
    assert all(trial.offered_per_s == (trial.fraction or 0) * 1000 for trial in world.measured)
    assert {trial.cell for trial in world.measured} == {cell.id}
    assert {trial.load for trial in world.measured} == {"h2load"}


def test_a_cell_without_a_valid_rate_is_not_paced() -> None:
    """There is nothing of which to take a share; it is said."""
    stage = stage_with()
    bad = replace(solo(stage.goals[0].cell, 100, 0), verdict="invalid")
    assert World().run(stage, [bad]) == [bad]
    assert "no valid rate when measured alone" in next(stage.conclusions([bad]))
    assert stage.left([bad]).items == 0


def test_the_rate_that_meets_an_objective_is_searched_and_confirmed() -> None:
    """The made-up server is quick up to 640 req/s of a capacity of 1,000."""
    stage = stage_with("p99 < 2ms", blocks=1)
    recorded = World().run(stage, [solo(stage.goals[0].cell, 1000, 0)])
    steps = [trial for trial in recorded if trial.design == "search"]
    (confirmed,) = [trial for trial in recorded if trial.design == "confirm"]
    assert 640 / 1.02 <= (confirmed.offered_per_s or 0) <= 640
    assert (confirmed.objective, confirmed.objective_met) == ("p99 < 2ms", True)
    assert [trial.objective_met for trial in steps[:5]] == [True, True, True, True, False]
    assert "is the highest rate found to meet p99 < 2ms" in next(stage.conclusions(recorded))


def test_a_share_that_the_machine_spoilt_is_offered_once_more() -> None:
    """In the same block; a rate that is too high is not."""
    world, stage = World(limit=800), stage_with(blocks=1)
    world.spoilt = {0}
    world.run(stage, [solo(stage.goals[0].cell, 1000, 0)])
    offered = [(trial.fraction, trial.attempt, trial.verdict) for trial in world.measured]
    spoilt = offered[0][0]
    assert (spoilt, 1) in {(fraction, attempt) for fraction, attempt, _ in offered}
    assert all(attempt == 0 for fraction, attempt, _ in offered if fraction != spoilt)


def test_a_confirmation_that_the_machine_spoilt_is_repeated_once() -> None:
    """A step of the search counts all the same; only what is reported must be valid."""
    stage = stage_with("p99 < 2ms", blocks=1)
    trials = [solo(stage.goals[0].cell, 1000, 0)]
    first = World()
    first.run(stage, trials)
    world = World()
    world.spoilt = {len(first.measured) - 1}
    world.run(stage, trials)
    confirms = [trial for trial in world.measured if trial.design == "confirm"]
    assert [(trial.verdict, trial.attempt) for trial in confirms] == [("invalid", 0), ("ok", 1)]
    assert confirms[0].offered_per_s == confirms[1].offered_per_s


@pytest.mark.parametrize("after", range(0, 17, 2))
def test_a_search_that_was_cut_short_goes_on_where_it_was(after: int) -> None:
    """Nothing is measured twice, and the answer is the same."""
    world, stage = World(), stage_with("p99 < 2ms")
    world.stop_after = after
    recorded = world.run(stage, [solo(stage.goals[0].cell, 1000, 0)])
    assert len(world.measured) == after
    world.stop_after = 10**9
    world.run(stage, recorded)
    keys = [(trial.design, trial.block, trial.fraction, trial.attempt) for trial in world.measured]
    assert len(set(keys)) == len(keys)
    assert 640 / 1.02 <= (world.measured[-1].offered_per_s or 0) <= 640


def test_what_is_left_is_never_less_than_what_comes() -> None:
    """The items that a person is told of beforehand are an upper bound at every moment, and end at none."""
    world, stage = World(), stage_with("p99 < 2ms")
    trials = [solo(stage.goals[0].cell, 1000, 0)]
    whole = world.run(stage, trials)
    assert stage.whole.items >= stage.left(trials).items
    for done in range(1, len(whole) + 1):
        assert stage.left(whole[:done]).items >= len(whole) - done
    assert stage.left(whole).items == 0


def test_a_capacity_once_used_stays() -> None:
    """Else a resumed run would offer other rates than before."""
    cell = stage_with().goals[0].cell
    paced = replace(solo(cell, 500, 0), design="paced", capacity_per_s=1000.0)
    assert capacity_per_s([solo(cell, 3000, 0), paced], cell) == 1000


def test_steps_are_as_long_as_their_samples_need_within_limits() -> None:
    """A search's step grows five-fold at most, a confirmation lasts up to 30 s."""
    objective: Objective = parse_objective("p99 < 2ms")
    lengths: Mapping[tuple[str, float], float] = {
        ("search", 10_000.0): 1.0, ("search", 500.0): 2.2, ("search", 10.0): 5.0,
        ("confirm", 10_000.0): 3.0, ("confirm", 100.0): 11.0, ("confirm", 1.0): 30.0,
    }  # fmt: skip
    for (purpose, rate), length in lengths.items():
        ask = Ask("confirm" if purpose == "confirm" else "search", rate, 0)
        assert step_s(ask, objective, 1.0) == pytest.approx(length)
