"""What the report of a large run leaves out, and that it says so."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from benchmarks.report_scale import write_synthetic
from reports.forms.page.folds import build_folds
from reports.forms.page.html import render_report
from reports.forms.page.pages import MOST_BARS, MOST_MORE_BARS
from reports.forms.writing import write_as
from reports.tables.charts import chart_of
from reports.tables.tables import build_tables
from reports.view import limits
from reports.view.limits import MOST_OUTPUTS, Limits, read_for_report
from reports.view.rows import Row
from reports.view.view import view_run
from runners.errors import BadInput
from runners.records.folder import read_folder
from runners.records.lines import opened, sealed
from runners.records.run import RunFolder
from tests.support.example_run import example_run, write_example

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the run folder of 100 cells with 10 trials each."""
    folder = tmp_path_factory.mktemp("large") / "run"
    write_synthetic(folder, 100, 10)
    return folder


def ratios(row: Row) -> tuple[object, ...]:
    """Return what a table shows of a row's comparison."""
    to = row.comparison
    return (to.ratio, to.cost) if to else ()


def test_a_usual_run_is_shown_whole() -> None:
    """Up to the limits, in words too."""
    assert Limits(MOST_OUTPUTS).left_out == ""
    assert Limits(MOST_OUTPUTS + 1).left_out == (
        "This run has 81 trials. The page shows the commands and output of each cell's first trial and of up to 80"
        " trials that do not count; the file of outputs under Data has those of every trial."
    )
    assert Limits(limits.MOST_DETAILED).details
    assert Limits(limits.MOST_FOLDED).folds
    assert "left out" in Limits(limits.MOST_FOLDED + 1).left_out


def test_a_large_run_has_short_rows_for_all_trials_and_says_so(large: Path) -> None:
    """Every trial's rate is there; commands are those of the first trials."""
    text = render_report([read_folder(large)])
    folds = build_folds(view_run(read_folder(large)))

    assert "This run has 1000 trials. The page shows a short row for each" in text
    assert sum(len(fold.trials) for fold in folds) == 1000
    assert [[bool(item.commands) for item in fold.trials] for fold in folds] == [[True] + [False] * 9] * 100
    assert "over time</th>" not in text
    assert len(text) < 1_400_000


def test_what_does_not_count_keeps_its_output_beside_each_cells_first(large: Path) -> None:
    """Where very much failed, the page has some of it, and every cell still has its first trial's."""
    folder = read_folder(large)
    bad = tuple(dataclasses.replace(trial, verdict="failed", reason="crashed") for trial in folder.trials[500:])
    folds = build_folds(view_run(dataclasses.replace(folder, trials=(*folder.trials[:500], *bad))))
    told = [item.trial for fold in folds for item in fold.trials if item.commands]

    assert all(fold.trials[0].commands for fold in folds)
    assert [trial.verdict for trial in told].count("failed") == MOST_OUTPUTS


def test_the_page_says_which_trials_output_it_holds() -> None:
    """Every trial's in a small run; above the limit, that it has no more than the rest of the page promises."""
    run, trials, _ = example_run()
    few = tuple(trial for trial in trials if trial.pair is None and trial.block == 0)
    whole, part = (render_report([RunFolder(Path("nowhere"), run, some)]) for some in (few, trials))

    assert "Commands and output are those of every trial;" in whole
    assert "Commands and output are those of each cell&#39;s first trial and of up to 80 trials" in part


def test_damage_to_a_very_large_run_is_told_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lines are read in another way, and not less carefully."""
    folder = tmp_path / "run"
    write_synthetic(folder, 2, 2)
    lines = (folder / "trials.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "trials.jsonl").write_bytes(b"".join([lines[0].replace(b'"', b"'", 1), *lines[1:]]))
    monkeypatch.setattr(limits, "MOST_FOLDED", 1)
    assert read_for_report(folder).damaged_lines == 1


def test_a_very_large_run_has_its_tables_only(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same numbers as otherwise; no link leads to a cell that cannot be unfolded."""
    full = build_tables(view_run(read_folder(large)))
    monkeypatch.setattr(limits, "MOST_FOLDED", 500)
    folder = read_for_report(large)
    lean = build_tables(view_run(folder))
    text = write_as([large], "html").read_text(encoding="utf-8")

    assert all(trial.evidence is None and trial.latency is None for trial in folder.trials)
    assert [(row.label, row.rps, ratios(row)) for table in lean for row in table.measured] == [
        (row.label, row.rps, ratios(row)) for table in full for row in table.measured
    ]
    assert [table.checks for table in lean] == [table.checks for table in full]
    assert "1000 trials are too many for one page" in text
    assert 'href="#cell-' not in text
    assert 'id="latency"' not in text


def test_a_trial_in_another_order_of_fields_is_read_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only lines as we write them are cut short; what another version wrote is told with its line."""
    monkeypatch.setattr(limits, "MOST_FOLDED", 1)
    made = write_example(tmp_path / "run", 1)
    file = made / "trials.jsonl"
    first, second, *_ = file.read_bytes().splitlines(keepends=True)
    turned = json.dumps(dict(reversed(json.loads(opened(second)).items())))
    file.write_bytes(first + sealed(turned))

    assert [trial.cell for trial in read_for_report(made).trials] == [trial.cell for trial in example_run(1)[1][:2]]
    for wrong in ('{"cell": []}', '{"cell": 1}', "{no JSON}"):
        file.write_bytes(first + sealed(wrong))
        with pytest.raises(BadInput, match=r"trials\.jsonl:2: "):
            read_for_report(made)


def test_the_first_screen_draws_some_of_many_rows(large: Path) -> None:
    """A click unfolds more, and the page says how many only the table has."""
    rows = len(chart_of(build_tables(view_run(read_folder(large)))[0]).bars)
    text = write_as([large], "html").read_text(encoding="utf-8")
    first = text[text.index('class="answer"') : text.index('class="answer"', text.index('class="answer"') + 1)]

    assert first.count('class="track"') == MOST_MORE_BARS < rows
    assert f"{rows - MOST_BARS} more rows" in first
    assert f"{rows - MOST_MORE_BARS} more are in " in first


def test_counters_over_time_are_shown_for_the_first_trial_of_each_cell() -> None:
    """Those that were sampled all the time, with their range; CPU time as CPUs in use."""
    run, trials, _ = example_run(2)
    folds = build_folds(view_run(RunFolder(Path("nowhere"), run, trials)))
    first, second, *_ = next(fold for fold in folds if fold.cell.server == "epoll").trials

    assert [counter.name for counter in first.counters] == [
        "connections open", "server memory", "server CPU time",
    ]  # fmt: skip
    assert (first.counters[2].low, first.counters[2].high) == pytest.approx((0.98, 0.98))
    assert second.counters == ()
