"""A comparison as JSON that follows its schema, and as Markdown for a pull request."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Any

import jsonschema
import pytest

from reports.changes.change import Place, change_of
from reports.changes.slowdowns import judged, parse_bound
from reports.forms.change import HEADINGS, Told, json_schema, levels, render_json, render_markdown, rows
from runners.records.run import RunFolder
from speedup.entry import main
from tests.support import ROOT
from tests.support.changes import Truth, comparison, without


@cache
def schema() -> dict[str, Any]:
    """Return the committed schema."""
    found: dict[str, Any] = json.loads((ROOT / "compare.schema.json").read_text(encoding="utf-8"))
    return found


def told(*folders: RunFolder, bounds: tuple[str, ...] = ()) -> Told:
    """Return what a comparison of these builds tells."""
    change = change_of(folders)
    found = judged(change, [parse_bound(text) for text in bounds])
    return Told(change.old, change.new, change, found, ("A note.",), ("results/a",), "results/a/report.html")


def test_the_committed_schema_is_the_generated_one(capsys: pytest.CaptureFixture[str]) -> None:
    """After a change of the classes: python -m speedup schema --compare > compare.schema.json."""
    assert (ROOT / "compare.schema.json").read_text(encoding="utf-8") == json_schema()
    assert main(["schema", "--compare"]) == 0
    assert capsys.readouterr().out == json_schema()
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize(
    "answer",
    [
        told(comparison(Truth(cpu=1.1)), bounds=("2%", "p99:10%")),
        told(comparison(Truth()), comparison(Truth(seed=8))),
        told(without(comparison(Truth(blocks=3)), "solo"), bounds=("rate:2%",)),
        Told("main", "HEAD", None),
    ],
    ids=["gate", "two builds", "little measured", "same program"],
)
def test_every_answer_follows_the_schema(answer: Told) -> None:
    """Whatever was measured, or was not."""
    jsonschema.validate(json.loads(render_json(answer)), schema())


def test_json_holds_the_figures_and_the_gate() -> None:
    """Numbers for programs, the sentence for people."""
    found = json.loads(render_json(told(comparison(Truth(cpu=1.1)), bounds=("2%",))))
    cpu = found["lines"][0]
    assert (cpu["figure"], cpu["unit"], cpu["basis"], cpu["verdict"]) == ("cpu", "us", "duet", "worse")
    assert cpu["low"] < cpu["ratio"] < cpu["high"]
    assert (found["gate"], found["bounds"][0]["outcome"]) == ("slower", "slower")
    assert found["sentence"].startswith("new needs 10.")
    assert found["report"] == "results/a/report.html"


def test_markdown_has_the_sentence_a_table_and_the_report_last() -> None:
    """A pull request comment."""
    lines = render_markdown(told(comparison(Truth(cpu=1.1)), bounds=("2%",))).splitlines()
    assert lines[0].startswith("**new needs 10.")
    assert lines[4] == f"| {' | '.join(HEADINGS)} |"
    assert lines[6].startswith("| CPU per request | ")
    assert "- judged: CPU per request only" in lines
    assert lines[-1] == "Report: `results/a/report.html`"


def test_markdown_shows_names_as_they_are() -> None:
    """A branch's name may hold anything: it mentions nobody, and marks nothing up."""
    folder = comparison(Truth(cpu=1.1))
    cells = tuple(
        replace(cell, title="@all_<b>|*" if cell.server == "new" else "old") for cell in folder.run.cells
    )  # fmt: skip
    text = render_markdown(told(replace(folder, run=replace(folder.run, cells=cells))))
    assert "&#64;all\\_&lt;b>\\|\\* needs" in text


def test_every_row_has_a_cell_for_each_heading() -> None:
    """Also where nothing is known."""
    answer = told(without(comparison(Truth()), "solo"))
    assert answer.change is not None
    assert {len(cells) for cells in rows(answer.change, Place("persistent"))} == {len(HEADINGS)}
    assert rows(answer.change, Place("persistent"))[1][1:] == ("-", "-", "-", "-", "not measured", "-")
    assert levels(answer.change).startswith("intervals of CPU per request: 95")
