"""From a person's options to a plan, on a machine whose only tools are small fakes."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from runners.errors import BadInput, NothingSelected
from runners.matrix.cells import Selection
from runners.plan import planning
from runners.plan.planning import Options, default_matrix, layouts, make_plan, resuming, tools_of
from runners.records.run import CellInfo, Run
from tests.support import ROOT

MATRIX = """\
[suite]
title = "T"

[preset.quick]
warmup = "300ms"
duration = "1s"
blocks = { min = 2, max = 3 }
twin = false

[preset.long]
warmup = "1s"
duration = "9s"
twin = false

[machine.other]
match = { cpu = "no such processor" }
threads = [4]
connections = [8]

[machine.local]
threads = [1, 2]
connections = [64]

[tool.comp]
title = "Comp"
commands = ["comp"]
hint = "Ask your administrator"

[tool.rare]
title = "Rare"
commands = ["rare-compiler"]
hint = "Ask your administrator"

[server.a]
needs = ["comp"]
run = ["{out}"]

[server.a.variant.fast]
needs = ["rare"]

[server.b]
group = "extra"
run = ["{out}"]

[server.old]
unavailable = "its source is lost"

[[exclude]]
cells = "b/t2/*"
reason = "b has one thread"
"""


@pytest.fixture(name="matrix")
def matrix_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a matrix on a machine that has wrk and comp, and nothing else."""
    for name, version in (("wrk", "wrk 4.1.0"), ("comp", "comp 1.0")):
        add_tool(tmp_path, name, version)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("a", "b"):
        (tmp_path / "servers" / name).mkdir(parents=True)
    file = tmp_path / "matrix.toml"
    file.write_text(MATRIX, encoding="utf-8")
    return file


def add_tool(baseline: Path, name: str, version: str) -> None:
    """Put a program into the machine's PATH that prints its version."""
    tool = baseline / "bin" / name
    tool.parent.mkdir(exist_ok=True)
    tool.write_text(f"#!/bin/sh\necho '{version}'\n", encoding="utf-8")
    tool.chmod(0o755)


def test_a_plan_holds_every_cell_with_what_becomes_of_it(matrix: Path) -> None:
    """Planned, excluded or unavailable, the last two with the reason."""
    plan = make_plan(Options(matrix))
    status = {planned.cell.slug: (planned.status, planned.reason) for planned in plan.cells}
    assert status["a/t1/c64/persistent"] == ("planned", None)
    assert status["b/t2/c64/persistent"] == ("excluded", "b has one thread")
    assert status["old/t1/c64/persistent"] == ("unavailable", "its source is lost")
    assert status["a.fast/t1/c64/persistent"] == ("unavailable", "Rare is missing. Ask your administrator")
    assert {cell.slug for cell in plan.measurable} == {
        "a/t1/c64/persistent", "a/t1/c64/non-persistent", "a/t2/c64/persistent", "a/t2/c64/non-persistent",
        "b/t1/c64/persistent", "b/t1/c64/non-persistent",
    }  # fmt: skip


def test_a_plan_says_preset_machine_load_and_time(matrix: Path) -> None:
    """Everything that was decided."""
    plan = make_plan(Options(matrix, seed=7))
    assert (plan.preset_name, plan.machine, plan.load, plan.seed) == ("quick", "local", "wrk", 7)
    assert plan.root == matrix.parent
    assert plan.text == MATRIX
    assert 6 * 3 * 1.3 < plan.estimated_s < 6 * 3 * 2.5


def test_wishes_win_over_the_matrix(matrix: Path) -> None:
    """Preset, machine and load generator."""
    plan = make_plan(Options(matrix, preset="long", machine="other", load="locust"))
    assert (plan.preset_name, plan.machine, plan.load) == ("long", "other", "locust")
    assert {planned.cell.threads for planned in plan.cells} == {4}
    assert {planned.cell.load.duration_s for planned in plan.cells} == {9.0}


def test_the_cell_that_others_are_compared_with_is_measured_twice(matrix: Path) -> None:
    """Under another name, as a cell of the same family, where there is anything to compare."""
    matrix.write_text(MATRIX.replace("twin = false\n", ""), encoding="utf-8")
    plan = make_plan(Options(matrix))
    twins = [cell for cell in plan.measurable if cell.twin]
    assert {cell.slug for cell in twins} == {"a~twin/t1/c64/persistent", "a~twin/t1/c64/non-persistent"}
    assert {cell.family for cell in twins} <= {cell.family for cell in plan.measurable if not cell.twin}


def test_without_a_seed_every_plan_has_another(matrix: Path) -> None:
    """And it is recorded, so that the order can be told again."""
    assert make_plan(Options(matrix)).seed != make_plan(Options(matrix)).seed


def test_a_missing_load_generator_makes_every_cell_unavailable(matrix: Path) -> None:
    """The plan is made all the same, and names what is missing."""
    (matrix.parent / "bin/wrk").unlink()
    plan = make_plan(Options(matrix, selection=Selection(only=("a",))))
    assert plan.load == "wrk"
    assert plan.measurable == ()
    assert all("wrk is missing" in str(planned.reason) for planned in plan.cells)
    assert {planned.lacks for planned in plan.cells} == {("wrk",)}


def test_locust_takes_the_place_of_a_missing_wrk(matrix: Path) -> None:
    """A slow load generator is better than none."""
    (matrix.parent / "bin/wrk").unlink()
    add_tool(matrix.parent, "locust", "locust 2.40")
    plan = make_plan(Options(matrix))
    assert plan.load == "locust"
    assert plan.measurable


USERS = "from locust import HttpUser\n\n\nclass Me(HttpUser):\n    pass\n"


def with_users(matrix: Path, text: str | bytes | None, name: str = "users.py") -> Path:
    """Let a matrix name a locustfile, and write it."""
    add_tool(matrix.parent, "locust", "locust 2.40")
    matrix.write_text(matrix.read_text().replace("[suite]", f'[suite]\nlocustfile = "{name}"', 1))
    if text is not None:
        (matrix.parent / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return matrix


def test_the_matrix_s_own_users_load_with_locust_and_with_nothing_else(matrix: Path) -> None:
    """Whoever edits them has other cells, so that a run is never completed with other users."""
    with_users(matrix, USERS)
    before = make_plan(Options(matrix, load="locust"))
    assert before.locustfile is not None
    assert {planned.cell.load.locustfile for planned in before.cells} == {before.locustfile}
    assert (before.locustfile.path, len(before.locustfile.sha256)) == ("users.py", 64)
    assert make_plan(Options(matrix, load="wrk")).locustfile is None
    (matrix.parent / "users.py").write_text(USERS + "# edited\n")
    after = make_plan(Options(matrix, load="locust"))
    assert not {planned.cell.id for planned in before.cells} & {planned.cell.id for planned in after.cells}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "users.py: No such file or directory; it should contain the users for --load locust"),
        ("import locust\nclass Me(\n", "users.py:2:9: '(' was never closed"),
        (b"a = 1\x00\n", "users.py"),
        ("from locust import HttpUser\n", "users.py: it contains no users; each kind of user is a class"),
    ],
    ids=["missing", "no Python", "zero byte", "no users"],
)
def test_users_that_cannot_be_read_end_before_anything_runs(matrix: Path, text: str | bytes | None, said: str) -> None:
    """With the place of the mistake."""
    with pytest.raises(BadInput) as caught:
        make_plan(Options(with_users(matrix, text), load="locust"))
    assert said in str(caught.value)


@pytest.mark.parametrize("name", ["users.txt", "a,b.py"])
def test_a_locustfile_is_named_as_locust_can_find_it(matrix: Path, name: str) -> None:
    """It takes what ends with .py, and reads a comma as the end of a name."""
    with pytest.raises(BadInput, match="'locustfile' must match"):
        make_plan(Options(with_users(matrix, USERS, name), load="locust"))


def test_a_tool_is_found_once_it_is_there(matrix: Path) -> None:
    """Nothing remembers that it was missing."""
    assert not any(cell.program.variant == "fast" for cell in make_plan(Options(matrix)).measurable)
    add_tool(matrix.parent, "rare-compiler", "rare 0.1")
    assert any(cell.program.variant == "fast" for cell in make_plan(Options(matrix)).measurable)


def test_a_program_that_only_has_the_name_of_wrk_is_the_reason_of_every_cell(matrix: Path) -> None:
    """Otherwise every trial fails, with the end of its usage as the reason."""
    add_tool(matrix.parent, "wrk", "work 0.1, makes work")
    plan = make_plan(Options(matrix), versions=False)
    (reason,) = {planned.reason for planned in plan.cells if planned.lacks == ("wrk",)}
    assert str(reason).startswith(
        f"not wrk: {matrix.parent}/bin/wrk prints 'work 0.1, makes work'. Rename that program"
    )


def test_a_plan_starts_nothing_that_a_matrix_names(matrix: Path) -> None:
    """A run asks them all; a plan asks only known tools that may be too old, or another program with the name."""
    for name in ("wrk", "comp", "rare-compiler"):
        tool = matrix.parent / "bin" / name
        tool.write_text(f'#!/bin/sh\necho {name} >> "{matrix.parent}/asked"\necho "{name} 1.0"\n', encoding="utf-8")
        tool.chmod(0o755)
    asked = matrix.parent / "asked"
    options = Options(matrix, selection=Selection(only=("a",)))
    plan = make_plan(options, versions=False)
    assert (plan.tools["comp"].found, plan.tools["comp"].version) == (True, None)
    assert asked.read_text(encoding="utf-8").split() == ["wrk"]
    at_least = 'run = ["{out}"]\nat_least = { comp = "2" }'
    matrix.write_text(MATRIX.replace('run = ["{out}"]', at_least, 1), encoding="utf-8")
    assert make_plan(options, versions=False).cells[0].status == "planned"
    assert asked.read_text(encoding="utf-8").split() == ["wrk", "wrk"]
    plan = make_plan(options)
    assert (plan.tools["wrk"].version, plan.cells[0].status) == ("wrk 1.0", "unavailable")
    assert "rare-compiler" not in asked.read_text(encoding="utf-8")


def test_edited_sources_change_the_ids_of_their_cells_only(matrix: Path) -> None:
    """A run with the old sources cannot be completed with the new ones."""
    before = {cell.slug: cell.id for cell in make_plan(Options(matrix)).measurable}
    (matrix.parent / "servers/a/a.nim").write_text("echo 1", encoding="utf-8")
    after = {cell.slug: cell.id for cell in make_plan(Options(matrix)).measurable}
    assert {slug.partition("/")[0] for slug in before if before[slug] != after[slug]} == {"a"}


@pytest.mark.parametrize(
    ("selection", "slugs"),
    [
        (Selection(only=("b",)), {"b/t1/c64/persistent", "b/t1/c64/non-persistent"}),
        (Selection(only=("*/t1/*/persistent",), skip=("b",)), {"a/t1/c64/persistent"}),
        (Selection(group=("extra",)), {"b/t1/c64/persistent", "b/t1/c64/non-persistent"}),
    ],
    ids=["only", "only and skip", "group"],
)
def test_a_selection_limits_what_is_measured(matrix: Path, selection: Selection, slugs: set[str]) -> None:
    """With the same globs as in the matrix."""
    assert {cell.slug for cell in make_plan(Options(matrix, selection=selection)).measurable} == slugs


def test_the_matrix_s_groups_are_measured_unless_something_is_asked_for(matrix: Path) -> None:
    """A group such as "field" waits until it is named, or one of its servers is."""
    text = matrix.read_text(encoding="utf-8")
    matrix.write_text(text.replace('title = "T"', 'title = "T"\ngroups = ["document"]', 1), encoding="utf-8")

    def servers(selection: Selection, duet: tuple[str, str] | None = None) -> set[str]:
        plan = make_plan(Options(matrix, selection=selection, duet=duet))
        return {cell.program.server for cell in plan.measurable}

    assert servers(Selection()) == {"a"}
    assert servers(Selection(only=("b",))) == {"b"}
    assert servers(Selection(group=("*",))) == {"a", "b"}
    assert servers(Selection(), ("b/t1/*", "a/t1/*")) == {"a", "b"}


def test_a_group_s_table_brings_along_what_it_compares_with(matrix: Path) -> None:
    """In the table's own mode, and unless it is skipped by name."""
    table = '[[table]]\ntitle = "Extra"\nmode = "persistent"\ngroup = "extra"\nrows = ["a", "b"]\n'
    matrix.write_text(MATRIX + table, encoding="utf-8")

    def slugs(selection: Selection) -> set[str]:
        return {cell.slug for cell in make_plan(Options(matrix, selection=selection)).measurable}

    assert slugs(Selection(group=("extra",))) == {
        "a/t1/c64/persistent", "b/t1/c64/persistent", "b/t1/c64/non-persistent",
    }  # fmt: skip
    assert slugs(Selection(group=("extra",), skip=("a",))) == {"b/t1/c64/persistent", "b/t1/c64/non-persistent"}
    assert "b/t1/c64/persistent" not in slugs(Selection(group=("document",)))


@pytest.mark.parametrize(
    ("oldest", "fits"), [("1.0", True), ("1", True), ("1.0.0", True), ("1.0.1", False), ("1.10", False)]
)
def test_a_tool_that_is_too_old_makes_its_cells_unavailable(matrix: Path, oldest: str, fits: bool) -> None:  # noqa: FBT001
    """With both versions and what to do, and before anything is built."""
    text = MATRIX.replace('needs = ["comp"]', f'needs = ["comp"]\nat_least = {{ comp = "{oldest}" }}')
    matrix.write_text(text, encoding="utf-8")
    planned = next(each for each in make_plan(Options(matrix)).cells if each.cell.slug == "a/t1/c64/persistent")

    if fits:
        assert (planned.status, planned.reason) == ("planned", None)
    else:
        assert planned.status == "unavailable"
        assert planned.reason == f"Comp 1.0 is too old; at least {oldest} is needed. Ask your administrator"


@pytest.mark.parametrize(
    ("selection", "said"),
    [
        (Selection(only=("a.fats",)), "'a.fats' matches no cell - did you mean 'a.fast'?"),
        (
            Selection(only=("zzzz",)),
            "'zzzz' matches no cell - variants are a, a.fast, b, old; a cell is a/t1/c64/persistent",
        ),
        (Selection(skip=("zzzz",)), "'zzzz' matches no cell"),
        (Selection(only=("a",), skip=("a",)), "the selection contains no cells; `speedup plan` lists all cells"),
        (Selection(group=("zzzz",)), "the selection contains no cells"),
    ],
    ids=["misspelt", "unknown", "unknown skip", "all skipped", "unknown group"],
)
def test_a_selection_of_nothing_says_what_there_is(matrix: Path, selection: Selection, said: str) -> None:
    """With exit code 3."""
    with pytest.raises(NothingSelected) as caught:
        make_plan(Options(matrix, selection=selection))
    assert said in str(caught.value)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (Options(preset="quik"), "no preset 'quik' - did you mean 'quick'?"),
        (Options(preset="zzz"), "no preset 'zzz' - there are: quick, long"),
        (Options(machine="xeon"), "no machine profile 'xeon' in the matrix; it has: other, local"),
        (Options(load="work"), "no load 'work' - "),
    ],
    ids=["preset", "unknown preset", "machine", "load"],
)
def test_an_unknown_wish_is_bad_input_with_what_there_is(matrix: Path, options: Options, said: str) -> None:
    """With exit code 2."""
    with pytest.raises(BadInput) as caught:
        make_plan(replace(options, matrix=matrix))
    assert said in str(caught.value)


def test_the_matrix_of_the_working_folder_comes_first(matrix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the packaged one is used."""
    monkeypatch.chdir(matrix.parent)
    assert default_matrix().resolve() == matrix
    monkeypatch.chdir(matrix.parent / "bin")
    assert default_matrix().is_file()
    assert default_matrix().resolve() != matrix


def test_tools_are_the_project_s_and_the_matrix_s_own(matrix: Path) -> None:
    """The doctor shows both."""
    assert {"wrk", "nim", "comp", "rare"} <= set(tools_of(matrix))


def test_server_and_client_get_cpus_for_each_thread_count(matrix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Computed from the cores there are."""
    monkeypatch.setattr(planning, "available_cores", lambda: ((0, 2), (1, 3)))
    found = layouts(make_plan(Options(matrix)))
    assert {count: (layout.server, layout.client) for count, layout in found.items()} == {
        1: ((0,), (1, 3)),
        2: ((0, 1), (2, 3)),
    }


def test_fixed_cpus_are_taken_as_written_if_the_machine_has_them(matrix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the missing ones are named."""
    monkeypatch.setattr(planning, "available_cores", lambda: ((0,), (1,), (2,)))
    text = MATRIX.replace("threads = [1, 2]", 'cpus = { server = "0", client = "1-2" }\nthreads = [1, 2]')
    matrix.write_text(text, encoding="utf-8")
    plan = make_plan(Options(matrix))
    assert {(layout.server, layout.client) for layout in layouts(plan).values()} == {((0,), (1, 2))}
    monkeypatch.setattr(planning, "available_cores", lambda: ((0,),))
    with pytest.raises(BadInput, match="machine local: this machine has no CPU 1, 2"):
        layouts(plan)


def info(slug: str, status: str) -> CellInfo:
    """Return a recorded cell."""
    return CellInfo(
        id=f"{slug}#1", slug=slug, server="a", variant=None, title="a", language=None, class_="realistic",
        group="document", threads=1, connections=64, mode="persistent", load="wrk", family="f",
        status=status,  # type: ignore[arg-type]
    )  # fmt: skip


def test_resuming_asks_for_the_run_s_own_cells(matrix: Path) -> None:
    """With its preset, machine, load generator and seed; those that failed to build are tried again."""
    cells = (
        info("a/t1/c64/persistent", "planned"),
        info("b/t1/c64/persistent", "failed"),
        info("old/t1/c64/persistent", "unavailable"),
    )
    run = Run(kind="measured", machine="local", preset="quick", seed=5, cells=cells)
    plan = make_plan(replace(resuming(run), matrix=matrix))
    assert [cell.slug for cell in plan.measurable] == ["a/t1/c64/persistent", "b/t1/c64/persistent"]
    assert (plan.preset_name, plan.machine, plan.load, plan.seed) == ("quick", "local", "wrk", 5)


def test_duets_over_both_modes_can_be_resumed(matrix: Path) -> None:
    """The globs that were asked for are recorded: one pair of cells would not name them all."""
    plan = make_plan(Options(matrix, duet=("b", "a"), seed=5))
    assert len(plan.duets) > 1
    cells = tuple(info(cell.slug, "planned") for cell in plan.measurable if not cell.twin)
    run = Run(kind="measured", machine="local", preset="quick", seed=5, cells=cells, duet=plan.duet)
    again = make_plan(replace(resuming(run), matrix=matrix))
    assert (again.duets, again.measurable) == (plan.duets, plan.measurable)


def test_a_run_without_cells_cannot_be_resumed() -> None:
    """It was stopped before its builds were done."""
    with pytest.raises(BadInput, match="nothing to resume; start a new run"):
        resuming(Run(kind="measured", machine="local"))


def test_the_project_s_own_matrix_can_be_planned_without_any_server_s_tools(
    matrix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine with nothing but wrk, missing compilers are reasons, not errors."""
    monkeypatch.chdir(ROOT)
    plan = make_plan(Options(machine="local"))
    assert os.environ["PATH"] == str(matrix.parent / "bin")
    assert {planned.status for planned in plan.cells} >= {"unavailable"}
    assert all(planned.reason for planned in plan.cells if planned.status == "unavailable")
