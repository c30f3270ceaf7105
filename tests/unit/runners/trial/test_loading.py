"""What is said of a load generator that failed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runners.loads.base import Phase
from runners.loads.jobs import load_job
from runners.server.process import Logs, Programs, TrialFailed
from runners.system.machine import Layout
from runners.system.network import Network
from runners.system.sampling import Watch
from runners.trial.loading import Side
from tests.support.latency_matrix import cells, matrix

REFUSES = "printf 'wrk: no such thing\\nUsage: wrk <options> <url>\\n  a\\n  b\\n  c\\n  d\\n  e\\n'; exit 1"


@pytest.fixture(name="side")
def side_without_server(tmp_path: Path) -> Side:
    """Return a side whose server was never started."""
    cell, cpus = cells(matrix())[0], tuple(sorted(os.sched_getaffinity(0)))
    layout, logs = Layout(cpus, cpus), Logs(tmp_path, tmp_path, "block0")
    programs = Programs(tmp_path, {}, dict(os.environ))
    side = Side(cell, layout, Network("host", {}), logs, load_job(cell, layout, 1), programs)
    side.watch = Watch(os.getpid())
    return side


def test_a_generator_that_refuses_its_options_is_quoted_with_the_reason(side: Side) -> None:
    """Not with the last lines of the usage that it prints below it."""
    phase = Phase("load", ("sh", "-c", REFUSES), 5.0)
    side.start_client(phase)
    assert side.ended(10.0)
    with pytest.raises(TrialFailed) as failed:
        side.check_client(phase)
    assert str(failed.value) == "sh ended with exit status 1: wrk: no such thing"
