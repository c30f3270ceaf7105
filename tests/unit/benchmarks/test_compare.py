"""The benchmark of comparisons counts alarms and calls in both directions, with exact bounds."""

from __future__ import annotations

from pathlib import Path

from benchmarks.compare import summary, tried
from reports.changes.change import change_of
from tests.support.changes import Truth, comparison


def test_alarms_and_directional_calls_are_counted_apart() -> None:
    """A half per cent is called, but raises no alarm at 1 %."""
    tries = [
        tried("go", cpu - 1, change_of([comparison(Truth(cpu=cpu, noise=0.001))]), Path("run"))
        for cpu in (1.0, 1.005, 1.03, 0.97)
    ]
    gate, worse, better = summary(tries)
    assert gate.startswith("the gate at cpu:1% failed in 1 of 4 tries (at least 1.3%, at most 75.1%")
    assert worse.startswith("CPU per request was called worse in 2 of 4")
    assert better.startswith("CPU per request was called better in 1 of 4")
