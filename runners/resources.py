"""Finds the files that are data: in a checkout beside the code, in an installed wheel in one folder."""

from __future__ import annotations

from pathlib import Path

PACKAGED = "speedup_data"


def root() -> Path:
    """Return the folder that holds matrix.toml, servers/, templates/, published/ and requirements/."""
    beside = _beside()
    return beside if (beside / "matrix.toml").is_file() else beside / PACKAGED


def command_line() -> str:
    """Return how a person starts the command line here, for messages that say what to do next."""
    return "python speedup.py" if root() == _beside() else "speedup"


def _beside() -> Path:
    return Path(__file__).resolve().parent.parent
