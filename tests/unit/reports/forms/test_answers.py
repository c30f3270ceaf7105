"""A report as data: by its published schema, and with the verdicts that every other form shows."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from reports.forms.answers import json_schema, render_json
from runners.records.folder import read_folder
from runners.records.run import RunFolder
from speedup.entry import main
from tests.support import ROOT
from tests.support.example_run import example_run, hostile
from tests.support.small_run import duet_run, small_run


@cache
def schema() -> dict[str, Any]:
    """Return the committed schema."""
    found: dict[str, Any] = json.loads((ROOT / "report.schema.json").read_text(encoding="utf-8"))
    return found


@cache
def report() -> dict[str, Any]:
    """Return the synthetic run's one run as data."""
    run, trials, _ = example_run()
    (found,) = json.loads(render_json([RunFolder(Path("nowhere"), run, trials)]))["runs"]
    assert isinstance(found, dict)
    return found


def row(table: str, label: str) -> dict[str, Any]:
    """Return a row of a table."""
    (found,) = (table_ for table_ in report()["tables"] if table_["id"] == table)
    return next(each for each in found["rows"] if each["label"] == label)


def test_the_committed_schema_is_the_generated_one(capsys: pytest.CaptureFixture[str]) -> None:
    """After a change of the classes: python -m speedup schema --report > report.schema.json."""
    assert (ROOT / "report.schema.json").read_text(encoding="utf-8") == json_schema()
    assert main(["schema", "--report"]) == 0
    assert capsys.readouterr().out == json_schema()


def test_the_schema_is_a_valid_schema() -> None:
    """Of the draft that it names."""
    jsonschema.Draft202012Validator.check_schema(schema())
    assert schema()["$schema"] == jsonschema.Draft202012Validator.META_SCHEMA["$id"]


@pytest.mark.parametrize(
    "folders",
    [
        [small_run({"a": 1.0, "b": 2.0})],
        [small_run({"a": 1.0}, blocks=1)],
        [duet_run({"plain": 1.0, "lean": 0.8}), small_run({"a": 1.0, "b": 2.0})],
        [read_folder(folder) for folder in sorted((ROOT / "published").glob("2015-*"))],
        [RunFolder(Path("nowhere"), *hostile(example_run(2)[:2]))],
    ],
    ids=["solo", "one block", "two runs", "published", "hostile"],
)
def test_every_report_follows_the_schema(folders: list[RunFolder]) -> None:
    """Whatever was measured, or was not."""
    jsonschema.validate(json.loads(render_json(folders)), schema())


def test_a_comparison_has_its_verdict_basis_ratio_interval_level_and_margin() -> None:
    """From duets, where there are any."""
    found = row("table-standard-library", "with --gc:markandsweep")["comparison"]

    assert (found["verdict"], found["basis"], found["figure"]) == ("cheaper", "duet", "server_cpu_us_per_request")
    assert found["low"] < found["ratio"] < found["high"] < 1 - found["margin"]
    assert (found["level"], found["margin"], found["rate_per_s"], found["blocks"]) == (0.96875, 0.002, None, 6)
    assert found["could_resolve"] == pytest.approx((found["high"] / found["low"]) ** 0.5 - 1 + 0.002)


def test_what_cannot_be_shown_has_no_verdict_but_a_reason() -> None:
    """And a row without a number has no comparison at all."""
    two = row("table-standard-library", "2 threads")

    assert two["comparison"]["verdict"] is None
    assert two["comparison"]["reason"].startswith("this machine cannot show it")
    assert (row("table-persistent", "jester")["status"], row("table-persistent", "jester")["comparison"]) == (
        "unavailable",
        None,
    )


def test_figures_have_intervals_and_unknown_ones_are_null() -> None:
    """Rates and costs with their number of trials."""
    rate = row("table-persistent", "asynchttp")["requests_per_s"]

    assert rate["low"] < rate["value"] < rate["high"]
    assert (rate["level"], rate["count"]) == (0.96875, 6)
    assert row("table-persistent", "jester")["requests_per_s"] is None


def test_noise_floors_and_warnings_are_data_too() -> None:
    """One floor for each family and figure; the banner's lines."""
    floors = report()["noise_floors"]

    assert {(floor["design"], floor["figure"]) for floor in floors} == {
        ("solo", "requests_per_s"), ("solo", "server_cpu_us_per_request"), ("duet", "server_cpu_us_per_request"),
    }  # fmt: skip
    assert all(floor["floor"] > 0 for floor in floors if floor["ratio"])
    assert report()["warnings"][0]["kind"] == "error"


def test_the_command_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`speedup report RUN --format json --output FILE`."""
    run, file = str(ROOT / "published" / "2015-xeon-e5-2680"), tmp_path / "answers.json"

    assert main(["report", run, "--format", "json", "--output", str(file)]) == 0
    assert json.loads(file.read_text(encoding="utf-8"))["schema"] == "speedup.report/1"
    assert main(["report", run, "--output", str(tmp_path / "by-suffix.json")]) == 0
    assert (tmp_path / "by-suffix.json").read_text(encoding="utf-8") == file.read_text(encoding="utf-8")
    capsys.readouterr()
