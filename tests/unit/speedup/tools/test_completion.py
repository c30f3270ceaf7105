"""Completion: the scripts know commands and options, and where a file or a folder is meant."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from speedup import entry
from speedup.parser import COMMANDS
from tests.unit.speedup.test_command_line import subcommands

COMPLETE = """\
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(( $# - 1 ))
_shtab_speedup
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_every_command_and_option(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """On stdout, and nothing else there."""
    assert entry.main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert len(subcommands()) == len(COMMANDS)
    assert all(name in script for name in subcommands())
    assert "resume" in script


@pytest.fixture(name="folder")
def folder_with_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a working folder with a file and a folder whose names begin alike."""
    (tmp_path / "ours.toml").touch()
    (tmp_path / "ours").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["pl"], ["plan"]),
        (["run", "--resu"], ["--results", "--resume"]),
        (["run", "--network", "na"], ["namespace"]),
        (["run", "--resume", "ou"], ["ours"]),
        (["plan", "--matrix", "ou"], ["ours", "ours.toml"]),
        (["completion", "f"], ["fish"]),
    ],
    ids=" ".join,
)
def test_bash_completes(words: list[str], offered: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a person would get from Tab."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    assert entry.main(["completion", "bash"]) == 0
    (folder / ".script").write_text(capsys.readouterr().out, encoding="utf-8")
    argv = [bash, "-c", COMPLETE, "bash", ".script", "speedup", *words]
    answer = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    assert sorted(answer.split()) == offered


def test_a_missing_shtab_is_said_to_be_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what brings it."""
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert entry.main(["completion", "bash"]) == 1
    assert capsys.readouterr().err == "speedup: completion needs the Python package shtab: pip install 'shtab>=1.9'\n"
