"""A run that is about to begin: refused before anything is written or measured if the machine is not fit for it."""

from __future__ import annotations

import resource
from dataclasses import replace
from pathlib import Path

import pytest

from runners.errors import BadInput, UnfitMachine
from runners.plan.planning import Options, Plan, make_plan
from runners.records.trial import Check
from runners.run.job import exit_code, new_job
from tests.support.machine import only_wrk
from tests.support.small_run import small_run

MATRIX = """\
suite = { title = "T" }
preset.quick = { warmup = "0s", duration = "1s" }
machine.local = { threads = [1], connections = [16, 2000] }
server.a = { run = ["a"], dir = "." }
"""


@pytest.fixture(name="plan")
def small_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Return a plan with 2,000 connections on a machine that has wrk."""
    only_wrk(tmp_path, monkeypatch)
    file = tmp_path / "matrix.toml"
    file.write_text(MATRIX, encoding="utf-8")
    return make_plan(Options(file, machine="local"))


def test_a_run_with_more_connections_than_files_does_not_begin(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine is named, and there is no run folder without a trial."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 1024))
    with pytest.raises(UnfitMachine, match="2000 connections need 2064 open files"):
        new_job(plan, tmp_path / "results")
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(("place", "why"), [("file", "Not a directory"), ("/proc/x", "No such file or directory")])
def test_results_that_cannot_be_written_are_bad_input(plan: Plan, tmp_path: Path, place: str, why: str) -> None:
    """One sentence that names the option."""
    (tmp_path / "file").touch()
    results = tmp_path / place
    with pytest.raises(BadInput) as caught:
        new_job(plan, results)
    assert str(caught.value) == (
        f"cannot create a run folder in {results}: {why}; name another folder with --results DIR"
    )


def test_a_cell_that_only_noise_made_invalid_does_not_turn_the_run_red(plan: Plan, tmp_path: Path) -> None:
    """Its figure is shown; one that failed, or was not measured at all, does."""
    job = new_job(plan, tmp_path / "results")
    trials = [
        replace(small_run({"a": 1.0}).trials[0], cell=cell.id, design="solo", family="f") for cell in plan.measurable
    ]
    noisy = [
        replace(trial, verdict="invalid", checks=(Check("V15", "calm machine", "fail", "90 %"),)) for trial in trials
    ]
    failed = [replace(trial, verdict="failed", checks=()) for trial in trials]

    assert exit_code(job, trials) == exit_code(job, noisy) == 0
    assert exit_code(job, [*noisy[1:], failed[0]]) == exit_code(job, noisy[1:]) == 1


def test_a_cell_with_wrong_answers_turns_the_run_red_and_reading_answers_gives_no_number(
    plan: Plan, tmp_path: Path
) -> None:
    """Whoever measures must do something about the one; the figures of the other do not count."""
    job = new_job(plan, tmp_path / "results")
    one = replace(small_run({"a": 1.0}).trials[0], design="solo", family="f", verdict="ok")
    trials = [replace(one, cell=cell.id) for cell in plan.measurable]
    read = replace(trials[0], design="checked", family="f/checked")
    outcomes = [replace(read, checks=(Check("V24", "r", outcome, "x"),)) for outcome in ("pass", "fail")]
    noise = replace(trials[0], verdict="invalid", checks=(Check("V15", "calm machine", "fail", "90 %"),))

    assert exit_code(job, [*trials, outcomes[0]]) == 0
    assert exit_code(job, [*trials, outcomes[1]]) == exit_code(job, [noise, *trials[1:], outcomes[1]]) == 1
    assert exit_code(job, [*trials[1:], outcomes[0]]) == 1


def test_each_run_has_a_folder_of_its_own(plan: Plan, tmp_path: Path) -> None:
    """Even if they begin in the same second."""
    first, second = (new_job(plan, tmp_path / "results").folder for _ in range(2))
    assert first != second
