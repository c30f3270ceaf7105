"""What a run does before it measures anything."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from runners.errors import Interrupted
from runners.plan.planning import Options, make_plan
from runners.run import running
from runners.run.job import Wishes, new_job
from runners.run.running import execute
from tests.support.latency_matrix import MATRIX
from tests.unit.runners.run.test_loop import FakeReporter


def test_what_a_killed_run_left_changed_is_restored_before_anything_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Builds and gates may take minutes, or be interrupted: the settings must not wait for them."""
    done: list[str] = []

    def interrupted_build(*_: object) -> None:
        done.append("build")
        raise Interrupted("stopped by Ctrl-C")

    monkeypatch.setattr(running, "prepare", interrupted_build)
    monkeypatch.setattr(running, "restore", lambda cache: done.append(f"restore from {cache.name}"))
    plan = make_plan(Options(text=MATRIX.format(mode="persistent", more=""), machine="local"))
    job = new_job(replace(plan, host=replace(plan.host, cache=tmp_path / "cache")), tmp_path, Wishes("host"))
    with pytest.raises(Interrupted, match="stopped by Ctrl-C; to resume: "):
        execute(job, FakeReporter(), lambda _: None)
    assert done == ["restore from cache", "build"]
