"""`compare` of two recorded runs: what forbids to compare them directly, the gate, and JSON that says it is weaker."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from runners.records.folder import append_trials, write_run
from runners.records.run import FleetInfo, Identity, ToolInfo
from speedup import entry
from speedup.comparing.recorded import other_tools, why_apart
from tests.support import ROOT
from tests.support.small_run import small_run

HERE = Identity("a CPU", "0-1", 8 << 30, "Linux 6.1", {"1": "server 0, client 1"}, "abc", "namespace")


def write(folder: Path, speed: float, identity: Identity | None = HERE) -> str:
    """Write a run of a server and its ruler."""
    made = small_run({"floor": 2.0, "mine": speed})
    folder.mkdir()
    write_run(folder, replace(made.run, identity=identity))
    append_trials(folder, made.trials)
    return str(folder)


def test_two_runs_are_compared_and_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The JSON follows its schema, and says that both were recorded; a slowdown ends with exit code 1."""
    old, new = write(tmp_path / "A", 1.0), write(tmp_path / "B", 0.7)
    assert entry.main(["compare", old, new, "--json", "--fail-slower", "rate:5%"]) == 1
    found = json.loads(capsys.readouterr().out)
    jsonschema.validate(found, json.loads((ROOT / "compare.schema.json").read_text(encoding="utf-8")))
    assert (found["recorded"], found["gate"], found["report"]) == (True, "slower", None)
    assert {line["cell"].partition(",")[0] for line in found["lines"]} == {"floor", "mine"}
    assert entry.main(["compare", old, new]) == 0
    assert capsys.readouterr().out.startswith("Recorded at different times, so weaker")


def test_runs_of_different_machines_without_known_sources_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the reason."""
    other = replace(HERE, cpu="another CPU")
    words = [write(tmp_path / "A", 1.0), write(tmp_path / "B", 0.7, other)]
    assert entry.main(["compare", *words]) == 2
    assert "the CPU was a CPU and is another CPU" in capsys.readouterr().err


def test_a_run_is_not_compared_with_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every figure would be equal, and mean nothing."""
    run = write(tmp_path / "A", 1.0)
    assert entry.main(["compare", run, run]) == 2
    assert "is one run" in capsys.readouterr().err


def test_circumstances_that_differ_are_named() -> None:
    """Any of them forbids to compare figures directly."""
    made = replace(small_run({"a": 1.0}).run, identity=HERE, duration_s=1.0)
    assert list(why_apart(made, made)) == []
    assert list(why_apart(made, replace(made, identity=None))) == ["it is not recorded on which machine"]
    other = replace(made, identity=replace(HERE, network="host"), fleet=FleetInfo(2, "x", 1), duration_s=5.0)
    assert list(why_apart(made, other)) == [
        "the network was namespace and is host",
        "the number of client hosts was unknown and is 2",
        "the length of a trial was 1.0 and is 5.0",
    ]


def test_tools_that_differ_are_named_without_those_that_one_run_did_not_need() -> None:
    """A compiler's version may explain a difference."""
    old = replace(small_run({"a": 1.0}).run, tools=(ToolInfo("gcc", "14", "/gcc"), ToolInfo("go", "1", "/go")))
    assert list(other_tools(old, replace(old, tools=(ToolInfo("gcc", "15", "/gcc"),)))) == ["gcc was 14 and is 15"]
