"""Objectives, the search for the highest rate, and which trials a table of mode "latency" leads to."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Generator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.errors import BadInput, Interrupted
from runners.matrix.cells import Cell, expand
from runners.matrix.model import Matrix
from runners.matrix.objective import Ask, Objective, highest_rate, most_questions, parse_objective
from runners.matrix.reading import parse_matrix
from runners.plan.order import Slot
from runners.records.folder import read_trials
from runners.records.run import Run
from runners.records.trial import Check, Trial
from runners.run import latency
from runners.run.latency import Goal, capacity_per_s, estimated_s, goals_of, measure_goals
from runners.stats.histogram import encode
from runners.trial.trial import Rig, blanks

MATRIX = """
[suite]
title = "t"

[preset.quick]
warmup = "100ms"
duration = "1s"
blocks = {{ min = 2, max = 4 }}

[machine.local]
threads = [1]
connections = [8]

[server.a]
run = ["a"]

[server.b]
run = ["b"]

[[table]]
title = "Latency"
mode = "{mode}"
rows = ["a"]
{more}
"""


def matrix(more: str = "", mode: str = "latency") -> Matrix:
    """Return a matrix with one table about server a."""
    return parse_matrix(MATRIX.format(mode=mode, more=more))


def cells(of: Matrix) -> list[Cell]:
    """Return all cells of a matrix."""
    return [planned.cell for planned in expand(of, "local", of.preset["quick"], "wrk")]


# ---------------------------------------------------------------- objectives


@pytest.mark.parametrize(
    ("text", "percent", "most_us"),
    [("p99 < 2ms", 99, 1999), ("p99.9<=500us", 99.9, 500), (" p50  <  1s ", 50, 999_999)],
)
def test_an_objective_is_read_as_people_write_it(text: str, percent: float, most_us: int) -> None:
    """With or without blanks, with < or <=, in any unit of time."""
    objective = parse_objective(text)
    assert (objective.percent, objective.most_us) == (percent, most_us)
    assert parse_objective(objective.text) == objective


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("p98 < 2ms", "unknown percentile 'p98'; known: p50, p75, p90, p95, p99, p99.9, p99.99"),
        ("p99 < 2", "write a number with its unit (us, ms, s, m, h), like '10s'"),
        ("p99 > 2ms", "'p99 > 2ms' is not an objective; write a percentile and its limit, like 'p99 < 2ms'"),
        ("p99 < 1us", "no answer takes less than '1us'; latencies are whole microseconds"),
        ("mean < 2ms", "is not an objective"),
    ],
)
def test_a_wrong_objective_is_refused_where_it_stands(text: str, why: str) -> None:
    """With file, line and what to write instead."""
    with pytest.raises(BadInput) as refused:
        matrix(f'slo = "{text}"')
    assert why in str(refused.value)
    assert "matrix.toml:24:" in str(refused.value)


@pytest.mark.parametrize(
    ("more", "mode", "why"),
    [
        ('slo = "p99 < 2ms"', "persistent", '"slo" and "fractions" need mode = "latency"'),
        ('fractions = ["50%"]', "persistent", '"slo" and "fractions" need mode = "latency"'),
        ('fractions = ["50%", "120%"]', "latency", "a fraction of the capacity is above 0% and at most 100%"),
        ("fractions = [0.5]", "latency", "write a number with its unit (%), like '1%'"),
        ('design = "duet"', "latency", 'mode = "latency" measures each row alone'),
        ("slo = 3", "latency", "is not an objective"),
    ],
)
def test_what_does_not_go_together_is_refused(more: str, mode: str, why: str) -> None:
    """Before anything runs."""
    with pytest.raises(BadInput) as refused:
        matrix(more, mode)
    assert why in str(refused.value)


def test_an_objective_is_met_by_the_share_it_names() -> None:
    """Exactly 99 % below the limit do; an empty histogram says nothing."""
    objective = parse_objective("p99 < 2ms")
    assert objective.met_by({1999: 99, 2000: 1})
    assert not objective.met_by({1999: 98, 2000: 2})
    assert not objective.met_by({})
    assert objective.samples == 1000


# ---------------------------------------------------------------- the search


def ask_all(
    search: Generator[Ask, bool, float | None], oracle: Callable[[Ask], bool]
) -> tuple[float | None, list[Ask]]:
    """Answer every question of a search; return what it found and what it asked."""
    asked = [next(search)]
    try:
        while True:
            asked.append(search.send(oracle(asked[-1])))
    except StopIteration as end:
        return end.value, asked


shares = st.floats(1e-6, 4.0)
tolerances = st.floats(0.005, 0.5)


@given(shares, tolerances)
def test_the_search_finds_a_known_threshold(share: float, tolerance: float) -> None:
    """Below it, and no further below than asked; or the ceiling; or nothing where even the lowest rate fails."""
    ceiling, threshold = 1000.0, share * 1000
    found, asked = ask_all(highest_rate(ceiling / 16, ceiling, tolerance), lambda ask: ask.rate_per_s <= threshold)
    lowest = ceiling / 16 / 2**6
    if threshold < lowest:
        assert found is None
    elif threshold >= ceiling:
        assert found == ceiling
    else:
        assert found is not None
        assert found <= threshold < found * (1 + tolerance) * (1 + 1e-9)
        assert asked[-1] == Ask("confirm", found, 0)
    assert all(0 < ask.rate_per_s <= ceiling for ask in asked)


@given(st.integers(0, 2**32), st.floats(0, 1), tolerances, st.floats(1e-3, 1e3))
def test_the_search_ends_whatever_it_is_told(seed: int, share: float, tolerance: float, start: float) -> None:
    """Random answers contradict each other; what is found was confirmed all the same."""
    chance = random.Random(seed)  # noqa: S311 - a test's oracle
    told: list[bool] = []

    def oracle(_ask: Ask) -> bool:
        told.append(chance.random() < share)
        return told[-1]

    found, asked = ask_all(highest_rate(start, 1000.0, tolerance), oracle)
    assert len(asked) <= most_questions(start, 1000.0, tolerance)
    assert (found is not None) == (asked[-1].purpose == "confirm" and told[-1])
    assert found is None or found == asked[-1].rate_per_s


@given(st.integers(0, 2**32), st.floats(0.1, 0.9))
def test_noise_near_the_threshold_moves_the_answer_little(seed: int, share: float) -> None:
    """Where answers are only random within 10 % of the threshold, what is found lies in or just below that band."""
    chance = random.Random(seed)  # noqa: S311 - a test's oracle
    threshold = share * 1000

    def oracle(ask: Ask) -> bool:
        share = ask.rate_per_s / threshold
        return share <= 0.9 or (share < 1.1 and chance.random() < 0.5)

    found, _ = ask_all(highest_rate(1000 / 16, 1000.0, 0.02), oracle)
    assert found is None or threshold * 0.8 < found < threshold * 1.1


def test_a_rate_that_is_not_confirmed_is_lowered_a_few_times() -> None:
    """And then none is reported."""
    found, asked = ask_all(highest_rate(1000.0, 1000.0, 0.02), lambda ask: ask.purpose == "search")
    assert [ask.purpose for ask in asked] == ["search", "confirm", "confirm", "confirm"]
    assert [ask.rate_per_s for ask in asked[1:]] == pytest.approx([1000, 950, 902.5])
    assert found is None


def test_the_questions_of_each_purpose_are_numbered() -> None:
    """So that what is recorded is found again."""
    _, asked = ask_all(highest_rate(100.0, 1000.0, 0.1), lambda ask: ask.rate_per_s <= 300)
    steps = [ask.number for ask in asked if ask.purpose == "search"]
    assert steps == list(range(len(steps)))


# ---------------------------------------------------------------- what tables ask for


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
    assert paced_s == pytest.approx(3 * 2 * (0.1 + 1 + 0.2 + 0.5))
    longer_s = estimated_s(goals_of(more, cells(more)), more.preset["quick"])
    assert longer_s > paced_s
    assert math.isfinite(longer_s)


# ---------------------------------------------------------------- measuring, with a server that is a formula


class World:
    """A made-up server: rates above `limit` are not reached, and latency is 1 ms up to `quick` and 50 ms beyond."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, limit: float = 900, quick: float = 640) -> None:
        self.folder, self.limit, self.quick = folder, limit, quick
        self.measured: list[Trial] = []
        self.stop_after = 10**9
        self.spoilt: set[int] = set()
        (folder / "logs").mkdir()
        monkeypatch.setattr(latency, "measure", self.measure)

    def measure(self, of: tuple[Cell, ...], slot: Slot, _place: Rig) -> tuple[Trial, ...]:
        """Stand in for a trial."""
        if len(self.measured) >= self.stop_after:
            raise Interrupted("interrupted (SIGINT)")
        assert slot.offer is not None
        rate = slot.offer.rate_per_s
        reached = rate <= self.limit
        noisy = len(self.measured) in self.spoilt
        checks = (
            Check("V15", "calm", "fail" if noisy else "pass", ""),
            Check("V25", "o", "pass" if reached else "fail", ""),
        )
        (blank,) = blanks(of, slot)
        histogram = {1000 if rate <= self.quick else 50_000: round(rate * slot.offer.duration_s)}
        verdict: Any = "ok" if reached and not noisy else "invalid"
        self.measured.append(replace(blank, verdict=verdict, latency=encode(histogram), checks=checks))
        return (self.measured[-1],)

    def run(self, goals: tuple[Goal, ...], trials: list[Trial], blocks: int = 2) -> tuple[Trial, ...]:
        """Measure goals after trials."""
        place: Any = type("Place", (), {"folder": self.folder})()
        run = Run("measured", "local", blocks_min=blocks, seed=3)
        return measure_goals(goals, run, trials, place, lambda: None)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Return a made-up server in a run folder."""
    return World(tmp_path, monkeypatch)


def solo(cell: Cell, rate: float, block: int, **changes: Any) -> Trial:
    """Return a trial at full load."""
    (blank,) = blanks((cell,), Slot((cell.id,), cell.family, block, 0, block))
    return replace(blank, verdict="ok", requests_per_s=rate, **changes)


def goal_with(slo: str | None = None) -> tuple[Goal, ...]:
    """Return what a table asks of server a."""
    asked = matrix(f'slo = "{slo}"' if slo else "")
    return goals_of(asked, cells(asked))


def test_every_share_is_offered_once_in_each_block(world: World) -> None:
    """Of the median of the valid rates, in a random order, recorded with what was offered."""
    goals = goal_with()
    cell = goals[0].cell
    trials = [solo(cell, 900, 0), solo(cell, 1000, 1), solo(cell, 2000, 2), solo(cell, 9, 3, pair="x")]
    trials[3] = replace(trials[3], design="duet")
    world.run(goals, trials)
    assert sorted((trial.block, trial.fraction) for trial in world.measured) == [
        (block, share) for block in (0, 1) for share in (0.5, 0.7, 0.9)
    ]
    assert {trial.design for trial in world.measured} == {"paced"}
    assert all(trial.offered_per_s == (trial.fraction or 0) * 1000 for trial in world.measured)
    assert {trial.cell for trial in world.measured} == {cell.id}
    assert {trial.load for trial in world.measured} == {"h2load"}
    assert read_trials(world.folder) == tuple(world.measured)


def test_a_cell_without_a_valid_rate_is_not_paced(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """There is nothing of which to take a share; it is said."""
    goals = goal_with()
    bad = replace(solo(goals[0].cell, 100, 0), verdict="invalid")
    caplog.set_level("INFO")
    assert world.run(goals, [bad]) == (bad,)
    assert "no valid rate alone" in caplog.messages[0]


def test_the_rate_that_meets_an_objective_is_searched_and_confirmed(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """The made-up server is quick up to 640 req/s of a capacity of 1,000."""
    caplog.set_level("INFO")
    goals = goal_with("p99 < 2ms")
    world.run(goals, [solo(goals[0].cell, 1000, 0)], blocks=1)
    recorded = read_trials(world.folder)
    steps = [trial for trial in recorded if trial.design == "search"]
    (confirmed,) = [trial for trial in recorded if trial.design == "confirm"]
    assert 640 / 1.02 <= (confirmed.offered_per_s or 0) <= 640
    assert (confirmed.objective, confirmed.objective_met) == ("p99 < 2ms", True)
    assert [trial.objective_met for trial in steps[:5]] == [True, True, True, True, False]
    assert "is the highest rate found with p99 < 2ms" in caplog.messages[-1]


def test_a_confirmation_that_the_machine_spoilt_is_repeated_once(world: World) -> None:
    """A step of the search counts all the same; only what is reported must be valid."""
    goals = goal_with("p99 < 2ms")
    trials = [solo(goals[0].cell, 1000, 0)]
    world.run(goals, trials, blocks=1)
    world.spoilt = {len(world.measured) - 1}
    world.measured.clear()
    (world.folder / "trials.jsonl").unlink()
    world.run(goals, trials, blocks=1)
    confirms = [trial for trial in world.measured if trial.design == "confirm"]
    assert [(trial.verdict, trial.attempt) for trial in confirms] == [("invalid", 0), ("ok", 1)]
    assert confirms[0].offered_per_s == confirms[1].offered_per_s


@pytest.mark.parametrize("after", range(0, 17, 2))
def test_an_interrupted_search_goes_on_where_it_was(world: World, after: int) -> None:
    """The trial under way is recorded as not run; nothing is measured twice, and the answer is the same."""
    goals = goal_with("p99 < 2ms")
    trials = [solo(goals[0].cell, 1000, 0)]
    world.stop_after = after
    with pytest.raises(Interrupted):
        world.run(goals, trials)
    recorded = [*trials, *read_trials(world.folder)]
    assert recorded[-1].verdict == "not run"
    assert len(world.measured) == after
    world.stop_after = 10**9
    world.run(goals, recorded)
    keys = [(trial.design, trial.block, trial.fraction, trial.attempt) for trial in world.measured]
    assert len(set(keys)) == len(keys)
    assert 640 / 1.02 <= (world.measured[-1].offered_per_s or 0) <= 640


def test_a_capacity_once_used_stays(world: World) -> None:
    """Else a resumed run would offer other rates than before."""
    goals = goal_with()
    cell = goals[0].cell
    paced = replace(solo(cell, 500, 0), design="paced", capacity_per_s=1000.0)
    assert capacity_per_s([solo(cell, 3000, 0), paced], cell) == 1000
    assert world.run((), [paced]) == (paced,)


def test_steps_are_as_long_as_their_samples_need_within_limits() -> None:
    """A search's step grows five-fold at most, a confirmation lasts up to 30 s."""
    objective: Objective = parse_objective("p99 < 2ms")
    lengths: Mapping[tuple[str, float], float] = {
        ("search", 10_000.0): 1.0, ("search", 500.0): 2.2, ("search", 10.0): 5.0,
        ("confirm", 10_000.0): 3.0, ("confirm", 100.0): 11.0, ("confirm", 1.0): 30.0,
    }  # fmt: skip
    for (purpose, rate), length in lengths.items():
        ask = Ask("confirm" if purpose == "confirm" else "search", rate, 0)
        assert latency.step_s(ask, objective, 1.0) == pytest.approx(length)
