"""Finds the data files: beside the code in a checkout, in a folder of their own in an installed wheel."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

PACKAGED = "speedup_data"


def root() -> Path:
    """Return the folder that contains matrix.toml, servers/, templates/, published/ and requirements/."""
    return code() if (code() / "matrix.toml").is_file() else code() / PACKAGED


def command_line() -> str:
    """Return the command that starts this program here, for messages that say what to do next."""
    return "python -m speedup" if root() == code() else "speedup"


def resume_line(folder: Path, *options: str) -> str:
    """Return the command that completes a run, as a shell takes it, from whatever folder it is typed in."""
    return _typed("run", "--resume", os.path.abspath(folder), *options)  # noqa: PTH100 - links are kept


def report_line(folder: Path) -> str:
    """Return the command that writes a run's report."""
    return _typed("report", os.path.abspath(folder))  # noqa: PTH100


def _typed(*words: str) -> str:
    own = [_python(), str(code() / "speedup")] if root() == code() else ["speedup"]
    return shlex.join([*own, *words])


def _python() -> str:
    """Return what starts this Python, with the packages that it has: its name if the PATH leads to it."""
    found = shutil.which("python")
    same = found is not None and os.path.dirname(found) == os.path.dirname(sys.executable)  # noqa: PTH120 - not a link's
    return "python" if same else sys.executable


def code() -> Path:
    """Return the folder that contains the packages, where `python -m` finds them."""
    return Path(__file__).resolve().parent.parent
