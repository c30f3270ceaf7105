"""A commit that spins for each request is found among sixteen, by real duets of real servers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.support.bench import Bench
from tests.unit.runners.server.revisions.test_checkouts import git, snapshot

pytestmark = [pytest.mark.measures, pytest.mark.timeout(900)]

COMMITS, CULPRIT = 16, 11
SPIN = 8000  # steps of a loop for each request: about as much CPU time as the rest of it
SOURCE = (ROOT / "benchmarks/spin_server.c").read_text(encoding="utf-8")


def server(number: int) -> str:
    """Return the source of a commit's server: each is another program, and from the culprit on it spins."""
    named = SOURCE.replace("usage: spin_server", f"usage of commit {number}: spin_server")
    return named.replace("atol(words[2]);", f"atol(words[2]) + {SPIN if number >= CULPRIT else 0};")


def test_a_seeded_regression_is_found_among_sixteen_commits(
    bench: Bench, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The repository stays as it was, and nothing is left running."""
    bench.env["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
    top = bench.folder
    git(top, "init", "-q")
    (top / ".gitignore").write_text("cache\nresults\nserver\n", encoding="utf-8")
    for number in range(COMMITS):
        (top / "server.c").write_text(server(number), encoding="utf-8")
        git(top, "add", "-A")
        git(top, "commit", "-qm", f"commit {number}")
    commits = git(top, "log", "--reverse", "--format=%H").split()
    before = {name: content for name, content in snapshot(top).items() if not name.startswith("cache")}
    how = ("--build", "cc -O2 -o server server.c", "--run", "./server {port} 0", "--mode", "persistent")
    ended = bench.run("bisect", commits[0], "HEAD", *how, "--budget", "12s", "--json", timeout_s=880)
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    assert found["culprit"]["commit"] == commits[CULPRIT], found
    assert "is the first slower commit: it needs" in found["sentence"]
    assert found["culprit"]["low"] > found["limit"] > 1
    assert len(found["tried"]) <= 5  # the last commit, and four steps between
    kept = {name: content for name, content in snapshot(top).items() if not name.startswith(("cache", "results"))}
    assert kept == before
    assert not (Path(bench.env["XDG_CACHE_HOME"]) / "http-speedup/compare").exists()
    assert bench.processes() == []
