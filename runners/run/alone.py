"""Allows one run at a time for each user of a machine, since two at once would measure each other.

A run folder is locked as well: two harnesses with different caches, or of different users, must not both append to it.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runners.errors import BadInput, UnfitMachine
from runners.tools.find import writable_cache


@contextmanager
def alone_on_machine() -> Iterator[None]:
    """Hold this user's lock; raise UnfitMachine if another run holds it, or if there is no place for it."""
    lock = writable_cache() / "run.lock"
    try:
        descriptor = os.open(lock, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)  # one that root left will do
    except OSError as error:
        raise UnfitMachine(f"cannot open {lock}: {error.strerror}; remove it, or set XDG_CACHE_HOME") from error
    with _locked(descriptor, f"another run is under way (it holds {lock}); two runs at once would measure each other"):
        yield


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold the lock of a run folder, which is the folder itself; raise UnfitMachine if another run holds it."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise BadInput(f"{folder} is not a run folder: {error.strerror}") from error
    with _locked(descriptor, f"another run is measuring into {folder}; wait for its end"):
        yield


@contextmanager
def _locked(descriptor: int, taken: str) -> Iterator[None]:
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in {errno.EWOULDBLOCK, errno.EAGAIN}:
                raise UnfitMachine(taken) from error  # other errors: a network file system that knows no such locks
        yield
    finally:
        os.close(descriptor)
