"""What `check` prints: a line, a table and the reasons for people, everything for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runners.records.run import Gate, Honesty
from speedup import entry
from speedup.measure.check import cell_glob, explanation, honesty_json, line_of, print_tables
from tests.unit.speedup.test_command_line import MATRIX, matrix_file

__all__ = ["matrix_file"]

COUNT = Gate("count", "As many answers [as] requests.", required=True, outcome="pass", saw="")
DATE = Gate("date", "It has a date.", required=False, outcome="fail", saw="no [date]", sent="GET /", received="200")
SPLIT = Gate("split", "It waits for the end.", required=True, outcome="fail", saw="it answered at once")


def test_a_servers_number_of_threads_is_written_as_in_a_table() -> None:
    """What is no row stays the glob that it is."""
    assert cell_glob("go@4") == "go/t4"
    assert cell_glob("epoll.accept4@16") == "epoll.accept4/t16"
    assert [cell_glob(word) for word in ("epoll*", "go/t2")] == ["epoll*", "go/t2"]


def test_a_line_tells_what_became_of_a_server() -> None:
    """A gate that its class need not pass does not fail it."""
    passes = Honesty("go", 2, "stripped", (COUNT, DATE))
    assert line_of(passes).startswith("go, 2 threads, stripped: passes (1 of 2 gates; the others do not apply")
    assert line_of(Honesty("go", 1, "realistic", (COUNT,))) == "go, 1 thread, realistic: passes (1 of 1 gates)"
    assert line_of(Honesty("go", 1, "realistic", (COUNT, SPLIT))) == "go, 1 thread, realistic: not honest, fails split"


def test_what_was_not_passed_is_explained() -> None:
    """With what was sent and received."""
    assert explanation(DATE) == "date (not required): no [date]\n  sent     GET /\n  received 200"
    assert explanation(SPLIT) == "split: it answered at once"


def test_people_get_a_table_for_each_server(capsys: pytest.CaptureFixture[str]) -> None:
    """Brackets are text; what need not be passed is in brackets itself."""
    print_tables([Honesty("go", 1, "realistic", (COUNT, DATE))])
    shown = capsys.readouterr().out
    assert "As many answers [as] requests." in shown
    assert "(fail)" in shown
    assert "no [date]" in shown


def test_programs_get_everything() -> None:
    """And whether the server passes."""
    told = json.loads(json.dumps(honesty_json([Honesty("go", 1, "realistic", (COUNT, DATE))])))
    assert (told[0]["passed"], told[0]["gates"][1]["saw"]) == (True, "no [date]")


def test_servers_that_cannot_be_started_here_are_named(matrix: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where that leaves none, nothing was checked, which is no success."""
    matrix.write_text(MATRIX + '[tool.rare]\ncommands = ["rare"]\nhint = "ask around"\n', encoding="utf-8")
    matrix.write_text(matrix.read_text().replace('run = ["a"]', 'run = ["a"]\nneeds = ["rare"]'), encoding="utf-8")
    assert entry.main(["check", "--matrix", str(matrix), "a"]) == 3
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "warning: a is not checked: rare is missing. ask around"
    assert said[1].startswith("speedup: none of these servers can be started here")
