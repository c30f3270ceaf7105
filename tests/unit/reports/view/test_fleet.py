"""What the report says of a run that a fleet loaded."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from reports.forms.markdown import render_markdown
from reports.forms.page.folds import build_folds
from reports.forms.page.html import render_report
from reports.tables.machines import column_names
from reports.trust.consistency import rate_is_requests_over_duration
from reports.view.view import view_run
from runners.records.run import FleetInfo, RunFolder
from runners.records.trial import ClientHost, Trial
from tests.support.example_run import example_run

pytestmark = pytest.mark.usefixtures("undrawn")


def client(name: str, requests: int) -> ClientHost:
    """Return what a client host did."""
    return ClientHost(
        name=name, connections=32, threads=2, cpus=4, requests=requests, duration_us=1_000_000, window_requests=None,
        started_us=1500, errors=0, segments_sent=requests, segments_lost=3, cpu_us=1e6, thread_share=0.5,
        wait_share=0.1, host_share=0.25, clock_offset_us=-2500, clock_uncertainty_us=120, clock_drift_us=4,
    )  # fmt: skip


def loaded_by_fleet(trial: Trial) -> Trial:
    """Return a trial as if three quarters of its load had come from one host and the rest from another."""
    if trial.evidence is None or not trial.requests:
        return trial
    hosts = (client("rack<1>", trial.requests * 3 // 4), client("rack2", trial.requests // 4))
    evidence = dataclasses.replace(trial.evidence, clients=hosts, load="fleet")
    return dataclasses.replace(trial, load="fleet", evidence=evidence)


@pytest.fixture(scope="module")
def folder() -> RunFolder:
    """Return a run that two hosts loaded."""
    run, trials, _ = example_run(2, threads=(1,))
    hosts = ({"name": "rack<1>", "cpu": "Some CPU", "wrk": "wrk 4.1.0"}, {"name": "rack2", "cpu": "Other CPU"})
    cells = tuple(dataclasses.replace(cell, load="fleet", cpus_client=None) for cell in run.cells)
    run = dataclasses.replace(run, fleet=FleetInfo(2, "10.0.0.1", 5557, hosts), cells=cells)
    return RunFolder(Path("nowhere"), run, tuple(map(loaded_by_fleet, trials)))


def test_each_clients_part_of_each_trial_is_shown(folder: RunFolder) -> None:
    """Who did how much, how busy it was, and how its clock was."""
    fold = next(fold for fold in build_folds(view_run(folder)) if fold.clients)
    assert [item.client.name for item in fold.clients[:2]] == ["rack<1>", "rack2"]
    assert fold.clients[0].share == pytest.approx(0.75, abs=0.001)
    page = render_report([folder])
    assert "rack&lt;1&gt;" in page
    assert "rack<1>" not in page
    assert "load generator elsewhere" in page
    assert "Some CPU" in page


def test_the_report_says_where_the_load_came_from(folder: RunFolder) -> None:
    """In every form."""
    assert "loaded by a fleet of 2" in render_report([folder])
    assert "loaded by a fleet of 2" in render_markdown([folder])


def test_local_and_fleet_are_columns_of_their_own(folder: RunFolder) -> None:
    """The same machine, loaded from itself and from others, side by side."""
    run, trials, _ = example_run(2, threads=(1,))
    here = RunFolder(Path("nowhere"), run, trials)
    names = column_names([view_run(here), view_run(folder)])
    assert names == ("local (Example CPU @ 2.50GHz), local", "local (Example CPU @ 2.50GHz), fleet of 2")
    assert names[1] in render_report([here, folder])


def test_the_rate_of_a_common_window_is_no_contradiction(folder: RunFolder) -> None:
    """It is that of a part of the time; check V29 compares the two."""
    trial = next(trial for trial in folder.trials if trial.load == "fleet" and trial.verdict == "ok")
    faster = dataclasses.replace(trial, requests_per_s=1.1 * (trial.requests_per_s or 0))
    assert rate_is_requests_over_duration([faster]) == (0, [])
    alone = dataclasses.replace(faster, load="wrk")
    looked, found = rate_is_requests_over_duration([alone])
    assert (looked, len(found)) == (1, 1)
