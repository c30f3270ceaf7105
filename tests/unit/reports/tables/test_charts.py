"""The first screen's charts: who is ahead, by how much, how sure, and who is left out."""

from __future__ import annotations

import dataclasses

import pytest

from reports.tables.charts import Chart, chart_of
from reports.tables.tables import build_tables
from reports.view.view import view_run
from runners.records.trial import Check
from tests.support.small_run import small_run
from tests.unit.reports.tables.test_tables import example_tables


def chart(*args: object, **options: object) -> Chart:
    """Return the chart of a small run."""
    return chart_of(build_tables(view_run(small_run(*args, **options)))[0])  # type: ignore[arg-type]


def test_bars_are_multiples_of_the_baseline_the_best_first() -> None:
    """With the interval that decides, and the row's place."""
    found = chart({"a": 1.0, "b": 2.0, "c": 1.5})

    assert [bar.row.name for bar in found.bars] == ["b", "c", "a"]
    assert [bar.value for bar in found.bars] == pytest.approx([2.0, 1.5, 1.0], rel=0.02)
    assert [bar.place for bar in found.bars] == ["1", "2", "3"]
    assert all(bar.interval and bar.interval.low <= bar.value <= bar.interval.high for bar in found.bars)
    assert found.factors
    assert (found.baseline, found.work) == ("a", "requests per second")
    assert found.longest == max(bar.interval.high for bar in found.bars if bar.interval)


def test_a_cheaper_row_has_a_longer_bar() -> None:
    """Where costs decide, a bar is what a second of CPU time answers."""
    found = chart({"a": 1.0, "b": 2.0}, bound="client")

    assert [bar.row.name for bar in found.bars] == ["b", "a"]
    assert found.bars[0].value == pytest.approx(2.0, rel=0.02)
    assert found.bars[0].says == "50.0 % less CPU"
    assert found.work == "requests per CPU second"


def test_ties_share_a_place() -> None:
    """They stay ties."""
    found = chart({"a": 1.0, "b": 2.0, "c": 2.0})

    assert [(bar.row.name, bar.place, bar.tied) for bar in found.bars if bar.row.name != "a"] == [
        ("b", "1=", True), ("c", "1=", True),
    ] or [bar.row.name for bar in found.bars][:2] == ["c", "b"]  # fmt: skip
    assert [bar.tied for bar in found.bars] == [True, True, False]


def test_what_is_not_resolved_has_a_bar_without_an_interval() -> None:
    """And no place; it says how much longer to measure."""
    found = chart({"a": 1.0, "b": 2.0}, blocks=3)
    b = found.bars[0]

    assert (b.row.name, b.interval, b.place) == ("b", None, "")
    assert b.says.startswith("not resolved: about ")


def test_noise_draws_rates_and_no_factors() -> None:
    """Nobody is said to be ahead; the published numbers of another machine are not beside them."""
    folder = small_run({"a": 1.0, "b": 2.0})
    calm = Check("V15", "calm machine", "fail", "other programs used 93 % of a CPU")
    trials = tuple(dataclasses.replace(trial, verdict="invalid", checks=(calm,)) for trial in folder.trials)
    found = chart_of(build_tables(view_run(dataclasses.replace(folder, trials=trials)))[0])

    assert not found.factors
    assert [(bar.row.name, bar.says, bar.place) for bar in found.bars] == [("a", "noisy", ""), ("b", "noisy", "")]


def test_rows_without_a_bar_say_why_and_none_is_lost() -> None:
    """Those of one reason together."""
    for table in example_tables():
        found = chart_of(table)
        rows = [bar.row for bar in found.bars] + [row for group in found.left_out for row in group.rows]

        assert sorted(map(id, rows)) == sorted(map(id, table.measurable))
        assert all(group.reason for group in found.left_out)
    standard = {group.reason: len(group.rows) for group in chart_of(example_tables()[0]).left_out}
    assert standard["unavailable: not written yet"] == 3
    assert standard["failed: build failed: could not load: libgc.so"] == 1


def test_the_published_number_of_then_is_a_multiple_of_the_same_row() -> None:
    """As the document has it: epoll 6.32 times asynchttp."""
    found = chart_of(example_tables()[1])

    assert found.then == "Core2Quad Q9300, 2015"
    assert [round(bar.then or 0, 2) for bar in found.bars] == [6.32, 1.0]
