"""A fresh checkout installs in the ways that people try first, and plans at once."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

pytestmark = [pytest.mark.network, pytest.mark.timeout(600)]

PLANNED = "epoll/t1/c64/persistent"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a folder with what git tracks here, as it is now, and nothing that was made since."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, tmp_path / name)
    return tmp_path


def ran(folder: Path, *command: str) -> str:
    """Run a command to its end and return what it prints."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_pip_installs_a_checkout_in_place(checkout: Path) -> None:
    """With what it depends on; the command is then on the environment's path."""
    ran(checkout, sys.executable, "-m", "venv", ".venv")
    ran(checkout, ".venv/bin/pip", "install", "-e", ".")
    assert PLANNED in ran(checkout, ".venv/bin/speedup", "plan", "--only", "epoll/t1")


@pytest.mark.skipif(shutil.which("uv") is None, reason="uv is not installed: nox -s acceptance brings it")
def test_uv_installs_a_checkout_in_place(checkout: Path) -> None:
    """`uv sync`, then `uv run`."""
    ran(checkout, "uv", "sync")
    assert PLANNED in ran(checkout, "uv", "run", "speedup", "plan", "--only", "epoll/t1")
