"""What a server takes to start, and in memory: medians with their intervals, from trials that count."""

from __future__ import annotations

from dataclasses import replace

from reports.view.footprint import Footprint, footprint_of
from reports.view.view import RunView, view_run
from runners.records.run import CellInfo, Run, RunFolder
from runners.records.trial import Trial
from tests.support import ROOT

CELL = CellInfo(
    id="a/t1/c64/persistent#1", slug="a/t1/c64/persistent", server="a", variant=None, title="a", language=None,
    class_="application", group="document", threads=1, connections=64, mode="persistent", load="wrk", family="f",
    status="planned",
)  # fmt: skip
MORE = replace(CELL, id="a/t1/c164/persistent#2", slug="a/t1/c164/persistent", connections=164)


def trials(cell: CellInfo, loaded_bytes: list[int]) -> tuple[Trial, ...]:
    """Return valid trials of a cell with these sizes under load."""
    return tuple(
        Trial(
            cell.id, "a", None, 1, cell.connections, "persistent", "local", "ok", load="wrk", design="solo",
            block=block, requests_per_s=1000.0, rss_bytes=size, start_us=5000 + block, idle_rss_bytes=2**20,
        )
        for block, size in enumerate(loaded_bytes)
    )  # fmt: skip


def footprint(*every: Trial, cells: tuple[CellInfo, ...] = (CELL,)) -> Footprint | None:
    """Return the footprint of the first cell."""
    view: RunView = view_run(RunFolder(ROOT, Run(kind="measured", machine="local", cells=cells), every))
    return footprint_of(cells[0], view)


def test_start_and_memory_are_medians_with_intervals() -> None:
    """Of six trials or more."""
    found = footprint(*trials(CELL, [2**21] * 6))
    assert found is not None
    assert found.start_us is not None
    assert found.start_us.value == 5002.5
    assert found.start_us.interval is not None
    assert (found.start_us.interval.low, found.start_us.interval.high) == (5000, 5005)
    assert found.idle_bytes is not None
    assert found.idle_bytes.value == 2**20
    assert found.connection_bytes is None


def test_memory_for_a_connection_comes_from_two_connection_counts() -> None:
    """With what both medians allow as its interval."""
    few, many = (
        trials(CELL, [1_000_000, 1_000_000, 1_000_000, 1_000_000, 1_000_000, 1_100_000]),
        trials(MORE, [2_000_000] * 6),
    )
    found = footprint(*few, *many, cells=(CELL, MORE))
    assert found is not None
    assert found.connection_bytes is not None
    assert found.connection_bytes.value == 10_000
    assert found.connection_bytes.interval is not None
    assert (found.connection_bytes.interval.low, found.connection_bytes.interval.high) == (9_000, 10_000)


def test_trials_that_recorded_nothing_of_it_have_no_footprint() -> None:
    """As those of older runs and of published ones."""
    old = [replace(trial, start_us=None, idle_rss_bytes=None) for trial in trials(CELL, [1])]
    assert footprint(*old) is None
