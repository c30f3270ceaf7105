"""A commit that spins for each request is found among sixteen, by real duets of real servers."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

from tests.support import waiting
from tests.support.bench import Bench
from tests.unit.runners.server.test_checkouts import commit, git, snapshot

pytestmark = [pytest.mark.measures, pytest.mark.timeout(600)]

COMMITS, CULPRIT = 16, 11
SERVER = """
import runpy, sys
sys.argv += ["--spin=%d"]  # %d
runpy.run_path(%r, run_name="__main__")
"""


def test_a_seeded_regression_is_found_among_sixteen_commits(
    bench: Bench, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The repository stays as it was, and nothing is left running."""
    bench.env["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
    top = bench.folder
    git(top, "init", "-q")
    (top / ".gitignore").write_text("cache\nresults\n", encoding="utf-8")
    for number in range(COMMITS):
        commit(top, "server.py", SERVER % (3000 if number >= CULPRIT else 0, number, waiting.__file__))
    first, *_, last = git(top, "log", "--reverse", "--format=%H").split()
    culprit = git(top, "log", "--reverse", "--format=%H").split()[CULPRIT]
    before = {name: content for name, content in snapshot(top).items() if not name.startswith("cache")}
    start = f"{shlex.quote(sys.executable)} server.py --port={{port}}"
    ended = bench.run(
        "bisect", first, last, "--run", start, "--mode", "persistent", "--budget", "12s", "--json", timeout_s=580
    )
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    assert found["culprit"]["commit"] == culprit, found
    assert "is the first slower commit: it needs" in found["sentence"]
    assert found["culprit"]["low"] > found["limit"] > 1
    assert len(found["tried"]) <= 5  # the last commit, and four steps between
    kept = {name: content for name, content in snapshot(top).items() if not name.startswith(("cache", "results"))}
    assert kept == before
    assert not (Path(bench.env["XDG_CACHE_HOME"]) / "http-speedup/compare").exists()
    assert bench.processes() == []
