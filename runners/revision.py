"""Finds the commit that a folder is at, so that numbers can be traced to their sources."""

from __future__ import annotations

import subprocess
from pathlib import Path

DEADLINE_S = 10.0


def commit_of(folder: Path) -> str:
    """Return the commit that is checked out in `folder`, followed by "-dirty" if files differ from it.

    Return an empty string if the folder is in no repository, or if git is missing or does not respond.
    """
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
