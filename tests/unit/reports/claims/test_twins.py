"""The twin (V23): what a server shows against itself is bias, and only what exceeds that is called."""

from __future__ import annotations

import dataclasses
import random

import pytest

from reports.forms.page.html import render_report
from reports.tables.tables import TableModel, build_tables
from reports.trust.notices import notices
from reports.view.rows import Row
from reports.view.view import view_run
from runners.records.run import Run, RunFolder
from runners.stats.comparison import twin_floor
from runners.stats.statistics import Answer
from tests.support.small_run import FAMILY, small_run

SPEEDS = {"slow": 1.0, "fast": 1.5}


def table(folder: RunFolder) -> TableModel:
    """Return the one table of a small run."""
    return build_tables(view_run(folder))[0]


def answers(folder: RunFolder) -> list[Answer | None]:
    """Return every verdict in the table."""
    return [decision.answer for decision in table(folder).decisions.values()]


def test_a_calm_family_is_ranked_and_its_noise_floor_is_said() -> None:
    """A server that equals itself within 0.1 % lets half as much again be called faster."""
    folder = small_run(SPEEDS)
    family = view_run(folder).families[FAMILY]

    assert answers(folder) == ["faster"]
    assert family.rate is not None
    assert family.rate.check.outcome == "pass"
    assert "Noise floor</b>, from the baseline and its twin (check V23): slow ±0." in render_report([folder])
    (note,) = (notice.text for notice in notices(view_run(folder)) if notice.text.startswith("Noise floor"))
    assert note.startswith("Noise floor, from baselines measured twice: ±0.")
    assert note.endswith("Each table has its own.")


def test_a_twin_that_differs_from_itself_raises_the_margin() -> None:
    """The twin is 5 % faster: 50 % more is still faster, 4 % more is not; notice and footnotes say why."""
    folder = small_run({**SPEEDS, "near": 1.04}, twin=1.05)
    page = render_report([folder])

    assert answers(folder) == ["faster", "not resolved"]
    assert "beyond ±5.2 %" in table(folder).level_note
    assert "the baseline differed from itself by up to 5.2 % (check V23). Only larger differences are called" in page
    assert "slow ±5.2 % (it differs from itself: the margin is that wide) by rate" in page


def test_a_wide_twin_passes_since_each_row_has_its_own_noise() -> None:
    """A twin that equals itself only within some 30 % does not hide a row that is ten times as fast."""
    folder = small_run({"slow": 1.0, "fast": 10.0}, noise=0.3)
    floor = view_run(folder).families[FAMILY].rate

    assert floor is not None
    assert floor.check.outcome == "pass"
    assert floor.reach is not None
    assert floor.reach > 0.2
    assert answers(folder) == ["faster"]


def test_a_matrix_recorded_with_a_limit_for_the_twin_can_still_be_read() -> None:
    """Earlier versions ranked nothing beyond [validity] twin; the key decides nothing any more."""
    folder = small_run(SPEEDS)
    old = dataclasses.replace(folder.run, matrix=f'{folder.run.matrix}\n[validity]\ntwin = "10%"\n')

    assert answers(dataclasses.replace(folder, run=old)) == ["faster"]


@pytest.mark.parametrize(("blocks", "twin", "words"), [(5, 1.0, "fewer than 6"), (8, None, "no twin was measured")])
def test_an_unknown_noise_floor_is_said(blocks: int, twin: float | None, words: str) -> None:
    """Too few blocks, or a preset without twins."""
    floor = view_run(small_run(SPEEDS, blocks=blocks, twin=twin)).families[FAMILY].rate

    assert floor is not None
    assert floor.check.outcome == "unknown"
    assert words in floor.check.saw
    assert floor.bias == 0


def test_a_twin_is_never_a_row() -> None:
    """It is the same cell under another name; the fold of its trials says so."""
    folder = small_run(SPEEDS)

    assert [row.label for row in table(folder).rows if isinstance(row, Row)] == ["slow", "fast"]
    assert 'id="cell-slow-twin-t1-c64-persistent-0"' in render_report([folder])


def test_a_server_like_its_twin_is_rarely_said_to_differ() -> None:
    """A thousand simulated families of eight blocks, noise 2 %: the exact interval misses 1 in 5 % at most."""
    chance = random.Random(3)  # noqa: S311 - a simulation that must repeat
    floors = [twin_floor([chance.gauss(0, 0.02) for _ in range(8)]) for _ in range(1000)]

    assert sum(floor.bias > 0 for floor in floors) / 1000 < 0.06


def ended_by(run: Run, bound: str | None) -> Run:
    """Return the run with another bound that ended its families."""
    return dataclasses.replace(
        run, families=tuple(dataclasses.replace(family, ended_by=bound) for family in run.families)
    )


def test_what_ended_a_family_and_what_was_repeated_is_said() -> None:
    """The bound, the blocks, and those measured again because a trial was invalid."""
    folder = small_run(SPEEDS, blocks=8)
    again = tuple(dataclasses.replace(trial, attempt=1) for trial in folder.trials if trial.block == 3)
    run = dataclasses.replace(ended_by(folder.run, "precision"), precision=0.01)
    page = render_report([dataclasses.replace(folder, run=run, trials=folder.trials + again)])

    assert "8 blocks (1 repeated, since a trial did not count), ended once every ratio was known to ±1 %." in page
    assert "ended by the time budget of 10m00s" in render_report(
        [dataclasses.replace(folder, run=dataclasses.replace(ended_by(run, "time budget"), budget_s=600))]
    )


@pytest.mark.parametrize(("done", "seen", "answer"), [(11, 0, None), (15, 12, "faster"), (20, 20, "faster")])
def test_while_a_run_goes_on_verdicts_wait_for_its_looks(done: int, seen: int, answer: Answer | None) -> None:
    """12 to 40 blocks: nothing is said before the twelfth, and fifteen say what twelve said."""
    folder = small_run(SPEEDS, blocks=40)
    run = dataclasses.replace(ended_by(folder.run, None), blocks=40, blocks_min=12)
    trials = tuple(trial for trial in folder.trials if (trial.block or 0) < done)
    (decision,) = table(dataclasses.replace(folder, run=run, trials=trials)).decisions.values()

    assert (decision.estimate.count if decision.estimate else 0, decision.answer) == (seen, answer)
    assert decision.rule is not None
    assert decision.rule.looks == 3
    assert decision.why == ("" if seen else "not enough blocks yet")
