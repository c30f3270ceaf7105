"""The document's own form."""

from __future__ import annotations

from pathlib import Path

from reports.forms.text import render_text, text_measured, text_published
from reports.tables.tables import build_tables
from reports.view.view import RunView, view_run
from runners.records.folder import read_folder
from runners.records.run import Run, RunFolder
from tests.support import ROOT
from tests.support.example_run import example_run, of_the_document

DOCUMENT = ROOT / "tests/support/document.md"  # the README of 2015, whole


def table_lines(text: str) -> list[str]:
    """Return the rows and headings of all tables, spaces and all; not the command lines and the units above them."""
    indented = [line.rstrip() for line in text.splitlines() if line.startswith("    ")]
    return [line for line in indented if line and line.split()[0] not in ("wrk", "rqs/s")]


def example_view(blocks: int = 6) -> RunView:
    """Return the view of the synthetic run."""
    run, trials, _ = example_run(blocks)
    return view_run(RunFolder(Path("nowhere"), run, trials))


def test_the_published_runs_as_text_are_the_tables_of_the_document() -> None:
    """Every name and number, line for line, spaces and all, in its order, and nothing else."""
    text = render_text([read_folder(folder) for folder in sorted((ROOT / "published").glob("2015-*"))])

    assert table_lines(text) == table_lines(DOCUMENT.read_text(encoding="utf-8"))
    assert len(table_lines(text)) == 41
    assert "\n    wrk -c 400 -d 10 -t 12 http://localhost:8080\n" in text
    assert "\n    wrk -c 800 -d 10 -t 24 http://127.0.0.1:8080/\n" in text


def test_the_published_numbers_beside_a_run_are_those_of_the_document() -> None:
    """Whatever was measured."""
    run, trials, _ = example_run()
    view = view_run(RunFolder(Path("nowhere"), of_the_document(run), trials))

    assert table_lines(text_published(view, build_tables(view))) == table_lines(DOCUMENT.read_text(encoding="utf-8"))


def test_the_measured_numbers_take_the_same_form() -> None:
    """A row without a number shows a dash and its status; what limits a number stands in brackets."""
    view = example_view()
    text = text_measured(view, build_tables(view))

    assert text.startswith("# Nim HTTP Speedup\n\nI'm experimenting")
    assert "\n    wrk -c 64 -d 1 -t 1 --timeout 3s http://127.0.0.1:8080/\n" in text
    assert "\n    jester              - (unavailable)\n" in text
    assert "\n    epoll           88981 (with edge-triggering)\n" in text
    assert "\n    2 threads                          16327 (shared CPUs)\n" in text
    assert "\n    h2o (http 1.1)   89357 (at least: limited by the load generator)\n" in text
    assert all(line == line.rstrip() for line in text.splitlines())


def test_a_command_line_stands_once_until_it_changes() -> None:
    """As in the document: tables measured alike share it."""
    view = example_view()

    assert text_measured(view, build_tables(view)).count("wrk -c 64") == 1


def test_a_report_as_text_says_first_what_must_be_known() -> None:
    """Answers and warnings above the tables, whether the numbers agree below, published numbers last."""
    run, trials, _ = example_run()
    text = render_text([RunFolder(Path("nowhere"), run, trials)])
    marks = [
        "## Answers", "asynchttp needs 6.23 times as", "## Before you read the numbers",
        "- error: asynchttp.boehm did not build", "## Optimizing standard library", "    initial state",
        "## Consistency", "# Published numbers",
    ]  # fmt: skip

    assert [text.index(mark) for mark in marks] == sorted(text.index(mark) for mark in marks)
    assert all(line == line.rstrip() for line in text.splitlines())


def test_several_runs_stand_one_after_another() -> None:
    """Published ones only add their numbers."""
    run, trials, _ = example_run(1)
    measured = RunFolder(Path("nowhere"), run, trials)
    published = [read_folder(folder) for folder in sorted((ROOT / "published").glob("2015-*"))]
    text = render_text([measured, *published, measured])

    assert text.count("\n## Answers\n") == 2
    assert text.count("\n# Published numbers\n") == 2


def test_published_numbers_that_no_table_names_are_shown_as_they_are() -> None:
    """Nothing is lost for want of a table."""
    folder = read_folder(ROOT / "published" / "2015-xeon-e5-2680")
    machine = RunFolder(folder.path, Run("published", "elsewhere"), folder.trials)

    text = render_text([machine])

    assert "## Other cells, persistent connections" in text
    assert "    epoll          1532484 (16 threads)\n" in text
