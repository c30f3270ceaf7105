"""What is known of Debian packages that were unpacked in the cache: which, when, and the hashes of their programs."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path

from runners.file_hash import file_hash
from runners.matrix.model import Tool

STAMP = ".http-speedup.json"
RENEWED_S = 30 * 24 * 3600.0  # Debian mends its packages; what was unpacked once would stay as it was


def write_stamp(tool: Tool, folder: Path, programs: Mapping[str, Path]) -> None:
    """Note in a folder which packages were unpacked there, and the hashes of the tool's programs."""
    hashes = {command: file_hash(file) for command, file in programs.items() if file.is_file()}
    (folder / STAMP).write_text(json.dumps({"packages": tool.debian, "programs": hashes}), encoding="utf-8")


def is_as_unpacked(tool: Tool, folder: Path, programs: Mapping[str, Path]) -> bool:
    """Return whether a folder holds the packages that the tool now asks for, and its programs are unchanged.

    One without a stamp is believed: earlier versions wrote none.
    """
    try:
        stamp = json.loads((folder / STAMP).read_text(encoding="utf-8"))
        if stamp["packages"] != list(tool.debian):
            return False
        return all(file_hash(programs[command]) == digest for command, digest in stamp["programs"].items())
    except FileNotFoundError:
        return not (folder / STAMP).exists()
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def is_old(folder: Path) -> bool:
    """Return whether it is time to unpack the packages again; those without a stamp are as old as their folder."""
    try:
        file = folder / STAMP if (folder / STAMP).exists() else folder
        return time.time() - file.stat().st_mtime > RENEWED_S
    except OSError:
        return False
