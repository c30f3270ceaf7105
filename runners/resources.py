"""Finds the files that are data: in a checkout beside the code, in an installed wheel in one folder."""

from __future__ import annotations

from pathlib import Path

PACKAGED = "speedup_data"


def root() -> Path:
    """Return the folder that holds matrix.toml, servers/, templates/, published/ and requirements/."""
    return code() if (code() / "matrix.toml").is_file() else code() / PACKAGED


def command_line() -> str:
    """Return how a person starts the command line here, for messages that say what to do next."""
    return "python -m speedup" if root() == code() else "speedup"


def code() -> Path:
    """Return the folder that holds the packages, from where `python -m` finds them."""
    return Path(__file__).resolve().parent.parent
