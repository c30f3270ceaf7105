"""What every export is made from: the answers, flattened, and the trials."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from reports.exports.columns import Record
from reports.exports.numbers import DUET_COLUMNS, ROW_COLUMNS, TRIAL_COLUMNS, Numbers, numbers_of
from reports.forms.answers import Figure, RowData, RunData
from runners.records.run import RunFolder
from runners.stats.histogram import decode, merge
from tests.support.example_run import example_run
from tests.support.small_run import duet_run, small_run


def figure(record: Record, name: str) -> Figure | None:
    """Return a figure of a record as the answers have it."""
    value, low, high, level, count = (record[f"{name}{end}"] for end in ("", "_low", "_high", "_level", "_count"))
    return None if value is None else Figure(value, low, high, level, count)  # type: ignore[arg-type]


def test_rows_are_those_of_the_answers_in_their_order(numbers: Numbers, answers: RunData) -> None:
    """No export says anything else than the report."""
    told = [(table.title, row.name, row.status, row.trials_valid) for table in answers.tables for row in table.rows]
    assert [(row["table"], row["name"], row["status"], row["trials_valid"]) for row in numbers.rows.records] == told


def test_every_figure_of_a_row_is_exact(numbers: Numbers, answers: RunData) -> None:
    """To the last bit, with its interval."""
    rows = [row for table in answers.tables for row in table.rows]
    names = [field.name for field in dataclasses.fields(RowData) if "Figure" in str(field.type)]
    assert len(names) == 4
    for record, row in zip(numbers.rows.records, rows, strict=True):
        assert [figure(record, name) for name in names] == [getattr(row, name) for name in names]


def test_a_comparison_is_flattened_under_its_name(numbers: Numbers, answers: RunData) -> None:
    """Verdict, ratio, interval and margin each have a column."""
    rows = [row for table in answers.tables for row in table.rows]
    found = [(row, record) for row, record in zip(rows, numbers.rows.records, strict=True) if row.comparison]
    assert found
    for row, record in found:
        told = dataclasses.asdict(row.comparison)  # type: ignore[arg-type]
        assert {name: record[f"comparison_{name}"] for name in told} == told


def test_every_record_says_of_which_run_it_is(numbers: Numbers) -> None:
    """Folder, machine and date, so that files of several runs can be put together."""
    heads = {
        (record["run"], record["machine"], record["run_started_at"])
        for sheet in (numbers.rows, numbers.duets, numbers.trials)
        for record in sheet.records
    }
    assert heads == {("example", "local", "2026-11-24T18:00:00Z")}


def test_columns_are_named_once_and_in_the_same_order_in_every_record(numbers: Numbers) -> None:
    """No two fields share a column."""
    for sheet in (numbers.rows, numbers.duets, numbers.trials):
        assert len(set(sheet.names)) == len(sheet.names)
        assert {tuple(record) for record in sheet.records} == {sheet.names}


def test_what_is_in_a_column_has_the_column_s_type(numbers: Numbers) -> None:
    """A whole number may stand in a column of numbers."""
    for sheet in (numbers.rows, numbers.duets, numbers.trials):
        for column in sheet.columns:
            kinds = {type(record[column.name]) for record in sheet.records} - {type(None)}
            assert kinds <= ({float, int} if column.kind is float else {column.kind}), column


def test_every_trial_is_exported_with_its_verdict(numbers: Numbers) -> None:
    """Those that do not count are marked, not left out."""
    _, trials, _ = example_run()
    records = numbers.trials.records
    assert [(record["cell"], record["verdict"], record["requests_per_s"]) for record in records] == [
        (trial.cell, trial.verdict, trial.requests_per_s) for trial in trials
    ]
    (invalid,) = (record for record in records if not record["counts"])
    assert (invalid["verdict"], invalid["checks_failed"]) == ("invalid", "V1")


def test_a_cell_s_histogram_is_that_of_its_trials_that_count(numbers: Numbers) -> None:
    """Merged without loss."""
    _, trials, _ = example_run()
    slug = "go/t1/c64/persistent"
    counted = [trial for trial in trials if trial.slug == slug and trial.verdict == "ok" and trial.latency]
    assert numbers.histograms[slug] == merge(decode(trial.latency or "") for trial in counted)


def test_a_run_of_duets_alone_has_its_pairs() -> None:
    """And no rows, as in the report."""
    numbers = numbers_of([duet_run({"a": 1.0, "b": 2.0})])
    assert numbers.rows.records == ()
    assert [(each["name"], each["twin"]) for each in numbers.duets.records] == [("b", False), ("a (twin)", True)]
    assert numbers.duets.records[0]["comparison_verdict"] == "costlier"


def test_cells_of_several_runs_are_told_apart() -> None:
    """By the name of their folder, in front."""
    one = small_run({"a": 1.0, "b": 2.0})
    other = RunFolder(Path("elsewhere"), one.run, one.trials)
    assert list(numbers_of([one, other]).measured) == [
        f"{run}/{server}/t1/c64/persistent" for run in ("nowhere", "elsewhere") for server in ("a", "b")
    ]


def test_column_names_end_with_their_unit() -> None:
    """What has a dimension says in what it is."""
    units = ("_us", "_s", "_bytes", "_per_request", "_low", "_high", "_level", "_count")
    measured = ("latency", "requests_per", "cpu", "rss", "duration", "start_us", "bytes")
    named = {column.name for column in (*ROW_COLUMNS, *DUET_COLUMNS, *TRIAL_COLUMNS) if column.kind is float}
    dimensioned = {name for name in named if any(word in name for word in measured) and not name.endswith("_share")}
    assert dimensioned
    assert {name for name in dimensioned if not name.endswith(units)} == set()
