"""The search for the highest rate that keeps an objective, and interrupted latency: real h2load, many trials."""

from __future__ import annotations

import shutil
import signal

import pytest

from tests.integration.test_latency import CAPACITY_PER_S, of_design, write
from tests.support.bench import Bench, interrupt

pytestmark = [
    pytest.mark.measures,
    pytest.mark.skipif(
        shutil.which("h2load") is None, reason="h2load is not installed: speedup doctor --install --for tests"
    ),
]


def test_a_search_finds_a_rate_below_the_known_capacity(bench: Bench) -> None:
    """500 requests of 2 ms fit into a second; the rate reported is one that a trial of its own confirmed."""
    write(bench, 'fractions = ["50%"]\nslo = "p90 < 40ms"\ntolerance = "20%"')
    bench.run("run")
    steps, confirmed = of_design(bench, "search"), of_design(bench, "confirm")
    assert all(trial.objective == "p90 < 40ms" for trial in (*steps, *confirmed))
    assert any(trial.objective_met for trial in steps)
    assert len(steps) <= 12
    found = confirmed[-1]
    assert found.objective_met, found.reason
    assert CAPACITY_PER_S / 16 < (found.offered_per_s or 0) <= CAPACITY_PER_S
    assert (found.duration_us or 0) >= 3 * (steps[-1].duration_us or 0)


def test_what_was_interrupted_is_finished_without_measuring_again(bench: Bench) -> None:
    """Ctrl-C in the middle of the paced trials is recorded; resuming measures only what was missing."""
    write(bench, "")
    process = bench.start("run")
    bench.wait_for(lambda: bench.lines() >= 2 and bool(list(bench.folders[0].glob("logs/*/*.requests.txt"))))
    ended = interrupt(process, signal.SIGINT)
    assert ended.code == 130, ended.err
    before = of_design(bench, "paced")
    assert 1 <= len(before) < 3
    assert bench.run("run", "--resume", str(bench.folders[0])).code == 0
    after = of_design(bench, "paced")
    assert after[: len(before)] == before
    assert sorted(trial.fraction or 0 for trial in after) == [0.5, 0.7, 0.9]
    assert bench.processes() == []
