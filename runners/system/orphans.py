"""Adopts programs that go into the background, so that they can be found and ended although they lost their parent."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil

PR_SET_CHILD_SUBREAPER = 36

_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def adopting() -> Iterator[Callable[[], frozenset[int]]]:
    """Be the parent of what daemons leave behind, and kill it in the end; yield what tells the children by then."""
    before = _children()
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
    try:
        yield lambda: _children() - before
    finally:
        while orphans := _children() - before:  # killing one may bring up its own children
            for pid in orphans:
                _end(pid)
        _libc.prctl(PR_SET_CHILD_SUBREAPER, 0)


def _children() -> frozenset[int]:
    return frozenset(child.pid for child in psutil.Process().children())


def _end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)
