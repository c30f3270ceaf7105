"""Runs of several machines in one file."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from reports.forms.page.html import render_report
from reports.tables.machines import MachineRow, MachineTable, column_names, machine_tables
from reports.tables.tables import build_tables
from reports.view.view import view_run
from runners.records.run import RunFolder
from tests.support.example_run import example_run

pytestmark = pytest.mark.usefixtures("undrawn")


def folder(threads: tuple[int, ...], **changes: object) -> RunFolder:
    """Return a synthetic run of another machine."""
    run, trials, _ = example_run(2, threads=threads)
    return RunFolder(Path("nowhere"), dataclasses.replace(run, **changes), trials)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def folders() -> list[RunFolder]:
    """Return the runs of a small and of a large machine."""
    return [folder((1, 2)), folder((1, 2, 4), machine_title="network")]


@pytest.fixture(scope="module")
def tables(folders: list[RunFolder]) -> dict[str, MachineTable]:
    """Return their common tables by title."""
    views = [view_run(item, prefix=f"run{number}-") for number, item in enumerate(folders)]
    return {table.title: table for table in machine_tables([(view, build_tables(view)) for view in views])}


def row(table: MachineTable, label: str) -> MachineRow:
    """Return a row by its name."""
    return next(item for item in table.rows if isinstance(item, MachineRow) and item.row.label == label)


def test_each_run_is_a_column_and_published_numbers_are_one(tables: dict[str, MachineTable]) -> None:
    """With what all rows of a column have in common below its name."""
    table = tables["Optimizing standard library"]

    assert [(column.name, column.note) for column in table.columns] == [
        ("local (Example CPU @ 2.50GHz)", "64 connections"),
        ("network", "64 connections"),
        ("Core2Quad Q9300, 2015", "published"),
    ]


def test_a_row_has_its_rate_and_its_ratio_on_every_machine(tables: dict[str, MachineTable]) -> None:
    """What was not measured on one of them says so; what has no number anywhere is left out."""
    table = tables["Optimizing standard library"]
    here, there, published = row(table, "4 threads --gc:markandsweep").entries

    assert here is not None
    assert here.row is not None
    assert (here.rate, here.row.status) == (None, "not run")
    assert there is not None
    assert there.rate is not None
    assert there.ratio is not None
    assert published is not None
    assert published.rate == 78510
    assert published.ratio == pytest.approx(5.71, abs=0.01)
    assert "3 threads" not in {item.row.label for item in table.rows if isinstance(item, MachineRow)}


def test_machines_of_one_name_are_told_apart_by_time_and_then_by_number() -> None:
    """A report must not show two columns of one name."""
    run, _, _ = example_run(1)
    view = view_run(RunFolder(Path("nowhere"), run, ()))
    later = view_run(RunFolder(Path("nowhere"), dataclasses.replace(run, started_at="2026-11-25"), ()))
    name = view.machine_name

    assert column_names([view]) == (name,)
    assert column_names([view, later]) == (f"{name}, 2026-11-24T18:00:00Z", f"{name}, 2026-11-25")
    assert len(set(column_names([view, view]))) == 2


def test_rows_meet_whatever_number_of_connections_suits_each_machine() -> None:
    """64 here and 400 there are the same row of the document."""
    run, trials, _ = example_run(2, threads=(1,))
    cells = tuple(dataclasses.replace(cell, connections=400) for cell in run.cells)
    other = RunFolder(Path("nowhere"), dataclasses.replace(run, cells=cells, machine_title="network"), trials)
    views = [view_run(RunFolder(Path("nowhere"), run, trials)), view_run(other)]
    table = machine_tables([(view, build_tables(view)) for view in views])[0]

    assert [column.note for column in table.columns] == ["64 connections", "400 connections", "published"]
    assert all(entry and entry.rate for entry in row(table, "initial state").entries)


def test_the_page_begins_with_all_machines(folders: list[RunFolder]) -> None:
    """A single run has no such section."""
    text = render_report(folders)

    assert text.index('id="machines"') < text.index('id="answers"')
    assert 'aria-label="Contents of network"' in text
    assert 'id="machines"' not in render_report(folders[:1])
