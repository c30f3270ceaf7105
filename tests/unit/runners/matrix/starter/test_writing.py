"""speedup init: a first matrix for somebody's own server, that plans at once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners import resources
from runners.errors import BadInput
from runners.matrix.cells import expand
from runners.matrix.model import MODES, Matrix
from runners.matrix.reading import parse_matrix
from runners.matrix.requests.request import Expect, Request
from runners.matrix.starter import writing as starter
from runners.matrix.starter.learned import Launch, Learned, together
from runners.matrix.starter.writing import Row, Starter, starter_matrix, unlearned
from runners.server.sources import source_hash
from runners.tools.find import TOOL_DATA
from speedup import entry

LAUNCH = Launch(("./hello", "--port={port}", "--text=a b"))
HELLO = Learned("/", 200, "text/plain; charset=utf-8", (b"Hello",), MODES, 64, 0.001)


def written(learned: Learned, launch: Launch | None = LAUNCH) -> Matrix:
    """Return the matrix that is written for a server called "mine"."""
    return parse_matrix(starter_matrix(Starter((Row("mine", "mine", launch),), learned)), "m.toml", TOOL_DATA)


def test_the_start_command_is_a_list_of_arguments() -> None:
    """No shell runs it."""
    matrix = written(HELLO)
    assert matrix.server["mine"].run == LAUNCH.run
    assert matrix.server["mine"].class_ == "application"
    assert [table.rows for table in matrix.table] == [("mine", "floor"), ("mine", "floor")]


def test_without_a_command_the_row_says_where_to_add_it() -> None:
    """The matrix can still be planned and run."""
    matrix = written(unlearned("/", "Hello World"), None)
    assert "see [server.mine] in matrix.toml" in str(matrix.server["mine"].unavailable)


@given(body=st.text(st.characters(codec="utf-8", exclude_categories=["Cs"])), path=st.sampled_from(["/", "/@body@"]))
def test_any_body_is_kept(body: str, path: str) -> None:
    """Including quotes, line breaks, braces and the marks of the template."""
    matrix = written(unlearned(path, body))
    assert (matrix.suite.path, matrix.suite.body) == (path, body)


def test_answers_that_vary_become_a_request_with_what_they_have_in_common() -> None:
    """The suite's body is exact, so it would not do."""
    bodies = (b'{"a": {"b c": 1}, "now": 1}', b'{"a": {"b c": 1}, "now": 2}')
    (request,) = written(replace(HELLO, path="/users/7?x=1", bodies=bodies)).requests()
    assert isinstance(request, Request)
    assert (request.path, request.expect) == ("/users/7?x=1", Expect(json='{"a": {"b c": 1}}'))


def test_an_error_status_that_was_asked_for_is_expected_and_the_ruler_stays_away() -> None:
    """The ruler answers only status 200; the file says so."""
    wanted = Starter((Row("mine", "mine", LAUNCH),), replace(HELLO, status=404))
    text = starter_matrix(wanted)
    matrix = parse_matrix(text, "m.toml", TOOL_DATA)
    (request,) = matrix.requests()
    assert isinstance(request, Request)
    assert request.expect == Expect(404, body="Hello")
    assert "'floor' is left out: it answers only status 200, not 404" in text
    assert list(matrix.server) == ["mine"]


def test_the_ruler_answers_the_same_bytes(tmp_path: Path) -> None:
    """Else its cost would be that of other work."""
    starter.write_starter(tmp_path, Starter((Row("mine", "mine", LAUNCH),), HELLO))
    matrix = parse_matrix((tmp_path / "matrix.toml").read_text(encoding="utf-8"), "m.toml", TOOL_DATA)
    assert matrix.server["floor"].run[-2:] == ("{dir}/answer", "text/plain; charset=utf-8")
    assert (tmp_path / "servers/floor/answer").read_bytes() == b"Hello"


def test_what_is_too_long_for_the_ruler_is_as_long_in_its_source() -> None:
    """Both know the limit."""
    source = (resources.root() / "servers/floor/ruler.h").read_text(encoding="utf-8")
    assert f"LONGEST_BODY = {starter.LONGEST_RULER_BODY}," in source
    assert f"LONGEST_TYPE = {starter.LONGEST_RULER_TYPE}," in source
    assert written(replace(HELLO, bodies=(b"x" * starter.LONGEST_RULER_BODY,))).server.keys() == {"mine", "floor"}
    assert written(replace(HELLO, bodies=(b"x" * starter.LONGEST_RULER_BODY + b"x",))).server.keys() == {"mine"}


def test_the_presets_are_long_enough_for_a_slow_server() -> None:
    """Each window holds some answers, one after another; there are quick, thorough and smoke."""
    fast, slow = written(HELLO), written(replace(HELLO, took_s=0.11))
    assert list(fast.preset) == ["quick", "thorough", "smoke"]
    assert [preset.duration for preset in fast.preset.values()] == [1, 5, 1]
    assert [preset.duration for preset in slow.preset.values()] == [2, 5, 2]
    assert [preset.duet.duration for preset in slow.preset.values() if preset.duet] == [1.1, 2]


@pytest.mark.parametrize(("ready_s", "timeout_s"), [(3.0, 60.0), (12.0, 60.0), (40.0, 120.0)])
def test_a_slow_start_is_waited_for_three_times_as_long(ready_s: float, timeout_s: float) -> None:
    """A busy machine takes longer than the one that looked; the default is never shortened."""
    assert written(replace(HELLO, ready_s=ready_s)).server["mine"].ready.timeout == timeout_s


def test_a_server_on_a_port_of_its_own_says_so() -> None:
    """The others are told a free one."""
    matrix = written(HELLO, Launch(("./hello",), port=3000))
    programs = {planned.cell.program for planned in expand(matrix, "local", matrix.preset["quick"], "wrk")}
    assert {program.name: program.port for program in programs} == {"mine": 3000, "floor": None}


def test_threads_are_measured_if_the_command_takes_them() -> None:
    """Else one count says all."""
    assert written(HELLO).machine["local"].threads == (1,)
    assert written(HELLO, Launch(("./hello",), {"THREADS": "{threads}"})).machine["local"].threads == (1, 2)


def test_only_the_modes_that_a_server_has_are_measured() -> None:
    """With as many connections as it answers at once."""
    matrix = written(replace(HELLO, modes=("non-persistent",), connections=16))
    assert matrix.suite.modes == ("non-persistent",)
    assert [table.mode for table in matrix.table] == ["non-persistent"]
    assert matrix.machine["local"].connections == (16,)


def test_several_servers_are_asked_alike() -> None:
    """The expectation holds for all of them, and the fewest connections."""
    both = together([HELLO, replace(HELLO, bodies=(b"Hallo",), modes=("persistent",), connections=8)])
    assert (both.modes, both.connections, both.expect) == (("persistent",), 8, Expect(length=(1, 21)))


def test_a_name_that_cannot_be_used_is_reported() -> None:
    """Before anything is written."""
    with pytest.raises(BadInput, match="'My Server' is not a valid name"):
        starter_matrix(Starter((Row("My Server", "x", LAUNCH),), HELLO))


def test_a_path_that_no_request_can_ask_for_is_reported() -> None:
    """Such as one with a blank."""
    with pytest.raises(BadInput, match="--path: ' ' cannot stand in a request line"):
        written(replace(HELLO, path="/a b"))


def test_a_folder_that_cannot_be_made_is_bad_input(tmp_path: Path) -> None:
    """A file is there already."""
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match=r"cannot write into .*file: .*; name another folder"):
        starter.write_starter(tmp_path / "file", Starter((Row("mine", "mine", LAUNCH),), HELLO))


def test_without_a_command_init_writes_a_matrix_to_fill_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beside your code, with a server named after the folder; it plans at once."""
    project = tmp_path / "My Server"
    assert entry.main(["init", str(project)]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[0].endswith("My Server/matrix.toml")
    assert "fill in the command that starts 'my-server'" in said.err

    monkeypatch.chdir(project)
    assert entry.main(["plan", "--json"]) == 0
    cells = json.loads(capsys.readouterr().out)["cells"]
    assert {"my-server", "floor"} <= {cell["server"] for cell in cells}


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A matrix may hold hours of work."""
    (tmp_path / "matrix.toml").write_text("mine", encoding="utf-8")
    with pytest.raises(BadInput, match="exists already"):
        starter.write_starter(tmp_path, Starter((Row("mine", "mine", LAUNCH),), HELLO))
    assert [file.name for file in tmp_path.iterdir()] == ["matrix.toml"]


@pytest.mark.parametrize("name", ["results", "node_modules", ".git", "__pycache__"])
def test_a_file_that_is_not_a_source_does_not_change_a_cell(tmp_path: Path, name: str) -> None:
    """Otherwise, if a server's folder is a whole project, each run would change the cells of the next one."""
    (tmp_path / "main.c").write_text("int main;", encoding="utf-8")
    before = source_hash(tmp_path)
    (tmp_path / name).mkdir()
    (tmp_path / name / "file").write_text("x", encoding="utf-8")
    assert source_hash(tmp_path) == before
    (tmp_path / "other.c").write_text("", encoding="utf-8")
    assert source_hash(tmp_path) != before
