"""Finds the data files: beside the code in a checkout, in a folder of their own in an installed wheel."""

from __future__ import annotations

from pathlib import Path

PACKAGED = "speedup_data"


def root() -> Path:
    """Return the folder that contains matrix.toml, servers/, templates/, published/ and requirements/."""
    return code() if (code() / "matrix.toml").is_file() else code() / PACKAGED


def command_line() -> str:
    """Return the command that starts this program here, for messages that say what to do next."""
    return "python -m speedup" if root() == code() else "speedup"


def code() -> Path:
    """Return the folder that contains the packages, where `python -m` finds them."""
    return Path(__file__).resolve().parent.parent
