"""speedup init learns about a server, and writes a matrix that fits."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from runners.matrix.reading import read_matrix
from runners.tools.find import TOOL_DATA
from speedup import entry
from tests.support import ROOT, shapes
from tests.support.bench import wait_for
from tests.support.fake_http import FakeServer


def test_init_says_in_a_few_lines_what_it_learned_and_what_to_do_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Paths go to stdout."""
    assert entry.main(["init", str(tmp_path), "--name", "mine", "--run", shapes.command("timestamp")]) == 0
    said = capsys.readouterr()
    assert [Path(line).name for line in said.out.splitlines()] == ["matrix.toml", "floor"]
    started, answered, expected, following = said.err.splitlines()
    assert "reads its port from PORT" in started
    assert answered.startswith("GET /: 200, application/json, ")
    assert expected == (
        "each answer must be a JSON object with the same message, user;"
        " connections: persistent and non-persistent, 64 at once"
    )
    assert following.startswith("next: in that folder: speedup plan, speedup run")
    matrix, _ = read_matrix(tmp_path / "matrix.toml", TOOL_DATA)
    assert matrix.server["mine"].env == {"PORT": "{port}", "HOST": "{host}"}


def test_init_asks_a_server_that_runs_and_leaves_its_command_to_be_filled_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It cannot be known."""
    with FakeServer() as fake:
        assert entry.main(["init", str(tmp_path), "--name", "mine", "--url", f"http://127.0.0.1:{fake.port}/"]) == 0
    assert "fill in the command that starts 'mine'" in capsys.readouterr().err
    matrix, _ = read_matrix(tmp_path / "matrix.toml", TOOL_DATA)
    assert matrix.suite.body == "Hello World"
    assert matrix.server["mine"].unavailable


def test_nothing_is_started_where_a_matrix_would_be_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error comes first."""
    (tmp_path / "matrix.toml").write_text("mine", encoding="utf-8")
    command = f"touch '{tmp_path}/started'"
    assert entry.main(["init", str(tmp_path), "--run", command]) == 2
    assert "exists already; nothing was written" in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["matrix.toml"]


def test_term_ends_the_server_with_its_children(tmp_path: Path) -> None:
    """As Ctrl-C does: nothing is written, and nothing is left."""
    words = [sys.executable, str(ROOT / "speedup"), "init", str(tmp_path), "--run", shapes.command("prefork")]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        started = psutil.Process(process.pid)
        wait_for(lambda: len(started.children(recursive=True)) >= 5)  # with what encloses the four
        servers = started.children(recursive=True)
        process.terminate()
        _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (130, "speedup: interrupted\n")
    wait_for(lambda: not any(server.is_running() for server in servers))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--run", "x", "--url", "http://127.0.0.1/"], "not both"),
        (["--run", "x", "--name", "A b"], "'A b' is not a valid name"),
        (["--run", "false"], "false: it ended with exit status 1 before it answered"),
        (["--url", "http://127.0.0.1/", "--path", "/x"], "write the path into --url"),
    ],
)
def test_what_init_cannot_use_is_reported_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], complaint: str
) -> None:
    """With exit code 2."""
    assert entry.main(["init", str(tmp_path), *words]) == 2
    assert complaint in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
