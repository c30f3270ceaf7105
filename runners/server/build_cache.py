"""The cache of built programs: each has a folder of its own, for good, and is used only as long as it is unchanged.

`NAME-HASH` is a link to the folder `NAME-HASH.NONCE` in which a program was built and stays, since a program may know
its own path: a virtual environment does, and so does what `configure --prefix` installs. The hash of the program lies
beside the folder. The link is made last, so half a program is never found.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runners.file_hash import file_hash

PROGRAM = "program"
TEMPORARY = "tmp"  # short: sockets are made there, and their paths may have 107 bytes
HASH_SUFFIX = ".sha256"


@dataclass(frozen=True)
class Place:
    """Where one program is built: a fresh folder, locked as long as this process works in it."""

    link: Path
    folder: Path
    lock: int

    @property
    def program(self) -> Path:
        """Return the file or folder that the build has to write."""
        return self.folder / PROGRAM

    @property
    def temporary(self) -> Path:
        """Return the folder for temporary files: a compiler that is killed removes none of its own."""
        return self.folder / TEMPORARY

    def size_bytes(self) -> int:
        """Return how much the build has written so far, without temporary files."""
        return sum(size for file, size in _files(self.folder) if not file.is_relative_to(self.temporary))

    def keep(self) -> None:
        """Sync the program, store its hash, and let the link lead to it; whatever else the build wrote is deleted."""
        for item in self.folder.iterdir():
            if item != self.program:
                _remove(item)
        _sync(self.folder)
        _hash_file(self.folder).write_text(digest(self.program), encoding="ascii")
        _sync(_hash_file(self.folder))
        if find(self.link) is None:  # else another run has just put one there, which is as good
            _replace_link(self.link, self.folder)

    def close(self) -> None:
        """Delete the folder unless the link leads to it."""
        if not self.link.is_symlink() or self.link.resolve() != self.folder:
            _forget(self.folder)
        os.close(self.lock)


def open_place(link: Path) -> Place:
    """Return a fresh folder to build in; delete those that killed builds of the same program have left."""
    link.parent.mkdir(parents=True, exist_ok=True)
    for folder in link.parent.glob(f"{link.name}.*"):
        if folder.suffix != HASH_SUFFIX and (not link.is_symlink() or link.resolve() != folder.resolve()):
            _forget_if_abandoned(folder)
    folder = link.parent.resolve() / f"{link.name}.{secrets.token_hex(4)}"
    try:
        folder.mkdir()
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(lock, fcntl.LOCK_EX)
        (folder / TEMPORARY).mkdir()
    except BaseException:
        _forget(folder)
        raise
    return Place(link, folder, lock)


def find(link: Path) -> Path | None:
    """Return the built program, with its own path; None if there is none, or if it is not what was built."""
    if not link.is_symlink():
        return None
    program = link.resolve() / PROGRAM
    try:
        stored = _hash_file(program.parent).read_text(encoding="ascii")
        return program if not is_empty(program) and stored == digest(program) else None
    except OSError:
        return None


def files_of(link: Path) -> dict[Path, str] | None:
    """Return the hash of each file of the built program, by its path behind the link; None if it is not what was built.

    The hashes are taken before the program is compared with what was built, so that they are those of what was built.
    """
    hashes = {file: file_hash(file) for file, _ in _files(link / PROGRAM) if file.is_file()}
    return None if find(link) is None else hashes


def is_empty(program: Path) -> bool:
    """Return whether there is no program: no file, or one without content."""
    return not any(size for _, size in _files(program))


def digest(program: Path) -> str:
    """Return a hash of a program: of one file, or of all files in a folder, with their names and modes."""
    whole = hashlib.sha256()
    for file, size in sorted(_files(program)):
        mode = file.lstat().st_mode
        whole.update(f"{file.relative_to(program.parent)}\0{mode}\0{size}\0".encode())
        whole.update(os.fsencode(file.readlink()) if file.is_symlink() else _content_digest(file))
    return whole.hexdigest()


def _content_digest(file: Path) -> bytes:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()


def _files(path: Path) -> Iterator[tuple[Path, int]]:
    """Yield the files below a path, or the file itself, with their sizes; what vanishes meanwhile is left out."""
    if path.is_file() or path.is_symlink():
        yield path, path.lstat().st_size
        return
    for parent, folders, names in os.walk(path):
        links = [name for name in folders if Path(parent, name).is_symlink()]
        for name in (*names, *links):
            with contextlib.suppress(OSError):
                yield Path(parent, name), Path(parent, name).lstat().st_size


def _sync(path: Path) -> None:
    """Write a file, or a folder with all that is in it, to the disk."""
    files = [file for file, _ in _files(path) if not file.is_symlink()]
    for each in (*files, *(Path(parent) for parent, _, _ in os.walk(path))):
        _sync_one(each)


def _sync_one(path: Path) -> None:
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _hash_file(folder: Path) -> Path:
    return folder.with_name(folder.name + HASH_SUFFIX)


def _replace_link(link: Path, folder: Path) -> None:
    """Let a link lead to a folder, and delete what it led to before, or what stood in its place."""
    before = link.resolve() if link.is_symlink() else None
    if link.exists() and not link.is_symlink():
        _remove(link)  # an earlier version of http-speedup built it, and stored no hash
    fresh = link.with_name(f".{folder.name}.link")
    fresh.symlink_to(folder.name)
    fresh.replace(link)
    _sync_one(link.parent)
    if before is not None and before.parent == folder.parent:
        _forget(before)


def _forget_if_abandoned(folder: Path) -> None:
    with contextlib.suppress(OSError):
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _forget(folder)
        finally:
            os.close(lock)


def _forget(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    _hash_file(folder).unlink(missing_ok=True)


def _remove(item: Path) -> None:
    if item.is_dir() and not item.is_symlink():
        shutil.rmtree(item, ignore_errors=True)
    else:
        item.unlink(missing_ok=True)
