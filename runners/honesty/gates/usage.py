"""The resources of a server's process and its children, whether they are at work, and how many files we may open."""

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
    """Return the number of open descriptors of a process and its children."""
    total = 0
    for each in _tree(pid):
        with contextlib.suppress(*GONE):
            total += len(os.listdir(Path("/proc", str(each), "fd")))  # noqa: PTH208 - a count, not the paths
    return total


def memory_bytes(pid: int) -> int:
    """Return the resident memory of a process and its children, in bytes."""
    total = 0
    for each in _tree(pid):
        with contextlib.suppress(psutil.Error):
            total += psutil.Process(each).memory_info().rss
    return total


def works(pid: int) -> bool:
    """Return whether a process or one of its children runs or waits for a CPU: then what is due may still arrive."""
    return any(kernel.is_runnable(each) for each in _tree(pid))


def _tree(pid: int) -> list[int]:
    with contextlib.suppress(psutil.Error):
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    return [pid]


@contextlib.contextmanager
def many_files() -> Iterator[None]:
    """Raise this process's limit of open files to its hard limit for the duration."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
