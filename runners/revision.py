"""Which commit of its repository a folder is at, so that numbers can be traced to sources."""

from __future__ import annotations

import subprocess
from pathlib import Path

DEADLINE_S = 10.0


def commit_of(folder: Path) -> str:
    """Return the commit that is checked out in a folder, with "-dirty" behind it where files differ from it.

    Empty where the folder is in no repository, or git is not here or does not answer.
    """
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
