"""Latency under a given load, beside the closed loop's."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from reports.claims.paced import SearchResult, paced_tables
from reports.forms.markdown import render_markdown
from reports.forms.page.downloads import trials_json
from reports.forms.page.folds import build_folds
from reports.forms.page.html import render_report
from reports.tables.tables import build_tables
from reports.view.view import view_run
from runners.records.run import RunFolder
from runners.records.trial import Trial
from runners.stats.histogram import encode
from tests.support.small_run import small_run

WAITS = {1000: 90_000, 2000: 9_000, 5000: 900, 9000: 100}  # microseconds: requests
CAPACITY_PER_S = 10_000


def paced(one: Trial, design: str, share: float, achieved: float = 1.0, **changes: Any) -> Trial:
    """Return a paced trial of a solo trial's cell at a share of 10,000 requests per second."""
    offered = CAPACITY_PER_S * share
    kept = {
        **vars(one), "design": design, "family": f"{one.family}/paced", "requests_per_s": offered * achieved,
        "latency": encode(WAITS), "offered_per_s": offered, "fraction": share, **changes,
    }  # fmt: skip
    return Trial(**kept)


def asked(one: Trial, design: str, share: float, objective: str, *, met: bool, **changes: Any) -> Trial:
    """Return a trial of a search: its rate, and whether it met the objective."""
    return paced(one, design, share, objective=objective, objective_met=met, fraction=None, **changes)


def folder_with(*trials: Trial) -> RunFolder:
    """Return a small run with paced trials beside its own."""
    solo = small_run({"a": 1.0, "b": 2.0})
    return dataclasses.replace(solo, trials=solo.trials + trials)


ONE = small_run({"a": 1.0, "b": 2.0}).trials[0]


def searches(*trials: Trial) -> tuple[SearchResult, ...]:
    """Return what the searches of a run with these trials found."""
    return paced_tables(view_run(folder_with(*trials)))[0].searches


@pytest.fixture(scope="module")
def folder() -> RunFolder:
    """Return a small run with paced trials of its first cell at two rates, the higher one late, and a confirmation."""
    return folder_with(
        paced(ONE, "paced", 0.9, 0.95),
        paced(ONE, "paced", 0.5),
        asked(ONE, "search", 0.8, "p99 < 6ms", met=False),
        asked(ONE, "confirm", 0.7, "p99 < 6ms", met=True),
    )


def test_each_rate_is_a_row_with_its_percentiles(folder: RunFolder) -> None:
    """From the merged histogram, the lowest load first; a rate that was not kept is late."""
    rows = paced_tables(view_run(folder))[0].rows

    assert [(row.fraction, row.offered_per_s, row.achieved_per_s, row.late) for row in rows] == [
        (0.5, 5000, 5000, False),
        (0.9, 9000, 8550, True),
    ]
    assert rows[0].percentiles_us == (1000, 1000, 2000, 5000)


def test_the_confirmed_rate_is_the_one_that_is_claimed(folder: RunFolder) -> None:
    """Not one that the search only tried; every form has the same sentence."""
    (found,) = paced_tables(view_run(folder))[0].searches

    assert (found.offered_per_s, found.objective, found.met) == (7000, "p99 < 6ms", True)
    assert found.said == (
        "a meets p99 < 6ms at up to 7000 requests per second; a separate trial confirmed it"
        " (7000 achieved, p99 2.00 ms)."
    )
    assert found.said.replace("<", "&lt;") in render_report([folder])
    assert found.said.replace("<", "&lt;") in render_markdown([folder])


def test_a_valid_trial_that_missed_the_objective_confirms_nothing() -> None:
    """A trial's verdict says that it was measured well, not that the server was quick enough."""
    (found,) = searches(asked(ONE, "confirm", 0.7, "p90 < 1ms", met=False))

    assert not found.met
    assert found.said == (
        "a: no rate is confirmed for p90 < 1ms. The trial meant to confirm 7000 requests per second missed the"
        " objective (p90 1.00 ms)."
    )


def test_an_invalid_trial_confirms_nothing() -> None:
    """However quick its answers were."""
    bad = asked(ONE, "confirm", 0.7, "p99 < 6ms", met=True, verdict="invalid", reason="V15 calm machine")
    (found,) = searches(bad)

    assert not found.met
    assert found.said.endswith("meant to confirm 7000 requests per second does not count: V15 calm machine.")


def test_a_lower_rate_may_be_confirmed_after_a_higher_one_missed() -> None:
    """Whatever was measured afterwards."""
    trials = [asked(ONE, "confirm", share, "p99 < 6ms", met=share == 0.66) for share in (0.7, 0.66)]

    assert [(found.offered_per_s, found.met) for found in searches(*trials)] == [(6600, True)]
    assert [(found.offered_per_s, found.met) for found in searches(*reversed(trials))] == [(6600, True)]


def test_each_objective_of_a_cell_has_its_own_result() -> None:
    """Two tables may ask different things of one cell."""
    found = searches(
        asked(ONE, "confirm", 0.7, "p99 < 6ms", met=True), asked(ONE, "confirm", 0.4, "p99.9 < 6ms", met=False)
    )

    assert [(one.objective, one.offered_per_s, one.met) for one in found] == [
        ("p99 < 6ms", 7000, True),
        ("p99.9 < 6ms", 4000, False),
    ]


def test_a_search_without_a_confirmation_says_how_far_it_got() -> None:
    """It goes on, or no rate was low enough; then the page has no table of paced rows either."""
    tried = [asked(ONE, "search", share, "p99 < 6ms", met=share < 0.3) for share in (0.2, 0.4)]
    (on_its_way,), (in_vain,) = searches(*tried), searches(tried[1])

    assert on_its_way.said == (
        "a: no rate is confirmed yet for p99 < 6ms; the highest tried that met it is 2000 requests per second."
    )
    assert in_vain.said == "a: 1 rate tried, down to 4000 requests per second; none met p99 < 6ms."
    assert not on_its_way.met
    assert "% of capacity" not in render_report([folder_with(*tried)])


def test_a_trial_that_missed_its_objective_says_so_among_its_cells_trials(folder: RunFolder) -> None:
    """Its verdict is ok, which must not be read as success."""
    (fold, _, _) = build_folds(view_run(folder))

    assert [item.label for item in fold.trials[-2:]] == ["1 search, misses p99 < 6ms", "1 confirm, meets p99 < 6ms"]
    (cell, *_) = json.loads(trials_json(view_run(folder)))["cells"]
    assert [trial[-3:-1] for trial in cell["trials"][-2:]] == [["p99 < 6ms", False], ["p99 < 6ms", True]]


def test_paced_trials_do_not_count_as_rates(folder: RunFolder) -> None:
    """The table of rates has the solo trials alone."""
    table = build_tables(view_run(folder))[0]

    assert [row.rps.count for row in table.measured if row.rps] == [8, 8]
    assert paced_tables(view_run(small_run({"a": 1.0}))) == ()
