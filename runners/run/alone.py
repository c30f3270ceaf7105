"""Allows one run at a time for each user of a machine, since two at once would measure each other."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from runners.errors import UnfitMachine
from runners.tools.find import writable_cache


@contextmanager
def alone_on_machine() -> Iterator[None]:
    """Hold this user's lock; raise UnfitMachine if another run holds it, or if there is no place for it."""
    lock = writable_cache() / "run.lock"
    with lock.open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UnfitMachine(
                f"another run is under way (it holds {lock}); two runs at once would measure each other"
            ) from error
        yield
