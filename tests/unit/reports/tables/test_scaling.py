"""Rates over threads and connections."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from reports.tables.scaling import Scaling, scalings
from reports.view.view import RunView, view_run
from runners.records.run import RunFolder
from tests.support.example_run import example_run
from tests.support.small_run import small_run


@pytest.fixture(scope="module")
def view() -> RunView:
    """Return a synthetic run with one, two and four threads."""
    run, trials, _ = example_run(6, threads=(1, 2, 4))
    return view_run(RunFolder(Path("nowhere"), run, trials))


@pytest.fixture(scope="module")
def persistent(view: RunView) -> Scaling:
    """Return its lines over threads, with persistent connections."""
    return next(scaling for scaling in scalings(view, "threads") if scaling.mode == "persistent")


def test_each_variant_with_two_counts_is_a_line(persistent: Scaling) -> None:
    """What can use one thread only is none."""
    assert persistent.counts == (1, 2, 4)
    assert "python epoll" not in {line.label for line in persistent.lines}


def test_efficiency_is_the_rate_per_thread_against_the_fewest(persistent: Scaling) -> None:
    """The synthetic servers answer 1.15 times as much with any more threads."""
    epoll = next(line for line in persistent.lines if line.label == "epoll")
    one, two, four = epoll.points

    assert one.efficiency is None
    assert two.efficiency is not None
    assert four.efficiency is not None
    assert two.efficiency.value == pytest.approx(1.15 / 2, rel=0.03)
    assert four.efficiency.value == pytest.approx(1.15 / 4, rel=0.03)
    assert two.efficiency.interval is not None
    assert two.efficiency.interval.low < two.efficiency.value < two.efficiency.interval.high


def test_connections_have_rates_and_no_efficiency() -> None:
    """More connections do not make more server."""
    run, trials, _ = example_run(2, threads=(1,))
    more = {cell.id: f"{cell.id}-more" for cell in run.cells}
    planned = [cell for cell in run.cells if not cell.twin_of]
    added = tuple(dataclasses.replace(cell, id=more[cell.id], connections=256) for cell in planned)
    again = tuple(dataclasses.replace(trial, cell=more[trial.cell]) for trial in trials if trial.pair is None)
    run = dataclasses.replace(run, cells=run.cells + added)
    found = scalings(view_run(RunFolder(Path("nowhere"), run, trials + again)), "connections")

    assert [scaling.counts for scaling in found] == [(64, 256), (64, 256)]
    assert all(point.efficiency is None for scaling in found for line in scaling.lines for point in line.points)


def test_one_count_is_no_scaling() -> None:
    """Neither over threads nor over connections."""
    view = view_run(small_run({"epoll": 1.0, "go": 0.8}))

    assert scalings(view, "threads") == scalings(view, "connections") == ()
