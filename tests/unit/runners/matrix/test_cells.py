"""From a matrix to cells: the whole product, each cell once, with an id of everything that matters."""

from __future__ import annotations

import tomllib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runners.matrix.cells import (
    Cell,
    LoadSettings,
    Locustfile,
    Planned,
    Program,
    Ready,
    RowKey,
    Selection,
    expand,
    matches,
    parse_row,
    programs,
)
from runners.matrix.model import Addition, Matrix, Rule, Server, Variant
from runners.matrix.reading import parse_matrix
from runners.matrix.requests.mix import Mix
from runners.matrix.requests.request import Request
from tests.support import ROOT
from tests.support.latency_matrix import MATRIX

NAMES = st.from_regex(r"[a-z][a-z0-9_-]{0,5}", fullmatch=True)
COUNTS = st.lists(st.integers(1, 16), min_size=1, max_size=3)
GLOBS = st.sampled_from(["*", "a*", "*/t1", "*/t2/*", "*.*", "*/*/c8/persistent", "*/non-persistent", "zzz"])


def program(server: str = "epoll", variant: str | None = None) -> Program:
    """Return a program."""
    return Program(
        server=server, variant=variant, title="Epoll", language="Nim", class_="realistic", group="document",
        needs=("nim",), dir="servers/epoll", build=("nim", "c"), run=("{out}",), config=None, flags=(), env={"A": "1"},
        unavailable=None,
    )  # fmt: skip


def cell() -> Cell:
    """Return a cell."""
    return Cell(
        program=program(), threads=2, connections=64, mode="persistent", machine="local",
        load=LoadSettings("wrk", 0.3, 1.0, None), cpus=None, request=Request(), source_hash="0123",
    )  # fmt: skip


@st.composite
def matrices(draw: st.DrawFn) -> Matrix:
    """Return any small matrix with exclude and include rules."""
    servers = {
        name: Server(
            run=("x",),
            threads=draw(st.none() | COUNTS.map(tuple)),
            unavailable=draw(st.none() | st.just("why")),
            variant={key: Variant(flags=(key,)) for key in draw(st.lists(NAMES, max_size=2))},
        )
        for name in draw(st.lists(NAMES, min_size=1, max_size=3))
    }
    base = Matrix.model_validate(
        {
            "suite": {
                "title": "T",
                "modes": draw(st.lists(st.sampled_from(["persistent", "non-persistent"]), min_size=1)),
            },
            "preset": {"quick": {"warmup": "0s", "duration": "1s"}},
            "machine": {"local": {"threads": draw(COUNTS), "connections": draw(COUNTS)}},
            "server": {"x": {"run": ["x"]}},
        }
    )
    additions = tuple(
        Addition(variants=draw(GLOBS), threads=tuple(draw(COUNTS)), connections=tuple(draw(COUNTS)))
        for _ in range(draw(st.integers(0, 2)))
    )
    exclude = tuple(Rule(cells=glob) for glob in draw(st.lists(GLOBS, max_size=2)))
    return base.model_copy(update={"server": servers, "include": additions, "exclude": exclude})


def cells_of(matrix: Matrix) -> tuple[Planned, ...]:
    """Return the expanded matrix."""
    return expand(matrix, "local", matrix.preset["quick"], "wrk")


@settings(max_examples=40)
@given(matrices())
def test_every_cell_occurs_once_in_the_expansion(matrix: Matrix) -> None:
    """Slugs and ids are unique, even if something is listed twice or added by rules."""
    cells = [planned.cell for planned in cells_of(matrix)]
    assert len({cell.slug for cell in cells}) == len(cells)
    assert len({cell.id for cell in cells}) == len(cells)


@settings(max_examples=40)
@given(matrices())
def test_what_is_excluded_is_never_planned_unless_it_was_added(matrix: Matrix) -> None:
    """Excluded cells are kept with a reason; include rules win over exclude rules."""
    for planned in cells_of(matrix):
        added = any(
            matches(planned.cell, [f"{rule.variants}/t{threads}/c{connections}"])
            for rule in matrix.include
            for threads in rule.threads
            for connections in rule.connections or matrix.machine["local"].connections
        )
        barred = any(matches(planned.cell, [str(rule.cells)]) for rule in matrix.exclude)
        if planned.cell.program.unavailable:
            assert planned.status == "unavailable"
        elif not added:
            assert planned.status == ("excluded" if barred else "planned")
        assert planned.reason if planned.status != "planned" else planned.reason is None


@settings(max_examples=40)
@given(matrices())
def test_the_expansion_is_the_whole_product(matrix: Matrix) -> None:
    """Every variant with every thread count that it supports, every connection count and every mode."""
    slugs = {planned.cell.slug for planned in cells_of(matrix)}
    machine = matrix.machine["local"]
    for item, limits in programs(matrix):
        for threads in machine.threads:
            if limits is None or threads in limits:
                for connections in machine.connections:
                    for mode in matrix.suite.modes:
                        assert f"{item.name}/t{threads}/c{connections}/{mode}" in slugs


@settings(max_examples=30)
@given(matrices())
def test_the_same_matrix_gives_the_same_cells(matrix: Matrix) -> None:
    """A run can be resumed by expanding again."""
    assert [planned.cell.id for planned in cells_of(matrix)] == [planned.cell.id for planned in cells_of(matrix)]


MATTERS = {
    "threads": 3, "connections": 65, "mode": "non-persistent", "machine": "xeon", "cpus": ("0", "1"),
    "request": Request("/x"), "source_hash": "4567", "twin": True,
    "mix": Mix("m", (Request("/x"),), (1,)),
}  # fmt: skip
PROGRAM_MATTERS = {
    "server": "other", "variant": "v", "needs": ("go",), "dir": "other", "build": ("go", "build"), "run": ("go",),
    "config": "x.conf", "flags": ("-d:x",), "env": {"A": "2"},
    "isolate": False, "user": "www-data", "read_only": True, "privileged": True,
}  # fmt: skip
LOAD_MATTERS = {
    "kind": "locust", "warmup_s": 0.4, "duration_s": 2.0, "threads": 2, "duet": (0.1, 0.3), "clients": 2,
    "locustfile": Locustfile("users.py", "0" * 64),
}  # fmt: skip
SAID = {"title": "x", "language": "C", "class_": "stripped", "group": "other", "unavailable": "x",
        "at_least": {"go": "1.26"}, "ready": Ready("/x"), "port": 3000, "warmup": "auto"}  # fmt: skip


def test_the_id_changes_with_everything_that_can_change_the_number() -> None:
    """No two different measurements ever share an id."""
    changed = [
        *(replace(cell(), **{name: value}) for name, value in MATTERS.items()),  # type: ignore[arg-type]
        *(replace(cell(), program=replace(program(), **{name: value})) for name, value in PROGRAM_MATTERS.items()),  # type: ignore[arg-type]
        *(replace(cell(), load=replace(cell().load, **{name: value})) for name, value in LOAD_MATTERS.items()),  # type: ignore[arg-type]
    ]
    assert len({cell().id, *(other.id for other in changed)}) == 1 + len(changed)


@pytest.mark.parametrize("name", SAID)
def test_the_id_does_not_change_with_what_only_describes_a_server(name: str) -> None:
    """A run can still be resumed after a change of title or group."""
    assert replace(cell(), program=replace(program(), **{name: SAID[name]})).id == cell().id  # type: ignore[arg-type]


def test_every_part_of_a_cell_is_known_to_these_tests() -> None:
    """A new field must be listed as one that matters or one that does not."""
    assert set(MATTERS) == set(Cell.__dataclass_fields__) - {"program", "load"}
    assert set(PROGRAM_MATTERS) | set(SAID) == set(Program.__dataclass_fields__)
    assert set(LOAD_MATTERS) == set(LoadSettings.__dataclass_fields__)


def test_locustfiles_are_distinguished_by_their_content() -> None:
    """A cell with other users is another cell."""
    load = cell().load
    users = [replace(load, locustfile=Locustfile("users.py", digit * 64)) for digit in "01"]
    assert len({replace(cell(), load=each).id for each in (load, *users)}) == 3


def test_the_id_begins_with_the_readable_slug() -> None:
    """So that people can tell cells apart without the hash."""
    assert cell().id.startswith("epoll/t2/c64/persistent#")


def test_cells_of_a_family_differ_only_in_the_variant() -> None:
    """Cells of different servers are compared, cells of different threads are not."""
    assert replace(cell(), program=program("go")).family == cell().family
    assert replace(cell(), threads=3).family != cell().family


def test_edited_sources_are_another_cell() -> None:
    """The sources are hashed by folder."""
    matrix = Matrix.model_validate(tomllib.loads((ROOT / "matrix.toml").read_text(encoding="utf-8")))
    old = expand(matrix, "local", matrix.preset["quick"], "wrk", {"servers/nim": "1"})
    new = expand(matrix, "local", matrix.preset["quick"], "wrk", {"servers/nim": "2"})
    changed = {a.cell.program.server for a, b in zip(old, new, strict=True) if a.cell.id != b.cell.id}
    assert changed == {name for name, server in matrix.server.items() if server.dir == "servers/nim"}


def test_a_variant_adds_to_its_server_and_may_support_fewer_threads() -> None:
    """Tools and environment are added, flags and thread counts are the variant's own."""
    server = Server(
        run=("x",), needs=("nim",), env={"A": "1", "B": "1"}, threads=(1, 2),
        variant={"v": Variant(needs=("libgc",), env={"A": "2"}, flags=("-x",), threads=(1,)), "w": Variant()},
    )  # fmt: skip
    matrix = Matrix.model_validate(tomllib.loads((ROOT / "matrix.toml").read_text(encoding="utf-8")))
    plain, (first, limits), (second, inherited) = programs(matrix.model_copy(update={"server": {"s": server}}))
    assert plain[0].flags == ()
    assert (first.name, first.title, first.needs, first.flags) == ("s.v", "s v", ("nim", "libgc"), ("-x",))
    assert first.env == {"A": "2", "B": "1"}
    assert limits == (1,)
    assert (second.name, inherited) == ("s.w", (1, 2))


def test_the_machine_s_duration_overrides_the_preset_s() -> None:
    """The document's machines were measured for ten seconds."""
    matrix = Matrix.model_validate(tomllib.loads((ROOT / "matrix.toml").read_text(encoding="utf-8")))
    planned = expand(matrix, "xeon-e5-2680", matrix.preset["quick"], "wrk")[0]
    assert planned.cell.load == LoadSettings("wrk", 0.2, 10.0, 20, (0.05, 0.2))


@pytest.mark.parametrize(("own", "alone_s", "duet_s"), [('"auto"', None, None), ('"3s"', 3.0, 3.0), (None, 0.1, 0.1)])
def test_a_server_may_have_a_warm_up_of_its_own(own: str | None, alone_s: float | None, duet_s: float | None) -> None:
    """As one that compiles while it runs; those of its variants and of what is like it are the same."""
    text = MATRIX.format(mode="persistent", more="")
    matrix = parse_matrix(text.replace("[server.b]", f"[server.b]\nwarmup = {own}") if own else text)
    a, b = (
        next(each.cell for each in expand(matrix, "local", matrix.preset["quick"], "wrk") if each.cell.name == name)
        for name in "ab"
    )
    assert (a.load.warmup_s, a.in_duet.load.warmup_s) == (0.1, 0.1)
    assert (b.load.warmup_s, b.in_duet.load.warmup_s) == (alone_s, duet_s)


def test_a_cell_has_the_duration_of_a_duet_only_in_one() -> None:
    """Duets are shorter; without a duration of their own they are as long as other trials."""
    short = replace(cell(), load=LoadSettings("wrk", 0.3, 1.0, 2, (0.1, 0.4)))
    assert short.in_duet.load == LoadSettings("wrk", 0.1, 0.4, 2, (0.1, 0.4))
    assert cell().in_duet == cell()


@given(server=NAMES, variant=st.none() | NAMES, threads=st.none() | st.integers(1, 999))
def test_a_row_reads_back_as_it_was_written(server: str, variant: str | None, threads: int | None) -> None:
    """Variant and threads are optional."""
    text = server + (f".{variant}" if variant else "") + (f"@{threads}" if threads else "")
    assert parse_row(text) == RowKey(server, variant, threads or 1)


@pytest.mark.parametrize(
    "text", ["", "@2", "a@", "a@0", "a@02", "a@-1", "a.", ".a", "a.b.c", "A", "a b", "a@2 ", "é", "a/t1"]
)
def test_an_invalid_row_is_refused(text: str) -> None:
    """The message shows how rows are written."""
    with pytest.raises(ValueError, match=r"write server, server\.variant or server\.variant@threads"):
        parse_row(text)


@given(st.text())
def test_any_text_is_a_row_or_is_refused(text: str) -> None:
    """It never fails in another way."""
    try:
        key = parse_row(text)
    except ValueError:
        return
    assert text.startswith(key.server)


@pytest.mark.parametrize(
    ("glob", "selected"),
    [
        ("epoll", True), ("ep*", True), ("epoll/t2", True), ("*/t2/*", True), ("epoll/t2/c64/persistent", True),
        ("*/persistent", True), ("EPOLL", False), ("epoll/t", False), ("*/t1/*", False), ("poll", False), ("t2", False),
    ],
)  # fmt: skip
def test_a_glob_selects_by_the_slug_or_its_leading_parts(glob: str, selected: bool) -> None:  # noqa: FBT001
    """Only whole parts match."""
    assert matches(cell(), [glob]) is selected


def test_a_cell_can_be_selected_by_its_id() -> None:
    """That is how a run is resumed."""
    assert matches(cell(), [cell().id])
    assert not matches(replace(cell(), request=Request("/x")), [cell().id])


def test_a_selection_includes_only_and_excludes_skip() -> None:
    """Skip overrides only; groups are globs, too."""
    assert Selection().admits(cell())
    assert Selection(only=("epoll",)).admits(cell())
    assert not Selection(only=("go",)).admits(cell())
    assert not Selection(only=("epoll",), skip=("*/t2",)).admits(cell())
    assert Selection(group=("doc*",)).has_group(cell().program.group)
    assert not Selection(group=("other",)).has_group(cell().program.group)
