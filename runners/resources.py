"""Finds the data files: beside the code in a checkout, in a folder of their own in an installed wheel."""

from __future__ import annotations

import os
import shlex
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
    own = ["python", str(code() / "speedup")] if root() == code() else ["speedup"]
    return shlex.join([*own, "run", "--resume", os.path.abspath(folder), *options])  # noqa: PTH100 - keeps links


def code() -> Path:
    """Return the folder that contains the packages, where `python -m` finds them."""
    return Path(__file__).resolve().parent.parent
