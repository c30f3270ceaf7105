"""What the checks found, and throughput over time, as the report shows them."""

from __future__ import annotations

import dataclasses
from xml.etree import ElementTree as ET

import pytest

from reports.plots.sparks import MOST_POINTS, spark, throughput
from reports.tables.tables import build_tables
from reports.trust.checks import check_line, check_rows
from reports.view.view import view_run
from runners.records.trial import Check, Errors, Evidence, Series, Trial
from tests.support.small_run import small_run

GOOD, WARNED = (
    Check("V9", "client not starved", "pass", "1 %", "5 %"),
    Check("V9", "client not starved", "warn", "7 %", "5 %", "calm"),
)
UNKNOWN = Check("V11", "generator headroom", "unknown", "no ceiling")
FAILED = Check("V1", "no errors", "fail", "timeout 3", "0 errors", "look at the output")
TRIALS = [
    dataclasses.replace(small_run({"a": 1.0}).trials[0], block=block, checks=checks)
    for block, checks in enumerate([(GOOD, UNKNOWN), (WARNED, UNKNOWN), (GOOD, UNKNOWN)])
]


def sampled(*segments: int, rate: float = 1000.0) -> Trial:
    """Return a trial with so many segments by each tenth of a second."""
    evidence = Evidence(
        mode="persistent", load="wrk", network="namespace", duet=False, connections=64, server_threads=1,
        asked_us=1, duration_us=1, watched_us=1, requests=1, served=1, errors=Errors(), shared_cpus=False,
        series=Series(at_us=tuple(100_000 * at for at in range(len(segments))), segments=segments),
    )  # fmt: skip
    return dataclasses.replace(TRIALS[0], evidence=evidence, requests_per_s=rate)


def test_the_line_counts_what_passed_and_names_the_rest() -> None:
    """With how often; a check is unknown only where it never told."""
    assert check_line(TRIALS, ()) == (
        ("warned", "V9 client not starved (1 of 3)"),
        ("unknown", "V11 generator headroom"),
    )
    failed = [dataclasses.replace(TRIALS[0], checks=(FAILED, GOOD))]
    assert check_line(failed, ()) == (("passed", "1"), ("failed", "V1 no errors"))
    assert check_line([], ()) == ()


def test_the_twins_check_is_among_them() -> None:
    """V23 belongs to the family, and stands with the others."""
    folder = small_run({"a": 1.0, "b": 2.0}, twin=1.1)
    trials = tuple(dataclasses.replace(trial, checks=(GOOD,)) for trial in folder.trials)

    table = build_tables(view_run(dataclasses.replace(folder, trials=trials)))[0]
    assert table.checks == (("passed", "1"), ("warned", "V23 twin"))


def test_check_by_check_says_what_was_seen_in_which_block() -> None:
    """Like sights are counted; what warned names its block and what to do."""
    starved, headroom = check_rows(TRIALS)

    assert [(saw.outcome, saw.text, saw.count, saw.blocks) for saw in starved.saws] == [
        ("pass", "1 %", 2, ""),
        ("warn", "7 %", 1, "2"),
    ]
    assert (starved.outcome, starved.limit, starved.advice) == ("warn", "5 %", "calm")
    assert (headroom.outcome, headroom.advice) == ("unknown", "")


def test_throughput_over_time_has_the_trials_own_height() -> None:
    """The kernel's segments give the shape, the trial's rate the mean, whatever a request takes in segments."""
    assert throughput(sampled(0, 100, 200, 500)) == pytest.approx((600, 600, 1800))
    assert throughput(sampled(0, 200, 400, 1000)) == pytest.approx((600, 600, 1800))
    assert throughput(sampled(0)) == throughput(sampled(5, 5, 5)) == throughput(TRIALS[0]) == ()


def test_a_long_trial_is_thinned_without_losing_requests() -> None:
    """At most so many points; the mean stays."""
    rates = throughput(sampled(*(100 * at for at in range(600))))

    assert len(rates) < MOST_POINTS
    assert sum(rates) / len(rates) == pytest.approx(1000)


def test_a_spark_is_small_and_speaks() -> None:
    """A few hundred bytes of SVG with a title for people who do not see it."""
    svg = spark(throughput(sampled(0, 100, 300, 400)), 2000)

    assert len(svg) < 400
    assert "slices of time" in (ET.fromstring(svg)[0].text or "")  # noqa: S314 - our own output
    assert spark((), 1) == spark((1.0, 2.0), 0) == ""
