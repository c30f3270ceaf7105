"""Real runs are attacked: nothing recorded is lost, nothing is left behind, and each fault is rightly named."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.support import ROOT

pytestmark = [pytest.mark.measures, pytest.mark.timeout(900)]

LEAST = 60  # faults


def test_runs_survive_chaos() -> None:
    """Another seed each time: what it finds is printed with the command that repeats it."""
    argv = [sys.executable, "-m", "tests.chaos", "--json", "--jobs", "3"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["faults"] >= LEAST
