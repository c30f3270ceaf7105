"""Temporary folders that know whether anybody works in them, so that what killed processes leave is removed."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def scratch_folder(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """Yield a new folder, and remove it afterwards; first remove those that killed processes of this user left.

    They have the same prefix, and lie in the same place: where temporary files go, unless `parent` is another one.
    """
    where = parent or Path(tempfile.gettempdir())
    remove_abandoned(where, prefix)
    folder, lock = locked_folder(where, prefix)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def locked_folder(parent: Path, prefix: str) -> tuple[Path, int]:
    """Create a folder that is this process's own until the descriptor is closed; return both."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        with suppress(OSError):  # another process took it for abandoned, in the moment before it was locked
            lock = _lock(folder)
            if folder.is_dir():
                return folder, lock
            os.close(lock)


def remove_abandoned(parent: Path, prefix: str) -> None:
    """Remove this user's folders of that prefix that nobody has locked."""
    for folder in parent.glob(f"{prefix}*"):
        with suppress(OSError):
            found = folder.lstat()
            if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid():
                lock = _lock(folder)
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)


def _lock(folder: Path) -> int:
    """Lock a folder as long as the descriptor is open; raise OSError if another process does, or if it is gone."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in {errno.EWOULDBLOCK, errno.EAGAIN}:  # else a network file system that knows no such locks
            os.close(descriptor)
            raise
    return descriptor
