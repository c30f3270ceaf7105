"""What a server's process holds and whether it is at work, with its children's; and what this one may open."""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import psutil

from runners.system import kernel

GONE = (FileNotFoundError, ProcessLookupError, PermissionError)


def descriptors(pid: int) -> int:
    """Return how many descriptors a process and its children have open."""
    total = 0
    for each in _tree(pid):
        with contextlib.suppress(*GONE):
            total += len(os.listdir(Path("/proc", str(each), "fd")))  # noqa: PTH208 - a count, not the paths
    return total


def memory_bytes(pid: int) -> int:
    """Return the resident memory of a process and its children."""
    total = 0
    for each in _tree(pid):
        with contextlib.suppress(psutil.Error):
            total += psutil.Process(each).memory_info().rss
    return total


def works(pid: int) -> bool:
    """Return whether a process or a child of its runs or waits for a CPU: then what is due may still come."""
    return any(kernel.is_runnable(each) for each in _tree(pid))


def _tree(pid: int) -> list[int]:
    with contextlib.suppress(psutil.Error):
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    return [pid]


@contextlib.contextmanager
def many_files() -> Iterator[None]:
    """Let this process open as many files as it may, for a while."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
