"""The lines that say what to type next: whole, and as a shell takes them."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from runners import resources
from runners.resources import report_line, resume_line
from tests.support import ROOT


def test_the_line_that_resumes_a_run_works_in_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its paths are whole, and quoted where they have to be."""
    monkeypatch.chdir(tmp_path)
    _, *words = shlex.split(resume_line(Path("my results/x"), "--token-file", "a b"))
    folder = str(tmp_path / "my results/x")
    assert words == [str(ROOT / "speedup"), "run", "--resume", folder, "--token-file", "a b"]
    assert shlex.split(report_line(Path("y")))[1:] == [str(ROOT / "speedup"), "report", str(tmp_path / "y")]


def test_the_line_starts_the_python_that_has_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another `python` on the PATH, as beside nox, lacks them."""
    for found, first in ((sys.executable, "python"), ("/elsewhere/python", sys.executable), (None, sys.executable)):
        monkeypatch.setattr("shutil.which", lambda _, found=found: found)
        assert shlex.split(resume_line(Path("x")))[0] == first


def test_once_installed_the_line_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then there is a command."""
    monkeypatch.setattr(resources, "root", lambda: Path("/elsewhere"))
    assert resume_line(Path("/x")) == "speedup run --resume /x"
