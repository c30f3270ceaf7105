"""The hash of a server's sources: what is edited is another server, built and measured again."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from runners.errors import BadInput
from runners.file_hash import file_hash

NOT_SOURCES = {"__pycache__", "nimcache", "node_modules", "results"}


def source_hash(folder: Path) -> str:
    """Return a hash over the names and contents of the source files in a server's folder."""
    return hash_of(read_sources(folder))


def hash_of(sources: Mapping[str, str]) -> str:
    """Return a hash over the names of source files and the hashes of their contents."""
    digest = hashlib.sha256()
    for name in sorted(sources, key=Path):
        digest.update(f"{name}\0".encode("utf-8", "surrogateescape"))
        digest.update(bytes.fromhex(sources[name]))
    return digest.hexdigest()[:16]


def read_sources(folder: Path, without: Collection[Path] = ()) -> dict[str, str]:
    """Return the hash of each source file in a server's folder, by its name in there; BadInput if one is unreadable."""
    files = (file for file in source_files(folder) if file not in without)
    return {str(file.relative_to(folder)): _hash(file) for file in sorted(files)}


def _hash(file: Path) -> str:
    try:
        return file_hash(file)
    except OSError as error:
        raise BadInput(
            f"cannot read {file}: {error.strerror}; what is no source belongs into a hidden folder, or elsewhere"
        ) from error


def source_files(folder: Path) -> Iterator[Path]:
    """Yield the files in a server's folder that count as its sources.

    The folder may be a whole project: hidden files, caches, packages and the results of runs are not sources.
    """
    for parent, folders, files in os.walk(folder):
        if "run.json" in files and ("logs" in folders or "trials.jsonl" in files):
            folders.clear()  # a run folder, wherever --results has put it
            continue
        folders[:] = [name for name in folders if name not in NOT_SOURCES and not name.startswith(".")]
        yield from (file for name in files if not name.startswith(".") and (file := Path(parent, name)).is_file())
