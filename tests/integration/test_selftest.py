"""The self-test itself, as a person runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

pytestmark = pytest.mark.measures


def selftest(folder: Path, *words: str, timeout_s: float = 100) -> subprocess.CompletedProcess[str]:
    """Run it in an empty folder, with a cache of its own."""
    command = [sys.executable, str(ROOT / "speedup"), "selftest", *words]
    env = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache"), "TMPDIR": str(folder)}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=timeout_s, check=False)


def test_a_few_cases_can_be_chosen_and_their_logs_kept(tmp_path: Path) -> None:
    """The table names them, progress goes elsewhere."""
    ended = selftest(tmp_path, "--only", "lying*", "--only", "silent*", "--keep", "kept")
    assert ended.returncode == 0, ended.stderr
    assert "2 passed" in ended.stdout
    assert "lying Content-Length" in ended.stdout
    assert ended.stderr.count("passed") == 2
    assert list((tmp_path / "kept" / "logs").glob("lying*/*.server.txt"))


def test_a_glob_that_matches_no_case_is_exit_3(tmp_path: Path) -> None:
    """It is answered with the names there are."""
    ended = selftest(tmp_path, "--only", "nine")
    assert (ended.returncode, ended.stdout) == (3, "")
    assert "healthy" in ended.stderr


def test_without_wrk_what_needs_it_is_not_run(tmp_path: Path) -> None:
    """With the reason; the rest is measured by the fake generator."""
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "PATH": str(tmp_path)}
    command = [
        sys.executable,
        str(ROOT / "speedup"),
        "selftest",
        "--json",
        "--only",
        "healthy*",
        "--only",
        "silent*",
    ]
    ended = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False)
    told = {case["name"]: case for case in json.loads(ended.stdout)["cases"]}
    assert ended.returncode == 0, ended.stderr
    assert told["healthy"]["status"] == "not run"
    assert "wrk is missing" in told["healthy"]["why"][0]
    assert told["healthy, fake generator"]["status"] == "passed"
