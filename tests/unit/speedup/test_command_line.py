"""The command line: help for every command, errors once and with a way on, and exit codes that mean something."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runners.errors import BadInput, Interrupted
from runners.version import VERSION
from speedup import entry
from speedup.parser import build_parser
from speedup.tools import schema
from tests.support import ROOT
from tests.support.machine import only_wrk

MATRIX = """\
suite = { title = "T" }
preset.quick = { warmup = "0s", duration = "1s" }
machine.local = { threads = [1], connections = [64] }

[server.a]
run = ["a"]

[server.b]
unavailable = "its source is lost"
"""


@pytest.fixture(name="matrix")
def matrix_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a matrix on a machine that has wrk only, in a working folder without one."""
    monkeypatch.chdir(only_wrk(tmp_path, monkeypatch))
    (tmp_path / "servers/a").mkdir(parents=True)
    file = tmp_path / "m.toml"
    file.write_text(MATRIX, encoding="utf-8")
    return file


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """Return what argparse says of words that it refuses with exit code 2."""
    with pytest.raises(SystemExit) as ended:
        entry.main(argv)
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    return said.err


def subcommands() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each command."""
    (action,) = (item for item in build_parser()._actions if isinstance(item.choices, dict))
    return dict(action.choices or {})


def test_a_plan_comes_as_json(matrix: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing else is on stdout, so that programs can read it."""
    assert entry.main(["plan", "--matrix", str(matrix), "--json", "--machine", "local"]) == 0
    said = capsys.readouterr()
    plan = json.loads(said.out)
    assert (plan["title"], plan["preset"], plan["load"]) == ("T", "quick", "wrk")
    assert [(cell["slug"], cell["status"]) for cell in plan["cells"]] == [
        ("a/t1/c64/persistent", "planned"),
        ("a/t1/c64/non-persistent", "planned"),
        ("b/t1/c64/persistent", "unavailable"),
        ("b/t1/c64/non-persistent", "unavailable"),
    ]
    assert said.err == ""


def test_a_plan_comes_for_people(matrix: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With what it comes to in the last line."""
    assert entry.main(["plan", "--matrix", str(matrix), "--only", "a/*/persistent"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("1 cell x 6 blocks = 6 trials on machine 'local'")


def test_the_selection_of_the_command_line_is_heeded(matrix: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Options may be given several times."""
    argv = ["plan", "--matrix", str(matrix), "--json", "--only", "a", "--only", "b", "--skip", "*/non-persistent"]
    assert entry.main(argv) == 0
    slugs = [cell["slug"] for cell in json.loads(capsys.readouterr().out)["cells"]]
    assert slugs == ["a/t1/c64/persistent", "b/t1/c64/persistent"]


def test_the_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Byte by byte what is committed."""
    assert entry.main(["schema"]) == 0
    assert capsys.readouterr().out == (ROOT / "matrix.schema.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("argv", "hint"),
    [
        (["plna"], "did you mean plan?"),
        (["plan", "--jsno"], "did you mean --json?"),
        (["plan", "--perset", "quick"], "did you mean --preset?"),
        (["plan", "--perset=quick"], "did you mean --preset?"),
        (["run", "--resumed", "results/x", "--json"], "did you mean --resume?"),
        (["doctor", "--for", "sever"], "did you mean server?"),
    ],
    ids=" ".join,
)
def test_a_misspelt_word_gets_a_suggestion(argv: list[str], hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Wherever in the command it stands."""
    if argv[0] == "doctor":
        hint = "choose from"  # argparse lists the few choices itself
    assert hint in refused(capsys, *argv)


@pytest.mark.parametrize("argv", [[], ["plan", "--zzzzzz"], ["report"], ["plan", "--seed", "x"]], ids=" ".join)
def test_wrong_words_end_with_2_and_name_the_help(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Two lines, no usage that scrolls the reason away."""
    said = refused(capsys, *argv)
    assert len(said.splitlines()) == 2
    assert said.splitlines()[1].endswith("--help")


def test_bad_input_ends_with_2_and_is_said_once(matrix: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On stderr, with the place, without a traceback."""
    matrix.write_text(MATRIX.replace("run =", "rnu ="), encoding="utf-8")
    assert entry.main(["plan", "--matrix", str(matrix)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"speedup: {matrix}:")
    assert "unknown key 'rnu' - did you mean 'run'?" in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["plan", "--matrix", "none.toml"], "none.toml: No such file or directory"),
        (["plan", "--preset", "quik"], "no preset 'quik' - did you mean 'quick'?"),
        (["plan", "--machine", "zzz"], "no machine profile 'zzz'"),
        (["plan", "--load", "wkr"], "no load 'wkr' - did you mean 'wrk'?"),
        (["report", "nowhere"], "nowhere is not a run folder"),
    ],
    ids=" ".join,
)
def test_a_name_that_is_not_there_ends_with_2(
    argv: list[str], said: str, matrix: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what there is, or what was sought."""
    if argv[0] == "plan" and "--matrix" not in argv:
        argv = [*argv, "--matrix", str(matrix)]
    assert entry.main(argv) == 2
    assert said in capsys.readouterr().err


def test_nothing_selected_ends_with_3(matrix: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the names there are."""
    assert entry.main(["plan", "--matrix", str(matrix), "--only", "zzz"]) == 3
    assert "speedup: 'zzz' matches no cell - variants are a, b" in capsys.readouterr().err


def test_debug_adds_the_traceback(matrix: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The message stays the last line."""
    assert entry.main(["--debug", "plan", "--matrix", str(matrix), "--only", "zzz"]) == 3
    said = capsys.readouterr().err
    assert said.startswith("Traceback")
    assert said.splitlines()[-1].startswith("speedup: 'zzz' matches no cell")


@pytest.mark.parametrize("name", sorted(subcommands()))
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each of its options is in it, with words that say what it does."""
    with pytest.raises(SystemExit) as ended:
        entry.main([name, "--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    for action in subcommands()[name]._actions:
        assert action.help or action.choices
        assert all(option in said for option in action.option_strings)


def test_the_help_lists_every_command_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    """With examples to copy."""
    with pytest.raises(SystemExit) as ended:
        entry.main(["--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert all(f"\n    {name}" in said for name in subcommands())
    assert "130 interrupted" in said
    assert "speedup run --only 'epoll*' --preset thorough" in said


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """The same as in the package."""
    with pytest.raises(SystemExit) as ended:
        entry.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"http-speedup {VERSION}\n"


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (BadInput("wrong"), 2, "speedup: wrong\n"),
        (Interrupted("interrupted (SIGTERM)"), 130, "speedup: interrupted (SIGTERM)\n"),
        (KeyboardInterrupt(), 130, "speedup: interrupted\n"),
    ],
    ids=["bad input", "signal", "Ctrl-C"],
)
def test_every_error_has_its_exit_code(
    error: BaseException, code: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And is shown in one line."""

    def fail(_arguments: argparse.Namespace) -> int:
        raise error

    monkeypatch.setattr(schema, "act", fail)
    assert entry.main(["schema"]) == code
    assert capsys.readouterr().err == said


def test_a_python_without_our_dependencies_is_told_what_to_install() -> None:
    """As after a clone, with the system's Python: -S hides what is installed here."""
    argv = [sys.executable, "-S", str(ROOT / "speedup"), "plan"]
    ended = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (4, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("speedup: the Python package '")
    assert line.endswith("pip install -e .), or let nox do so: pipx run nox -s bench")


@pytest.mark.parametrize("name", ["runners.gone", "fcntl"])
def test_a_module_that_nobody_can_install_is_a_fault_of_ours(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its traceback is what we need."""

    def fail(_arguments: argparse.Namespace) -> int:
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(schema, "act", fail)
    with pytest.raises(ModuleNotFoundError):
        entry.main(["schema"])


@pytest.mark.parametrize("command", [["schema"], ["plan", "--only", "a"]], ids=["long output", "short output"])
def test_a_reader_that_has_gone_is_no_error(command: list[str], matrix: Path) -> None:
    """As with `| head`: no traceback, no complaint."""
    if command[0] == "plan":
        command = [*command, "--matrix", str(matrix)]
    reading, writing = os.pipe()
    os.close(reading)
    argv = [sys.executable, str(ROOT / "speedup"), *command]
    with os.fdopen(writing, "wb") as stdout:
        ended = subprocess.run(argv, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
