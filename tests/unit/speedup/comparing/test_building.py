"""A checkout with a matrix is measured as that matrix says: its requests, its mixes, its modes."""

from __future__ import annotations

import shlex
from argparse import Namespace
from pathlib import Path

import pytest

from runners.errors import BadInput
from runners.matrix.requests.request import Expect, Request
from runners.matrix.starter.comparison import comparison_matrix
from runners.matrix.starter.learned import Launch, Learned
from runners.matrix.starter.toml import toml_value
from runners.matrix.starter.writing import Row
from runners.plan.planning import Options, make_plan
from runners.server.revisions.checkouts import Repository, Revision
from speedup.comparing.building import Recipe, Side, build_side, recipe_of
from speedup.comparing.endings import DoesNotStart
from speedup.comparing.revisions import MOST_ASKED, _few
from speedup.comparing.sides import hear
from tests.support import waiting
from tests.unit.runners.server.revisions.test_checkouts import git

MATRIX = """
[suite]
title = "Mine"
{suite}
[preset.quick]
warmup = "100ms"
duration = "1s"
[machine.local]
threads = [1, 2]
connections = [64]
[server.mine]
dir = "."
run = ["./mine", "--port={{port}}"]
[server.other]
dir = "."
run = ["./other", "--port={{port}}"]
"""
REQUESTS = """
[request.users]
path = "/users?limit=5"
headers = { Accept = "application/json" }
expect = { status = 200, json = { ok = true } }
[request.save]
method = "POST"
body_file = "save.json"
[mix.both]
requests = ["users", "save"]
[[exclude]]
cells = "mine/*/non-persistent/both"
[[exclude]]
cells = "other/*/persistent/both"
"""


def side(folder: Path, suite: str, more: str = "") -> Side:
    """Return a checkout with this matrix, as it is built."""
    git(folder, "init", "-q")
    (folder / "matrix.toml").write_text(MATRIX.format(suite=suite) + more, encoding="utf-8")
    (folder / "save.json").write_text("{}", encoding="utf-8")
    recipe = Recipe("", matrix=Path("matrix.toml"), only="mine")
    return build_side(recipe, Revision("HEAD", "0" * 40), folder, folder / "log.txt")


@pytest.mark.usefixtures("wrk_on_path")
def test_requests_and_mixes_are_measured_each_in_the_modes_that_the_matrix_has_for_the_server(tmp_path: Path) -> None:
    """Bodies in files are found from anywhere; what a rule excludes for the server is left out."""
    built = side(tmp_path, 'requests = ["users", "save", "both"]', REQUESTS)
    assert built.described is not None
    assert built.modes == ("persistent", "non-persistent")
    learned = Learned("/", 200, "", (b"",), built.modes, 64, 0.0001)
    old, new = (Row(name, name, Launch(("./mine", "--port={port}"))) for name in ("old", "new"))
    plan = make_plan(Options(text=comparison_matrix(old, new, learned, 60, built.described), machine="local"))
    planned = {(cell.mode, cell.request.name) for cell in plan.measurable if cell.connections == 64}
    assert planned == {
        ("persistent", "users"), ("persistent", "save"), ("persistent", "both"),
        ("non-persistent", "users"), ("non-persistent", "save"),
    }  # fmt: skip
    assert {cell.request.body for cell in plan.measurable if cell.request.name == "save"} == {b"{}"}
    assert len(plan.duets) == 2 * len(planned)


@pytest.mark.usefixtures("wrk_on_path")
def test_only_the_requests_that_the_suite_chose_are_measured(tmp_path: Path) -> None:
    """One alone needs no name."""
    built = side(tmp_path, 'requests = ["users"]\nmodes = ["persistent"]', REQUESTS)
    learned = Learned("/", 200, "", (b"",), ("persistent",), 64, 0.0001)
    rows = (Row("old", "old", Launch(("./a",))), Row("new", "new", Launch(("./b",))))
    plan = make_plan(Options(text=comparison_matrix(*rows, learned, 60, built.described), machine="local"))
    assert {(cell.request.name, cell.request.path) for cell in plan.measurable} == {("", "/users?limit=5")}


def test_a_matrix_without_requests_names_its_path(tmp_path: Path) -> None:
    """Its answers are learned, as always."""
    built = side(tmp_path, 'path = "/here"\nmodes = ["persistent"]')
    assert (built.path, built.modes, built.described) == ("/here", ("persistent",), None)


def test_a_server_that_the_matrix_excludes_everywhere_is_not_compared(tmp_path: Path) -> None:
    """With the reason."""
    with pytest.raises(BadInput, match="measures mine in no mode"):
        side(tmp_path, "", '[[exclude]]\ncells = "mine/*"')


def test_a_mix_of_hundreds_is_asked_only_in_part_beforehand(tmp_path: Path) -> None:
    """Its answers are still judged by what the matrix expects, on every start of a server."""
    (tmp_path / "urls.txt").write_text("".join(f"/{number}\n" for number in range(200)), encoding="utf-8")
    built = side(tmp_path, "", '[mix.many]\nurls = "urls.txt"')
    assert built.described is not None
    assert len(_few(built.described)) == MOST_ASKED


def heard(requests: tuple[Request, ...], *options: str, agreed: bool = False) -> Learned:
    """Return what two servers have in common, the new one with these options."""
    old, new = (
        Row(name, name, Launch(tuple(shlex.split(waiting.command(*more)))))
        for name, more in (("old", ()), ("new", options))
    )
    arguments = Namespace(path=None, status=None, timeout=20.0, mode=None, different_answers=agreed)
    return hear((old, new), requests, arguments)[1]


def test_both_sides_must_answer_each_request_alike_unless_agreed_to() -> None:
    """The matrix may expect no more than a status."""
    asked = (Request("/a"), Request("/b"))
    assert heard(asked).modes == ("persistent", "non-persistent")
    with pytest.raises(BadInput, match=r"the two answer different things.*\n  old: GET /a: 200"):
        heard(asked, "--body=Bye")
    assert heard(asked, "--body=Bye", agreed=True).bodies[0] == b"Hello"


def test_an_answer_that_the_matrix_does_not_expect_is_the_side_s_fault() -> None:
    """Its name and the request are said."""
    with pytest.raises(DoesNotStart, match=r"old: .*GET /a|old: .*it answers the body"):
        heard((Request("/a", expect=Expect(body="Something else")),))


def test_toml_of_a_request_survives_quotes_and_tables() -> None:
    """Headers and expected JSON are inline tables."""
    assert toml_value({"Accept": 'a "b"', "x y": 1}) == '{ Accept = "a \\"b\\"", "x y" = 1 }'


def commands(build: str | None, run: str) -> Recipe:
    """Return how a checkout is built and started by commands that somebody typed."""
    arguments = Namespace(build=build, run=run, matrix=None, only=None)
    return recipe_of(arguments, Repository(Path("/repo"), Path("/repo/.git"), ""))


def test_the_place_of_the_program_is_named_as_in_a_matrix(tmp_path: Path) -> None:
    """In the checkout, by both commands; a start command alone cannot know it."""
    recipe = commands("cp source {out}", "{out} --port={port}")
    assert recipe.run is not None
    assert recipe.run.run == ("./.speedup-out", "--port={port}")
    git(tmp_path, "init", "-q")
    (tmp_path / "source").write_text("#!/bin/sh\n", encoding="utf-8")
    (tmp_path / "source").chmod(0o755)
    built = build_side(recipe, Revision("HEAD", "0" * 40), tmp_path, tmp_path / "log.txt")
    assert built.row.launch == recipe.run
    assert (tmp_path / ".speedup-out").read_bytes() == b"#!/bin/sh\n"
    for build in (None, "make"):
        with pytest.raises(BadInput, match=r"\{out\} in --run is what --build writes"):
            commands(build, "{out} --port={port}")
