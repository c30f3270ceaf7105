"""The hash of a server's sources: what is edited is another server, built and measured again."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

NOT_SOURCES = {"__pycache__", "nimcache", "node_modules", "results"}


def source_hash(folder: Path) -> str:
    """Return a hash over the names and contents of the source files in a server's folder.

    The folder may be a whole project: hidden files, caches, packages and the results of runs are not sources.
    """
    digest = hashlib.sha256()
    for file in sorted(source_files(folder)):
        digest.update(f"{file.relative_to(folder)}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


def source_files(folder: Path) -> Iterator[Path]:
    """Yield the files in a server's folder that count as its sources."""
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in NOT_SOURCES and not name.startswith(".")]
        yield from (file for name in files if not name.startswith(".") and (file := Path(parent, name)).is_file())
