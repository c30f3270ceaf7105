"""speedup init: a first matrix for somebody's own server, that plans at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.errors import BadInput
from runners.matrix import starter
from runners.matrix.reading import parse_matrix
from runners.matrix.starter import Starter, starter_matrix
from runners.server.sources import source_hash
from runners.tools.find import TOOL_DATA
from speedup import entry

RULER = '[server.floor]\nrun = ["{out}", "--port={port}"]\nbuild = ["gcc"]\n'
COMMAND = "./hello --port={port} --text='a b'"


def test_the_start_command_becomes_a_list_of_arguments() -> None:
    """Split as a shell would, but no shell runs it."""
    matrix = parse_matrix(starter_matrix(Starter("mine", COMMAND, "Hello World", "/"), RULER), "m.toml", TOOL_DATA)
    assert matrix.server["mine"].run == ("./hello", "--port={port}", "--text=a b")
    assert [table.rows for table in matrix.table] == [("mine", "floor"), ("mine", "floor")]


def test_without_a_command_the_row_says_where_to_add_it() -> None:
    """The matrix can still be planned and run."""
    matrix = parse_matrix(starter_matrix(Starter("mine", None, "Hello World", "/"), RULER), "m.toml", TOOL_DATA)
    assert "see [server.mine] in matrix.toml" in str(matrix.server["mine"].unavailable)


@given(body=st.text(st.characters(codec="utf-8", exclude_categories=["Cs"])), title=st.sampled_from(["a", "a-1_b"]))
def test_any_body_is_kept(body: str, title: str) -> None:
    """Including quotes, line breaks, braces and the marks of the template."""
    text = starter_matrix(Starter(title, COMMAND, body, "/"), RULER)
    assert parse_matrix(text, "m.toml", TOOL_DATA).suite.body == body


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (Starter("My Server", COMMAND, "x", "/"), "'My Server' is not a valid name"),
        (Starter("mine", "./hello", "x", "/"), "has no {port}"),
        (Starter("mine", "./hello 'oops", "x", "/"), "No closing quotation"),
        (Starter("mine", COMMAND, "x", "/a b"), "--path: ' ' cannot stand in a request line"),
    ],
)
def test_what_cannot_be_used_is_reported(options: Starter, complaint: str) -> None:
    """Before anything is written."""
    with pytest.raises(BadInput, match=complaint.replace("{", r"\{")):
        starter_matrix(options, RULER)


def test_init_writes_a_matrix_that_plans(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beside your code, with a server named after the folder."""
    project = tmp_path / "My Server"
    assert entry.main(["init", str(project), "--run", "./hello --port={port}"]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[0].endswith("My Server/matrix.toml")
    assert "speedup plan, speedup run" in said.err

    monkeypatch.chdir(project)
    assert entry.main(["plan", "--json"]) == 0
    cells = json.loads(capsys.readouterr().out)["cells"]
    assert {"my-server", "floor"} <= {cell["server"] for cell in cells}


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A matrix may hold hours of work."""
    (tmp_path / "matrix.toml").write_text("mine", encoding="utf-8")
    with pytest.raises(BadInput, match="exists already"):
        starter.write_starter(tmp_path, Starter("mine", COMMAND, "x", "/"))
    assert [file.name for file in tmp_path.iterdir()] == ["matrix.toml"]


def test_a_folder_that_cannot_be_made_is_bad_input(tmp_path: Path) -> None:
    """A file is there already."""
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match=r"cannot write into .*file: File exists; name another folder"):
        starter.write_starter(tmp_path / "file", Starter("mine", COMMAND, "x", "/"))


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
