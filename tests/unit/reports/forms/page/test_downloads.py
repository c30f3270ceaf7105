"""The numbers inside the page: what a spreadsheet and a program read from its data: links."""

from __future__ import annotations

import base64
import csv
import dataclasses
import gzip
import json
import statistics
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from reports.forms.page import downloads as data
from reports.forms.page.downloads import Download, downloads, to_csv
from reports.forms.page.folds import build_folds
from reports.forms.page.html import render_report
from reports.tables.tables import build_tables
from reports.view.view import RunView, view_run
from runners.records.run import RunFolder
from tests.support.example_run import example_run, hostile, hostile_matrix, write_folder


@cache
def example() -> RunView:
    """Return the view of the synthetic run."""
    run, trials, _ = example_run()
    return view_run(RunFolder(Path("nowhere"), run, trials))


@cache
def files(view: RunView | None = None) -> tuple[Download, ...]:
    """Return the files that its page offers."""
    view = view or example()
    return downloads(view, build_tables(view), build_folds(view))


def content(file: Download) -> str:
    """Return what a file holds, as a browser decodes its link."""
    head, _, body = file.href.partition(",")
    assert head.startswith("data:")
    return unquote(body)


def rows() -> list[dict[str, str]]:
    """Return the rows of the CSV."""
    return list(csv.DictReader(content(files()[0]).splitlines()))


def test_the_csv_holds_every_row_of_the_tables() -> None:
    """In their order; what is unknown is empty."""
    labels = [row.label for table in build_tables(example()) for row in table.measurable]
    absent = next(row for row in rows() if row["row"] == "jester")

    assert [row["row"] for row in rows()] == labels
    assert (absent["status"], absent["reason"], absent["requests_per_s"]) == ("unavailable", "not written yet", "")
    assert absent["published_requests_per_s"] == "6597"


def test_a_row_holds_what_its_table_says() -> None:
    """Median, interval, ratio, verdict, cost, latency."""
    row = next(row for row in rows() if row["row"] == "with --gc:markandsweep")
    rates = [trial.requests_per_s or 0 for trial in example().trials[cell_named("asynchttp.markandsweep/t1/")]]

    assert float(row["requests_per_s"]) == pytest.approx(statistics.median(rates), rel=1e-5)
    assert (row["verdict"], row["rank"], row["trials_valid"]) == ("cheaper", "1", "6")
    assert float(row["requests_per_s_low"]) < float(row["requests_per_s"]) < float(row["requests_per_s_high"])
    assert (round(float(row["ratio_to_baseline"]), 2), row["mode"], row["connections"]) == (1.21, "persistent", "64")
    assert 0 < int(row["latency_p50_us"]) <= int(row["latency_p99_us"]) <= int(row["latency_max_us"])


def cell_named(beginning: str) -> str:
    """Return the id of the first cell that begins so."""
    return next(cell.id for cell in example().cells if cell.id.startswith(beginning))


def test_the_json_holds_every_trial() -> None:
    """With the columns named once, and who ran beside whom."""
    told: dict[str, Any] = json.loads(content(files()[1]))
    trials = [dict(zip(told["columns"], row, strict=True)) for cell in told["cells"] for row in cell["trials"]]
    first = example().folder.trials[0]
    same = next(trial for trial in trials if trial["requests"] == first.requests)

    assert len(trials) == len(example().folder.trials)
    assert same["duration_us"] == first.duration_us
    assert same["server_cpu_us_per_request"] == pytest.approx(first.server_cpu_us_per_request, rel=1e-5)
    assert same["offered_per_s"] is None
    pairs = [
        {cell["cell"], told["cells"][row[-1]]["cell"]} for cell in told["cells"] for row in cell["trials"] if row[-1]
    ]
    assert pairs
    assert all(tuple(sorted(pair)) in {trial.pair for trial in example().folder.trials} for pair in pairs)


def test_a_text_that_a_spreadsheet_would_run_is_kept_from_it() -> None:
    """Names may begin with anything."""
    assert to_csv([{"a": "=1+1", "b": -1.5, "c": None, "d": 'x,"y"\n'}]) == 'a,b,c,d\n\'=1+1,-1.5,,"x,""y"""\n'


def test_hostile_text_stays_inside_the_link() -> None:
    """Nothing in it ends the attribute, and it comes out as it went in."""
    run, trials, _ = example_run(1)
    run = dataclasses.replace(hostile(run), matrix=hostile_matrix(run.matrix))
    view = view_run(RunFolder(Path("nowhere"), run, hostile(trials)))
    made = downloads(view, build_tables(view), build_folds(view))

    assert not any(character in file.href for file in made for character in "\"'<>&# \n")
    assert all(character not in file.name for file in made for character in "\"'<>&/\\ ")
    assert "<script>alert(1)</script>" in content(made[0])
    assert json.loads(content(made[1]))["cells"]


@pytest.mark.parametrize(("name", "value"), [("MOST_CHARACTERS", 25_000), ("LEAST_CHARACTERS", 2000)])
def test_what_is_too_large_is_left_out_and_said(
    name: str, value: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The page stays one that can be mailed."""
    monkeypatch.setattr(data, name, value)
    run, trials, _ = example_run()
    text = render_report([RunFolder(tmp_path, run, trials)])

    assert '-rows.csv" href=' in text
    assert '-trials.json" href=' not in text
    said = f"{len(trials)} trials, as JSON, too large for this file; the run folder has it in <code>trials.jsonl</code>"
    assert said in text


def test_the_files_are_small() -> None:
    """Less than 150 characters for a trial, 300 for a row."""
    table, trials, _ = files()

    assert len(table.href) < 300 * len(rows()) + 1000
    assert len(trials.href) < 150 * len(example().folder.trials)


def test_commands_and_output_of_every_trial_are_in_the_page(tmp_path: Path) -> None:
    """A run of which the page shows only some has them all as one compressed text, the same every time."""
    run, trials, logs = example_run()
    view = view_run(RunFolder(write_folder(tmp_path / "run", run, trials, logs), run, trials))
    file = downloads(view, build_tables(view), build_folds(view))[-1]
    text = gzip.decompress(base64.b64decode(file.href.partition(",")[2])).decode()

    assert file.name.endswith("-outputs.txt.gz")
    assert text.count("## ") == len(trials)
    assert text.count("Running 1s test @ ") == len(trials)
    assert "$ /build/go --port=8080 --threads=1\ngo: listening on 127.0.0.1:8080\n" in text
    assert "speedup:histogram" not in text
    assert downloads(view, build_tables(view), build_folds(view))[-1].href == file.href


def test_a_small_run_shows_all_output_itself() -> None:
    """And needs no such file."""
    run, trials, _ = example_run(1, threads=(1,))
    view = view_run(RunFolder(Path("nowhere"), run, trials))
    names = [file.name for file in downloads(view, build_tables(view), build_folds(view))]

    assert not any("outputs" in name for name in names)


def test_output_that_is_too_large_is_left_to_the_run_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the page says where it is."""
    monkeypatch.setattr(data, "MOST_CHARACTERS", 100)
    file = downloads(example(), build_tables(example()), build_folds(example()))[-1]

    assert (file.href, file.where) == ("", "logs/")
