"""The twin gate (V23): what a server shows against itself decides whether others may be ranked."""

from __future__ import annotations

import dataclasses
import random

import pytest

from reports.forms.html import render_report
from reports.tables.tables import TableModel, build_tables
from reports.trust.notices import notices
from reports.view.rows import Row
from reports.view.view import view_run
from runners.records.run import Run, RunFolder
from runners.stats.comparison import twin_floor
from tests.support.small_run import FAMILY, small_run

SPEEDS = {"slow": 1.0, "fast": 1.5}


def table(folder: RunFolder) -> TableModel:
    """Return the one table of a small run."""
    return build_tables(view_run(folder))[0]


def answers(folder: RunFolder) -> list[str]:
    """Return every verdict by rate in the table, why there is none where there is none."""
    return [
        row.comparison.judgement.answer if row.comparison.judgement else row.comparison.unranked
        for row in table(folder).measured
        if row.comparison
    ]


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


def test_a_twin_that_differs_from_itself_stops_all_ranking() -> None:
    """The twin is 5 % faster: nothing is faster or slower, and headline, notice and footnote say the noise floor."""
    folder = small_run(SPEEDS, twin=1.05)
    page = render_report([folder])

    assert answers(folder) == ["the baseline differed from itself by up to 5.1 %"]
    assert table(folder).places == {}
    assert table(folder).headline == (
        "Nothing is ranked: the baseline differed from itself by up to 5.1 %, so smaller differences cannot be seen"
        " here."
    )
    assert "▲ faster" not in page
    assert "Differences under 5.1 % cannot be seen in this run: the baseline differed from itself by up to that" in page
    assert "slow ±5.1 % (nothing is ranked) by rate" in page


def test_a_noise_floor_that_is_too_wide_stops_all_ranking() -> None:
    """A twin that equals itself only within some 30 % proves nothing, even where another row is ten times as fast."""
    folder = small_run({"slow": 1.0, "fast": 10.0}, noise=0.3)
    floor = view_run(folder).families[FAMILY].rate

    assert floor is not None
    assert floor.check.outcome == "fail"
    assert floor.check.saw.endswith("wider than allowed")
    assert answers(folder)[0].startswith("the baseline differed from itself by up to ")


def test_the_matrix_says_how_wide_is_too_wide() -> None:
    """[validity] twin = "80%" lets the same noise pass."""
    folder = small_run({"slow": 1.0, "fast": 10.0}, noise=0.3)
    wider = dataclasses.replace(folder.run, matrix=folder.run.matrix.replace('twin = "10%"', 'twin = "80%"'))

    assert answers(dataclasses.replace(folder, run=wider)) == ["faster"]


def test_costs_have_a_gate_of_their_own() -> None:
    """Rates too noisy to rank leave the server's CPU time per request, which is not."""
    row = next(row for row in table(small_run(SPEEDS, noise=0.2)).measured if row.comparison)

    assert row.comparison is not None
    assert row.comparison.judgement is None
    assert row.comparison.cost_judgement is not None
    assert row.comparison.cost_judgement.answer == "cheaper"


@pytest.mark.parametrize(("blocks", "twin", "words"), [(5, 1.0, "fewer than 6"), (8, None, "no twin was measured")])
def test_an_unknown_noise_floor_is_said(blocks: int, twin: float | None, words: str) -> None:
    """Too few blocks, or a preset without twins."""
    floor = view_run(small_run(SPEEDS, blocks=blocks, twin=twin)).families[FAMILY].rate

    assert floor is not None
    assert floor.check.outcome == "unknown"
    assert words in floor.check.saw
    assert floor.ranks


def test_a_twin_is_never_a_row() -> None:
    """It is the same cell under another name; the fold of its trials says so."""
    folder = small_run(SPEEDS)

    assert [row.label for row in table(folder).rows if isinstance(row, Row)] == ["slow", "fast"]
    assert 'id="cell-slow-twin-t1-c64-persistent-0"' in render_report([folder])


def test_a_server_like_its_twin_is_rarely_said_to_differ() -> None:
    """A thousand simulated families of eight blocks, noise 2 %: the exact interval misses 1 in 5 % at most."""
    chance = random.Random(3)  # noqa: S311 - a simulation that must repeat
    floors = [twin_floor([chance.gauss(0, 0.02) for _ in range(8)], 1.0) for _ in range(1000)]

    assert sum(not floor.ranks for floor in floors) / 1000 < 0.05


def ended_by(run: Run, bound: str) -> Run:
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
