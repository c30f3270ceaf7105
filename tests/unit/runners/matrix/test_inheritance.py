"""`like`: a server or variant inherits what it does not set itself; and what can go wrong with that."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.errors import BadInput
from runners.matrix.cells import Program, expand, programs
from runners.matrix.inheritance import OWN
from runners.matrix.model import Matrix, Server
from runners.matrix.reading import parse_matrix

FRAME: dict[str, Any] = {
    "suite": {"title": "T"},
    "preset": {"quick": {"warmup": "0s", "duration": "1s"}},
    "machine": {"local": {"threads": [1, 2], "connections": [64]}},
    "tool": {name: {"commands": [name]} for name in ("nim", "cc", "libgc")},
}
TEXT = """\
[suite]
title = "T"
[preset.quick]
warmup = "0s"
duration = "1s"
[machine.local]
threads = [1]
connections = [1]
[server.first]
run = ["{out}"]
[server.first.variant.slow]
"""
PARENT = {
    "language": "Nim", "class": "stripped", "group": "g", "needs": ["nim", "cc"], "at_least": {"nim": "2.0"},
    "dir": "servers/nim", "source": "a.nim", "flags": ["-d:server={server}"],
    "build": ["nim", "{flags}", "{dir}/{source}"], "run": ["{out}"], "config": "x.conf", "env": {"A": "{server}"},
    "threads": [1], "ready": {"path": "/a"}, "isolate": False, "port": 3000,
    "user": "www-data", "read_only": True, "privileged": False, "warmup": "3s",
}  # fmt: skip
CHILD = {
    "language": "C", "class": "historic", "group": "h", "needs": ["nim"], "at_least": {}, "dir": "servers/c",
    "source": "b.nim", "flags": ["-x"], "build": ["cc", "{flags}", "{source}"], "run": ["{out}", "{server}"],
    "config": "y.conf", "env": {"B": "1"}, "threads": [2], "ready": {"timeout": "5s"}, "isolate": True, "port": 4000,
    "user": "nobody", "read_only": False, "privileged": True, "warmup": "auto",
}  # fmt: skip


def matrix_of(**servers: dict[str, Any]) -> Matrix:
    """Return a matrix with these servers."""
    return Matrix.model_validate({**FRAME, "server": servers})


def program_of(matrix: Matrix, name: str) -> Program:
    """Return a server's or variant's program."""
    return next(program for program, _ in programs(matrix) if program.name == name)


def errors(text: str) -> list[str]:
    """Return the first line of each error in a text."""
    with pytest.raises(BadInput) as caught:
        parse_matrix(TEXT + text, "m.toml")
    return [line for line in str(caught.value).splitlines() if line.startswith("m.toml:")]


@given(st.sets(st.sampled_from(sorted(CHILD))))
def test_like_is_as_if_the_missing_lines_were_copied(keys: set[str]) -> None:
    """Its cells have the same ids as those of a server that is written out in full, whatever it sets itself."""
    child = {key: CHILD[key] for key in keys}
    inherited = matrix_of(parent=PARENT, child={**child, "like": "parent"})
    written = matrix_of(parent=PARENT, child={**PARENT, **child})
    assert ids(inherited) == ids(written)


def ids(matrix: Matrix) -> list[str]:
    """Return the ids of a matrix's cells."""
    return [planned.cell.id for planned in expand(matrix, "local", matrix.preset["quick"], "wrk")]


def test_every_key_of_a_server_is_inherited_or_its_own() -> None:
    """A new key is inherited unless it is listed as a server's own."""
    aliases = {field.alias or name for name, field in Server.model_fields.items()}
    assert aliases - OWN == set(PARENT) == set(CHILD)


def test_a_title_a_reason_and_variants_are_not_inherited() -> None:
    """They describe one server only."""
    parent = {**PARENT, "title": "P", "unavailable": "lost", "variant": {"v": {"flags": ["-v"]}}}
    matrix = matrix_of(parent=parent, child={"like": "parent"})
    child = program_of(matrix, "child")
    assert (child.title, child.unavailable) == ("child", None)
    assert [program.name for program, _ in programs(matrix)] == ["parent", "parent.v", "child"]


def test_a_folder_is_inherited_only_where_it_is_written() -> None:
    """By default it is named after the server itself."""
    matrix = matrix_of(go={"run": ["x"]}, nim=PARENT, fast={"like": "go"}, epoll={"like": "nim"})
    assert (program_of(matrix, "fast").dir, program_of(matrix, "epoll").dir) == ("servers/fast", "servers/nim")


def test_the_server_s_own_name_and_source_fill_inherited_commands() -> None:
    """In build, run, flags and environment."""
    child = program_of(matrix_of(parent=PARENT, child={"like": "parent", "source": "b.nim"}), "child")
    assert child.build == ("nim", "-d:server=child", "{flags}", "{dir}/b.nim")
    assert child.env == {"A": "child"}


def test_a_variant_s_flags_come_after_the_server_s() -> None:
    """So that they can override them."""
    server = {**PARENT, "variant": {"v": {"flags": ["-d:server=v"]}}}
    program = program_of(matrix_of(parent=server), "parent.v")
    assert program.build[:3] == ("nim", "-d:server=parent", "{flags}")
    assert program.flags == ("-d:server=v",)


def test_a_server_may_be_like_one_that_is_like_another() -> None:
    """The nearest one that sets a key decides, wherever it is in the file."""
    matrix = matrix_of(c={"like": "b"}, b={"like": "a", "threads": [2]}, a=PARENT)
    assert (matrix.server["c"].threads, matrix.server["c"].source) == ((2,), "a.nim")


def test_a_variant_may_be_like_another_server_s() -> None:
    """It inherits flags, environment, tools, threads and group, and adds them to its own server."""
    gc = {"flags": ["--gc:boehm"], "needs": ["libgc"], "env": {"B": "1"}, "threads": [2], "group": "gcs", "title": "x"}
    child = {"like": "parent", "needs": ["cc"], "variant": {"w": {"like": "parent.v", "env": {}}}}
    matrix = matrix_of(parent={**PARENT, "variant": {"v": gc}}, child=child)
    program = program_of(matrix, "child.w")
    assert (program.flags, program.needs, program.env) == (("--gc:boehm",), ("cc", "libgc"), {"A": "child"})
    assert (program.group, program.title, matrix.server["child"].variant["w"].threads) == ("gcs", "child w", (2,))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('[server.second]\nlike = "frst"', "13:1: unknown server 'frst' - did you mean 'first'?"),
        ('[server.second]\nlike = "zzz"', "13:1: unknown server 'zzz' - known: first, second"),
        ('[server.second]\nlike = "first.slow"', "13:1: unknown server 'first.slow' - did you mean 'first'?"),
        ('[server.first.variant.b]\nlike = "slow"', "13:1: unknown variant 'slow' - did you mean 'first.slow'?"),
        ('like = "first.slwo"', "12:1: unknown variant 'first.slwo' - did you mean 'first.slow'?"),
        ('like = "first.slow"', "12:1: 'first.slow' is like itself; break the cycle"),
        ('[server.second]\nlike = "second"', "13:1: 'second' is like itself; break the cycle"),
        (
            '[server.b]\nlike = "c"\n[server.c]\nlike = "b"\n[server.d]\nlike = "c"',
            "13:1: 'b' is like 'c', which is like 'b'; break the cycle",
        ),
        ("[server.second]\nlike = 3", "13:1: 'like' must be text in quotes"),
    ],
)
def test_an_unknown_or_circular_name_is_reported_once(written: str, said: str) -> None:
    """With its place and a suggestion."""
    assert errors(written) == [f"m.toml:{said}"]


def test_all_wrong_ancestors_are_reported_at_once() -> None:
    """In the order of the file, with other errors."""
    text = 'like = "x"\n[server.b]\nlike = "b"\n[server.c]\nlike = "d"\nneeds = ["nim"]\n'
    places = [line.split(": ")[0] for line in errors(text)]
    assert places == ["m.toml:12:1", "m.toml:14:1", "m.toml:16:1", "m.toml:17:10"]


def test_an_inherited_error_is_reported_where_it_is_written() -> None:
    """Not again for each server that inherits it."""
    text = (
        '[server.a]\nneeds = ["nimm"]\nbuild = ["x", "{source}"]\nrun = ["y"]\nflags = ["-f"]\n'
        '[server.a.variant.v]\nneeds = ["nimn"]\n[server.b]\nlike = "a"\n[server.b.variant.w]\nlike = "a.v"\n'
    )
    assert [line.partition(" - ")[0].removeprefix("m.toml:") for line in errors(text)] == [
        "12:9: its commands contain {source}, but 'source' is not set",
        "13:10: unknown tool 'nimm'",
        "16:1: these flags are unused: the build command has no {flags}",
        "18:10: unknown tool 'nimn'",
    ]


def test_a_start_command_may_be_inherited_but_must_exist() -> None:
    """A server that cannot be measured may have none."""
    (said,) = errors('[server.lost]\nunavailable = "lost"\n[server.heir]\nlike = "lost"\n')
    assert said.startswith('m.toml:14:9: set "run" (the start command)')
    assert said.endswith("'lost' has no start command to inherit")


def test_flags_that_no_command_uses_are_refused() -> None:
    """The variant would be measured without them."""
    assert errors('flags = ["-x"]') == ["m.toml:12:1: these flags are unused: the build command has no {flags}"]
