"""What a cell's requests got: the requests of a mix, and answers that were read under load."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from reports.tables.tables import build_tables
from reports.view.asked import PartView, parts_of
from reports.view.rows import cell_row
from reports.view.view import view_run
from runners.records.run import CellInfo, RunFolder
from runners.records.trial import Check, Outcome, Part, Trial
from runners.stats.histogram import encode
from tests.support.example_run import example_run


def measured() -> tuple[CellInfo, Trial]:
    """Return a cell that was measured, and one of its trials."""
    run, trials, _ = example_run()
    trial = next(trial for trial in trials if trial.design == "solo" and trial.verdict == "ok")
    return next(cell for cell in run.cells if cell.id == trial.cell), trial


def checked(outcome: Outcome) -> Trial:
    """Return the trial in which a checker read the cell's answers."""
    check = Check("V24", "response length", outcome, "3 of 9 answers under load were wrong")
    return dataclasses.replace(measured()[1], design="checked", family="x/checked", verdict="ok", checks=(check,))


def folder(more: Sequence[Trial] = ()) -> RunFolder:
    """Return the example run with more trials."""
    run, trials, _ = example_run()
    return RunFolder(Path("x"), run, (*trials, *more))


def test_wrong_answers_under_load_take_the_number_from_a_row() -> None:
    """However fast they were, and whatever its other trials counted: the reason stands in their place."""
    cell, _ = measured()
    row = cell_row(cell, cell.title, "", view_run(folder([checked("fail")])))
    assert (row.status, row.rps, row.trials) == ("invalid", None, ())
    assert row.reason == "3 of 9 answers under load were wrong"
    kept = cell_row(cell, cell.title, "", view_run(folder([checked("pass")])))
    assert kept.rps == cell_row(cell, cell.title, "", view_run(folder())).rps is not None


def test_duets_say_nothing_of_a_server_with_wrong_answers() -> None:
    """It would win them: wrong answers are cheap."""
    ranked = {name for table in build_tables(view_run(folder())) for name in (*table.decisions, *table.places)}
    trials = example_run()[1]
    one = next(t for t in trials if t.design == "duet" and t.verdict == "ok" and t.cell in ranked)
    lies = dataclasses.replace(checked("fail"), cell=one.cell)
    for table in build_tables(view_run(folder([lies]))):
        assert one.cell not in {*table.decisions, *table.places}
        assert [row for row in table.measurable if row.cell and row.cell.id == one.cell and row.baseline] == []


def test_the_requests_of_a_mix_are_added_up_over_trials() -> None:
    """The most frequent first; a percentile needs enough answers above it."""
    one = (Part("a", 20, encode({100: 20})), Part("b", 1, encode({500: 1})))
    trial = dataclasses.replace(measured()[1], parts=one)
    bad = dataclasses.replace(trial, verdict="invalid")
    assert parts_of([trial, trial, bad]) == (
        PartView("a", 40, 40 / 42, 100, None),
        PartView("b", 2, 2 / 42, None, None),
    )
