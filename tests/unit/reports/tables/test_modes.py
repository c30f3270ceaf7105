"""Persistent and non-persistent connections side by side."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from reports.tables.modes import ModeRow, ModeTable, mode_table
from reports.view.view import view_run
from runners.records.run import RunFolder
from tests.support.example_run import example_run
from tests.support.small_run import small_run


def example_table(blocks: int = 6) -> ModeTable:
    """Return the synthetic run's table of modes."""
    run, trials, _ = example_run(blocks)
    table = mode_table(view_run(RunFolder(Path("nowhere"), run, trials)))
    assert table is not None
    return table


@pytest.fixture(scope="module")
def rows() -> dict[tuple[str, int], ModeRow]:
    """Return the synthetic run's rows by server and threads."""
    return {(row.kept.label, row.kept.cell.threads): row for row in example_table().rows if row.kept.cell}


def test_a_ratio_pairs_the_blocks_of_both_modes(rows: dict[tuple[str, int], ModeRow]) -> None:
    """The synthetic servers answer 35 % without keeping connections, and a request costs the inverse."""
    row = rows["epoll", 1]

    assert row.ratio is not None
    assert row.ratio.interval is not None
    assert row.ratio.interval.low < 0.35 < row.ratio.interval.high
    assert row.cost is not None
    assert row.cost.value == pytest.approx(1 / 0.35, rel=0.03)
    assert row.connection_us == pytest.approx(1e6 * 0.96 / 88_400 * (1 / 0.35 - 1), rel=0.05)


def test_a_published_ratio_stands_beside_it(rows: dict[tuple[str, int], ModeRow]) -> None:
    """The document's epoll answered 43 %; what was published in one mode only has no ratio."""
    assert rows["epoll", 1].published == pytest.approx(0.43, abs=0.01)
    assert rows["go", 2].published is None


def test_too_few_blocks_give_no_interval() -> None:
    """Five say a number and nothing more."""
    assert all(row.ratio is None or row.ratio.interval is None for row in example_table(5).rows)
    assert "have no intervals" in example_table(5).level_note


def test_where_the_load_generator_was_the_limit_a_ratio_is_a_bound(rows: dict[tuple[str, int], ModeRow]) -> None:
    """In both modes it says nothing; in one it is an upper or a lower bound."""
    run, trials, _ = example_run(2)
    freed = {
        mode: [
            dataclasses.replace(trial, bound="server") if (trial.server, trial.mode) == ("h2o", mode) else trial
            for trial in trials
        ]
        for mode in ("persistent", "non-persistent")
    }

    def limit(mode: str) -> str:
        table = mode_table(view_run(RunFolder(Path("nowhere"), run, tuple(freed[mode]))))
        assert table is not None
        return next(row.limit for row in table.rows if row.kept.label == "h2o")

    assert rows["h2o", 1].limit == "the load generator limited both"
    assert limit("non-persistent").startswith("at most")
    assert limit("persistent").startswith("at least")
    assert rows["epoll", 1].limit == ""


def test_a_row_that_lacks_a_mode_says_why(rows: dict[tuple[str, int], ModeRow]) -> None:
    """It has no ratio."""
    row = rows["asynchttp --gc:markandsweep", 1]

    assert (row.closed.status, row.closed.reason) == (
        "excluded",
        "garbage collectors are compared with persistent connections",
    )
    assert row.ratio is None
    assert row.connection_us is None


def test_a_run_of_one_mode_has_no_such_table() -> None:
    """There is nothing to set side by side."""
    assert mode_table(view_run(small_run({"epoll": 1.0, "go": 0.8}))) is None
