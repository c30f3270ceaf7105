"""What is said of a load generator that failed."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from runners.loads.base import LoadResult, Phase
from runners.loads.jobs import load_job
from runners.records.trial import Errors
from runners.server.process import Logs, Programs, TrialFailed
from runners.system.kernel import ThreadTimes, TreeTimes
from runners.system.machine import Layout
from runners.system.network import Network
from runners.system.sampling import Samples, Watch
from runners.trial.evidence import gather_failed
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


def test_a_generator_is_interrupted_only_once_it_catches_that(side: Side) -> None:
    """On an overloaded machine it may have started only just: it would die of it, and its counts with it."""
    slow = "import signal, sys, time; time.sleep(0.3); signal.signal(2, lambda *_: sys.exit('counts')); time.sleep(9)"
    argv = ("env", "--ignore-signal=INT", sys.executable, "-S", "-c", slow)  # otherwise Python catches it at once
    phase = Phase("load", argv, 5.0, 0.01, catches_interrupts=True)
    side.start_client(phase)
    side.interrupt_client(phase)
    assert side.ended(5.0)
    assert side.logs.file("load").read_text() == "counts\n"


def test_a_server_that_got_no_cpu_is_said_to_have_starved(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than to have answered nothing; what the kernel saw stays with the failed trial."""
    side.logs.file("load").write_text("", encoding="utf-8")
    nothing = LoadResult(0, 1_000_000, 0, Errors(), None, None)
    monkeypatch.setattr(type(side.load), "parse", lambda *_: nothing)
    side.watch.begin()
    seen = side.watch.end()
    side.samples = with_server(seen, ran_us=10_000, waited_us=990_000)

    with pytest.raises(TrialFailed) as failed:
        side.result(Phase("load", ("wrk",), 5.0))
    assert str(failed.value) == (
        "the server answered no request in the measured time: it waited 0.99 s for a CPU, and ran for 0.01 s"
    )
    evidence = gather_failed(side, side.samples, duet=False)
    assert (evidence.requests, evidence.mode, evidence.processes_after) == (0, side.cell.mode, 1)


def with_server(seen: Samples, ran_us: float, waited_us: float) -> Samples:
    """Return samples of a server whose only thread ran and waited so long."""
    before, after = (
        TreeTimes({7: ThreadTimes(share * ran_us, share * waited_us, 0)}, (7,), share * ran_us, 0.0) for share in (0, 1)
    )
    return replace(seen, before=replace(seen.before, server=before), after=replace(seen.after, server=after))
