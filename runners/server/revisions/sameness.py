"""Finds out whether two builds made the same program, byte for byte but for the paths that each was built in.

It says so only if nothing else that differs could matter when the program runs: what differs must be sources of a
compiled language or documents, and what runs must be a machine program that the build made.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

COMPILED = frozenset({".asm", ".c", ".cc", ".cpp", ".cxx", ".go", ".h", ".hh", ".hpp", ".hxx", ".inc", ".md", ".nim",
                      ".nims", ".pas", ".rs", ".rst", ".s", ".swift", ".zig"})  # fmt: skip
ELF = b"\x7fELF"


@dataclass(frozen=True)
class Built:
    """A checkout after its build: its folder, the files that git knows there, and the program that it starts.

    `places` are all folders that the build may have written into a program; those of two builds are equally long.
    """

    folder: Path
    tracked: frozenset[str]
    program: Path | None
    places: tuple[Path, ...] = ()


def same_program(one: Built, other: Built) -> bool:
    """Return whether both checkouts hold the same program."""
    mine, theirs = _hashes(one), _hashes(other)
    differing = {name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name)}
    if not differing:
        return True
    sources = one.tracked | other.tracked
    compiled = all(name in sources and Path(name).suffix.lower() in COMPILED for name in differing)
    return compiled and _made(one) is not None and _made(one) == _made(other)


def _hashes(built: Built) -> Mapping[str, str]:
    return {str(path.relative_to(built.folder)): _hash(path, built) for path in _files(built.folder)}


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != ".git"]
        yield from (Path(parent, name) for name in files if name != ".git")


def _hash(path: Path, built: Built) -> str:
    """Return a hash of a file's content and mode, without the places that it was built in."""
    if path.is_symlink():
        return f"link {path.readlink()}"
    if not path.is_file():
        return "special"
    content = path.read_bytes()
    for place in (*built.places, built.folder):
        content = content.replace(str(place).encode(), b"\0" * len(str(place)))
    return f"{sha256(content).hexdigest()} {os.access(path, os.X_OK)}"


def _made(built: Built) -> str | None:
    """Return the hash of the program that runs, if it is a machine program that the build made."""
    program = built.program
    if program is None or not program.is_file():
        return None
    if program.is_relative_to(built.folder) and str(program.relative_to(built.folder)) in built.tracked:
        return None
    with program.open("rb") as stream:
        is_machine_code = stream.read(len(ELF)) == ELF
    return _hash(program, built) if is_machine_code else None
