"""What precedes the first trial: which protections this machine cannot give is said once, and refuses no number."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from runners.plan.planning import Options, Plan, make_plan
from runners.records.folder import read_run, write_run
from runners.records.run import Run
from runners.run import preparing
from runners.run.preparing import NOT_READ_ONLY, prepare
from runners.system.enclosure import namespaces
from tests.support.machine import only_wrk

MATRIX = """\
suite = { title = "T" }
preset.quick = { warmup = "0s", duration = "1s" }
machine.local = { threads = [1], connections = [16, 32] }
server.a = { run = ["a"], dir = ".", read_only = true }
server.b = { run = ["a"], dir = "." }
"""


@pytest.fixture(name="plan")
def small_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Return a plan with a read-only server, on a machine that has wrk."""
    only_wrk(tmp_path, monkeypatch)
    file = tmp_path / "matrix.toml"
    file.write_text(MATRIX, encoding="utf-8")
    return make_plan(Options(file, machine="local"))


def test_a_read_only_server_is_measured_where_that_cannot_be_had_and_the_run_says_so_once(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As in a chroot without rights: a warning, one note however often it is resumed, and no refusal."""
    monkeypatch.setattr(namespaces, "_means", lambda _: None)
    run = Run("measured", "local", skip_gates=True)
    write_run(tmp_path, run)
    run, _ = prepare(plan, run, tmp_path)
    prepare(plan, run, tmp_path)
    assert read_run(tmp_path).notes.count(NOT_READ_ONLY) == 1
    assert {cell.status for cell in read_run(tmp_path).cells if cell.server == "a"} == {"planned"}
    warnings = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings == [NOT_READ_ONLY] * 2  # once in each session


def test_nothing_is_said_where_it_can_be_had(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on most machines."""
    monkeypatch.setattr(preparing, "read_only_works", lambda: True)
    run = Run("measured", "local", skip_gates=True)
    write_run(tmp_path, run)
    prepare(plan, run, tmp_path)
    assert NOT_READ_ONLY not in read_run(tmp_path).notes
