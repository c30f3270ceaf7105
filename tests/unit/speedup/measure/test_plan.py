"""The list of a plan: for programs as JSON, for people by family, nothing left out without a reason."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from runners.plan.planning import Options, Plan, make_plan
from runners.units import format_duration
from speedup.measure.plan import plan_json, print_plan
from tests.support.machine import only_wrk
from tests.unit.speedup.conftest import Terminal

MATRIX = """\
suite = { title = "T [bold]" }
preset.quick = { warmup = "300ms", duration = "1s", blocks = { min = 2, max = 3 }, twin = false }
machine.local = { threads = [1, 2], connections = [64] }
exclude = [{ cells = "b/t2/*", reason = "b has [one] thread" }]

[server.a]
class = "stripped"
run = ["a"]
env = { A = "1" }
variant.fast = {}

[server.b]
like = "a"
run = ["b", "{server}"]

[server.old]
unavailable = "its source is lost"
"""


@pytest.fixture(name="plan")
def small_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Return a plan of three servers on a machine that has wrk."""
    only_wrk(tmp_path, monkeypatch)
    for name in ("a", "b"):
        (tmp_path / "servers" / name).mkdir(parents=True)
    file = tmp_path / "matrix.toml"
    file.write_text(MATRIX, encoding="utf-8")
    return make_plan(Options(file, machine="local", seed=1))


def printed(plan: Plan) -> str:
    """Return what is printed for people."""
    with redirect_stdout(io.StringIO()) as stream:
        print_plan(plan)
    return stream.getvalue()


def test_the_json_holds_every_cell_and_what_it_comes_to(plan: Plan) -> None:
    """With a schema version, and time in seconds."""
    listed = json.loads(json.dumps(plan_json(plan)))
    assert listed["schema"] == "speedup.plan/1"
    assert (listed["machine"], listed["preset"], listed["load"], listed["blocks"]) == ("local", "quick", "wrk", 3)
    assert [cell["id"] for cell in listed["cells"]] == [planned.cell.id for planned in plan.cells]
    assert listed["trials"] == len(plan.measurable) * 3
    planned = [cell for cell in listed["cells"] if cell["status"] == "planned"]
    assert listed["estimated_s"] == pytest.approx(3 * sum(cell["trial_s"] for cell in planned), abs=0.1)


def test_a_cell_in_json_says_all_about_it(plan: Plan) -> None:
    """What a program would have to parse out of the slug."""
    cell = next(cell for cell in plan_json(plan)["cells"] if cell["slug"] == "a.fast/t2/c64/non-persistent")
    assert (cell["server"], cell["variant"], cell["title"], cell["class"]) == ("a", "fast", "a fast", "stripped")
    assert (cell["threads"], cell["connections"], cell["mode"]) == (2, 64, "non-persistent")
    assert (cell["status"], cell["reason"], cell["group"]) == ("planned", None, "document")


def test_the_json_shows_what_a_program_inherits(plan: Plan) -> None:
    """Its own commands and the inherited ones alike, and where they come from."""
    programs = plan_json(plan)["programs"]
    assert list(programs) == ["a", "a.fast", "b", "old"]
    assert [program["like"] for program in programs.values()] == [None, None, "a", None]
    assert (programs["b"]["run"], programs["b"]["env"]) == (("b", "b"), {"A": "1"})


def test_what_is_not_measured_has_its_reason_in_json(plan: Plan) -> None:
    """Excluded and unavailable cells are listed too."""
    reasons = {(cell["status"], cell["reason"]) for cell in plan_json(plan)["cells"] if cell["status"] != "planned"}
    assert reasons == {("excluded", "b has [one] thread"), ("unavailable", "its source is lost")}


def test_people_see_each_planned_cell_under_its_family(plan: Plan) -> None:
    """Four families of the two thread counts and the two modes."""
    lines = printed(plan).splitlines()
    families = [line for line in lines if line.startswith("family ")]
    assert len(families) == 4
    assert families[0].startswith("family local/t1/c64/persistent/wrk: 3 cells, ")
    for cell in plan.measurable:
        assert any(line.strip().startswith(cell.id) for line in lines)


def test_people_see_each_reason_once(plan: Plan) -> None:
    """With all variants it holds for; brackets are text, not markup."""
    lines = printed(plan).splitlines()
    assert "excluded: b - b has [one] thread" in lines
    assert "unavailable: old - its source is lost" in lines
    assert sum("its source is lost" in line for line in lines) == 1


def test_people_see_last_what_it_comes_to(plan: Plan) -> None:
    """Cells, blocks, trials, and the time."""
    last = printed(plan).splitlines()[-1]
    began = "10 cells x 2 to 3 blocks = 30 trials on machine 'local' with wrk, preset 'quick': about "
    assert last == f"{began}{format_duration(plan.estimated_s)}, plus builds"


def test_a_terminal_shows_families_in_bold(plan: Plan, terminal: Terminal) -> None:
    """What is not measured is dim; a long line is left to the terminal."""
    with redirect_stdout(terminal.keyboard):
        print_plan(plan)
        terminal.keyboard.flush()
    shown = terminal.shown()
    assert "\x1b[1mfamily local/t1/c64/persistent/wrk: 3 cells, " in shown
    assert "\x1b[2mexcluded: b - b has [one] thread\x1b[0m\r\n" in shown
