"""Writes files whole or not at all, and never where a name leads that somebody else has chosen.

A run folder may come by mail, so a name in it may be a link to a file of yours. Nothing is ever written through a link:
a new file whose name cannot be guessed is written, synced and renamed, which replaces the link and not its target.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from runners.errors import BadInput, DiskFull, SpeedupError

PARTIAL = ".partial"
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


def replace_file(file: Path, content: str | bytes) -> None:
    """Write `content` to a new file beside `file`, sync it and rename it, so that readers never see half of it.

    Raise DiskFull if there is no room, BadInput if `file` cannot be written or is no ordinary file.
    """
    try:
        with _folder(file.parent) as folder:
            _check_ordinary(file, folder)
            _replace(file.name, _bytes(content), folder)
    except OSError as error:
        raise why_unwritten(file, error) from error


def _bytes(content: str | bytes) -> bytes:
    return content.encode("utf-8", "replace") if isinstance(content, str) else content


def why_unwritten(file: Path, error: OSError) -> SpeedupError:
    """Return what to tell the user about a file that could not be written."""
    told = f"cannot write {file}: {error.strerror}; everything recorded so far is kept"
    return DiskFull(told) if error.errno in NO_ROOM else BadInput(told)


def sync_folder(path: Path) -> None:
    """Let the names in a folder survive a power cut."""
    with _folder(path) as folder:
        os.fsync(folder)


@contextmanager
def _folder(path: Path, flags: int = 0) -> Iterator[int]:
    """Hold a folder open, so that it stays the same one from the first step to the last."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | flags)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _check_ordinary(file: Path, folder: int) -> None:
    """Raise BadInput if a rename would put a file in the place of a device, a pipe or a folder, or of a link to one."""
    for follows in (False, True):
        try:
            mode = os.stat(file.name, dir_fd=folder, follow_symlinks=follows).st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISREG(mode) and not stat.S_ISLNK(mode):
            raise BadInput(f"cannot write {file}: it is {_kind(mode)}; name a file")


def _kind(mode: int) -> str:
    kinds = {stat.S_ISDIR: "a folder", stat.S_ISFIFO: "a pipe", stat.S_ISSOCK: "a socket"}
    return next((name for is_kind, name in kinds.items() if is_kind(mode)), "a device")


def _replace(name: str, data: bytes, folder: int) -> None:
    partial = f".{name}.{secrets.token_hex(8)}{PARTIAL}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(partial, flags, 0o666, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            _lock(descriptor)
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
            os.replace(partial, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(OSError):
            os.unlink(partial, dir_fd=folder)
        raise
    os.fsync(folder)


def _lock(descriptor: int) -> bool:
    """Lock a file that is being written, as long as it is open; return False if another process does so."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in {errno.EWOULDBLOCK, errno.EAGAIN}  # a network file system may know no such locks
    return True


def remove_partials(folder: Path) -> None:
    """Remove what a killed process left of files that it was writing; those that are being written are locked."""
    for file in folder.glob(f".*{PARTIAL}"):
        with suppress(OSError):
            descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                if _lock(descriptor):
                    file.unlink()
            finally:
                os.close(descriptor)


def create_file(file: Path) -> BinaryIO:
    """Return a new file to write and read, in the place of what has that name; raise OSError if that is impossible.

    A link of that name is removed and never followed, and its folder may be no link.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with _folder(file.parent, os.O_NOFOLLOW) as folder:
        with suppress(FileNotFoundError):
            os.unlink(file.name, dir_fd=folder)
        return os.fdopen(os.open(file.name, flags, 0o666, dir_fd=folder), "w+b")


def open_to_append(file: Path) -> int:
    """Return a descriptor of a file, created if it is missing; raise OSError if it is a link or no ordinary file."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(file, flags, 0o644)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no ordinary file")
    return descriptor


def open_to_read(file: Path, *, follow_link: bool = True) -> BinaryIO:
    """Return a file to read; raise OSError if it is no ordinary file: a pipe would never end, nor would /dev/zero."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow_link else os.O_NOFOLLOW))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no ordinary file")
    return os.fdopen(descriptor, "rb")


def check_links(folder: Path) -> None:
    """Raise BadInput if a name that a run writes is a link: it would be written where the link leads."""
    names = (folder.glob("*"), (folder / "logs").glob("*"), (folder / "logs").glob("*/*"))
    for file in (file for found in names for file in found if file.is_symlink()):
        raise BadInput(f"{file} is a link, and a run writes there; remove it first")
