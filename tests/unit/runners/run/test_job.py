"""A run that is about to begin: refused before anything is written or measured if the machine is not fit for it."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from runners.errors import UnfitMachine
from runners.plan.planning import Options, Plan, make_plan
from runners.run.job import new_job

MATRIX = """\
suite = { title = "T" }
preset.quick = { warmup = "0s", duration = "1s" }
machine.local = { threads = [1], connections = [16, 2000] }
server.a = { run = ["a"], dir = "." }
"""


@pytest.fixture(name="plan")
def small_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Return a plan with 2,000 connections on a machine that has wrk."""
    tool = tmp_path / "bin/wrk"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho 'wrk 4.1.0'\n", encoding="utf-8")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tool.parent))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
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
