"""A history shows ratios alone, marks only what is sure, and stays small and harmless whoever wrote its lines."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from reports.changes.change import change_of
from reports.changes.change_words import sentences
from reports.changes.history import SCHEMA, Entry, Figure, entry_of_change, entry_of_run, series_of
from reports.changes.recorded import recorded
from reports.forms.history import history, read_lines, render_history, render_history_json, to_line
from runners.records.run import Run, RunFolder
from tests.support.changes import Truth, comparison
from tests.support.small_run import duet_run, small_run

HOSTILE = "</script><img src=x onerror=alert(1)>\x1b[2J"


def compared(at: int, **truth: float) -> Entry:
    """Return a comparison at a time, with these true ratios."""
    made = comparison(Truth(seed=at, **truth))  # type: ignore[arg-type]
    change = change_of([made])
    stamp = f"2026-01-01T{at // 60:02}:{at % 60:02}:00"
    return entry_of_change(change, replace(made.run, started_at=stamp), sentences(change))


def ran(at: int, folder: RunFolder, machine: str = "here") -> Entry:
    """Return a run at a time on a machine."""
    run: Run = replace(folder.run, started_at=f"2026-01-02T00:{at:02}:00", machine=machine)
    return entry_of_run(recorded(replace(folder, run=run, path=Path(f"run-{at}"))))


def marks(entries: list[Entry], figure: str) -> list[str]:
    """Return the marks of a figure over time."""
    return [point.mark for each in series_of(entries) if each.key[-1] == figure for point in each.points]


def test_a_comparison_that_differs_is_marked_and_others_are_not() -> None:
    """At a level at which all marks hold together."""
    assert marks([compared(1), compared(2, cpu=1.1), compared(3)], "cpu") == ["", "worse", ""]


def test_many_comparisons_of_the_same_program_have_no_mark() -> None:
    """Five hundred figures give no false one."""
    entries = [compared(at) for at in range(70)]
    assert [point.mark for each in series_of(entries) for point in each.points if point.mark] == []


def test_a_run_is_marked_where_its_ratio_to_the_ruler_differs_from_the_last_one_of_its_machine() -> None:
    """Another machine begins anew, and the rate itself means nothing: here it halves all the time."""
    entries = [
        ran(1, small_run({"floor": 2, "mine": 1}, blocks=20)),
        ran(2, small_run({"floor": 1, "mine": 0.5}, blocks=20)),
        ran(3, small_run({"floor": 1, "mine": 0.4}, blocks=20), "elsewhere"),
        ran(4, small_run({"floor": 1, "mine": 0.4}, blocks=20)),
    ]
    assert marks(entries, "rate") == ["", "", "", "worse"]


def test_duets_of_a_run_count_as_well() -> None:
    """They compare CPU time."""
    entries = [
        ran(1, duet_run({"floor": 1.0, "mine": 2.0}, blocks=20)),
        ran(2, duet_run({"floor": 1.0, "mine": 2.2}, blocks=20)),
    ]
    assert marks(entries, "cpu") == ["", "worse"]


def test_lines_are_read_back_as_they_were_written_and_damaged_ones_are_named() -> None:
    """In the order of their time."""
    late, early = compared(9), compared(1)
    found = read_lines("f", [to_line(late), "{", "", to_line(early)])
    assert found.entries == (early, late)
    assert [each.split(":")[0] for each in found.left_out] == ["line 2"]


def test_numbers_that_nobody_measured_are_left_out() -> None:
    """They would break the page, or take forever."""
    for logs in ((1e300,), (float("inf"),), (0.0,) * 5000):
        figure = Figure("cpu", "duet", "persistent", "", "", "old", (logs,))
        line = to_line(replace(compared(1), figures=(figure,)))
        assert read_lines("f", [line]).entries == ()


def test_figures_of_another_version_are_passed_over() -> None:
    """What is not known is not shown."""
    figure = Figure("beauty", "duet", "persistent", "", "", "old", ((0.1,) * 9,))
    assert series_of([replace(compared(1), figures=(figure,))]) == ()


def test_the_page_loads_nothing_and_escapes_everything() -> None:
    """Anybody may have written a line."""
    hostile = Entry(SCHEMA, "comparison", HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, (
        Figure("cpu", "duet", HOSTILE, HOSTILE, HOSTILE, HOSTILE, ((0.1,) * 9,)),
    ))  # fmt: skip
    page = render_history(history(HOSTILE, [hostile, compared(1)], [HOSTILE]))
    assert "<img" not in page
    assert "\x1b" not in page
    assert re.findall(r'(?:src|href)="(?!data:)[^"]*"', page) == []
    assert "default-src 'none'" in page


def test_a_page_of_five_hundred_records_stays_small() -> None:
    """At most 2 MB, with seven figures in two modes each."""
    kinds = [
        comparison(Truth(seed=seed, cpu=1 + seed / 50, modes=("persistent", "non-persistent"))) for seed in range(3)
    ]
    changes = [(change_of([made]), made.run) for made in kinds]
    entries = [
        replace(entry_of_change(change, run, sentences(change)), at=f"2026-01-01T00:{at // 60:02}:{at % 60:02}")
        for at, (change, run) in ((at, changes[at % 3]) for at in range(500))
    ]
    assert len(render_history(history("f", entries)).encode()) < 2_000_000


def test_json_has_each_ratio_with_its_interval_and_the_marked_changes() -> None:
    """For programs."""
    found = json.loads(render_history_json(history("f", [compared(1), compared(2, cpu=0.9)])))
    cpu = next(each for each in found["series"] if each["figure"] == "cpu")
    assert [point["change"] for point in cpu["points"]] == [None, "better"]
    assert cpu["points"][1]["low"] < cpu["points"][1]["ratio"] < cpu["points"][1]["high"]
    assert found["entries"][0]["new"] == "new"


@pytest.mark.parametrize("entries", [[], [compared(1, blocks=2)]])
def test_little_is_shown_as_little(entries: list[Entry]) -> None:
    """No interval, no mark."""
    assert "Marked: 1" not in render_history(history("f", entries))
