"""What a reader calls rows, cells and load generators."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from reports.tables.tables import build_tables
from reports.view.names import differences, with_server
from reports.view.view import view_run
from runners.records.run import CellInfo, RunFolder
from tests.support.example_run import example_run
from tests.support.small_run import small_run


@pytest.mark.parametrize(
    ("title", "server", "name"),
    [
        ("initial state", "asynchttp", "asynchttp, initial state"),
        ("with --gc:boehm", "asynchttp", "asynchttp with --gc:boehm"),
        ("(671afcd)", "asynchttp", "asynchttp (671afcd)"),
        ("2 threads", "asynchttp", "asynchttp, 2 threads"),
        ("h2o (http 1.1)", "h2o", "h2o (http 1.1)"),
        ("python epoll", "python_epoll", "python epoll"),
    ],
)
def test_a_row_is_named_with_its_server(title: str, server: str, name: str) -> None:
    """A title that makes sense in its table alone says nothing in a sentence."""
    assert with_server(title, server, server) == name


def test_a_title_may_name_the_server_by_its_own_title() -> None:
    """Or by its name in the matrix."""
    assert with_server("Boost.Beast (1 thr.)", "Boost.Beast", "beast") == "Boost.Beast (1 thr.)"
    assert with_server("the least", "Boost.Beast", "beast") == "Boost.Beast, the least"


def test_cells_differ_in_what_is_said_of_them() -> None:
    """In nothing that they have in common, and not in what is left out."""
    one = small_run({"a": 1.0}).run.cells[0]
    other = dataclasses.replace(one, connections=1, load="locust")

    assert differences(one, [one]) == ""
    assert differences(other, [one, other]) == "1 connection, Locust"
    assert differences(one, [one, other], but=["connections"]) == "wrk"


@pytest.mark.parametrize(("load", "name"), [("wrk", "wrk"), ("h2load", "h2load"), ("locust", "Locust")])
def test_a_historic_row_names_the_generator_that_counted(load: str, name: str) -> None:
    """Whatever loaded it, its numbers are no answers."""
    run, trials, _ = example_run(1)
    cells = tuple(_historic(cell, load) for cell in run.cells)
    spoilt = tuple(dataclasses.replace(one, verdict="invalid") if one.server == "epoll" else one for one in trials)
    table = build_tables(view_run(RunFolder(Path("nowhere"), dataclasses.replace(run, cells=cells), spoilt)))[1]
    epoll = next(row for row in table.measurable if row.label == "epoll")

    assert epoll.status == "invalid"
    assert epoll.reason.startswith(f"{name} counted 8")
    assert " responses per second, but they did not answer its requests: " in epoll.reason


def _historic(cell: CellInfo, load: str) -> CellInfo:
    return dataclasses.replace(cell, load=load, class_="historic" if cell.server == "epoll" else cell.class_)
