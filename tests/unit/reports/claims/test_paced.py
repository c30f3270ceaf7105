"""Latency under a given load, beside the closed loop's."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from reports.claims.paced import paced_tables
from reports.forms.html import render_report
from reports.tables.tables import build_tables
from reports.view.view import view_run
from runners.records.run import RunFolder
from runners.records.trial import Trial
from runners.stats.histogram import encode
from tests.support.small_run import small_run

WAITS = {1000: 90_000, 2000: 9_000, 5000: 900, 9000: 100}  # microseconds: requests


@dataclasses.dataclass(frozen=True)
class Paced(Trial):
    """A trial that says which rate it offered, and which share of the capacity that is."""

    offered_per_s: float | None = None
    fraction: float | None = None
    objective: str | None = None


def paced(one: Trial, design: str, fraction: float, achieved: float = 1.0, **changes: Any) -> Trial:
    """Return a paced trial of a solo trial's cell at 10,000 requests per second of capacity."""
    offered = 10_000 * fraction
    kept = {
        **vars(one), "design": design, "family": f"{one.family}/paced", "requests_per_s": offered * achieved,
        "latency": encode(WAITS), "offered_per_s": offered, "fraction": fraction, **changes,
    }  # fmt: skip
    return Paced(**kept)


@pytest.fixture(scope="module")
def folder() -> RunFolder:
    """Return a small run with paced trials of its first cell at two rates, the higher one late, and a confirmation."""
    solo = small_run({"a": 1.0, "b": 2.0})
    one = solo.trials[0]
    extra = (
        paced(one, "paced", 0.9, 0.95),
        paced(one, "paced", 0.5),
        paced(one, "search", 0.8),
        paced(one, "confirm", 0.7, objective="p99 < 6ms"),
    )
    return dataclasses.replace(solo, trials=solo.trials + extra)


def test_each_rate_is_a_row_with_its_percentiles(folder: RunFolder) -> None:
    """From the merged histogram, the lowest load first; a rate that was not kept is late."""
    rows = paced_tables(view_run(folder))[0].rows

    assert [(row.fraction, row.offered_per_s, row.achieved_per_s, row.late) for row in rows] == [
        (0.5, 5000, 5000, False),
        (0.9, 9000, 8550, True),
    ]
    assert rows[0].percentiles_us == (1000, 1000, 2000, 5000)


def test_the_confirmed_rate_is_the_one_that_is_said(folder: RunFolder) -> None:
    """Not what the search tried."""
    (found,) = paced_tables(view_run(folder))[0].confirmed

    assert (found.offered_per_s, found.objective, found.met) == (7000, "p99 < 6ms", True)
    page = render_report([folder])
    assert "a, p99 &lt; 6ms" in page
    assert "confirmed by a trial of its own" in page


def test_paced_trials_do_not_count_as_rates(folder: RunFolder) -> None:
    """The table of rates has the solo trials alone."""
    table = build_tables(view_run(folder))[0]

    assert [row.rps.count for row in table.measured if row.rps] == [8, 8]
    assert paced_tables(view_run(small_run({"a": 1.0}))) == ()
