"""What a server uses of the machine, beside what `[limits]` allows: looked up ten times a second at most.

Memory and processes are counted over all that the server started. Limits of the kernel (RLIMIT_AS, RLIMIT_NPROC) would
break servers that reserve memory without using it, and those that run as root.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import time
from dataclasses import dataclass
from typing import BinaryIO

from runners.matrix.model import Limits
from runners.matrix.quantities import amount_bytes
from runners.system import kernel
from runners.system.processes import Enclosed
from runners.units import format_size

LOOK_S = 0.1
LOOK_AT_TREE_S = 1.0  # to find processes outside of a namespace, all of the machine's have to be looked through
PUNCH_HOLE = 0x3  # FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
PAGE = 4096

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Usage:
    """The processes that a server has at the moment, and the memory that they use together."""

    processes: int
    rss_bytes: int


class Watchdog:
    """Looks at what one server uses; `pid` is the process that is the server, which another one may have started."""

    def __init__(self, process: subprocess.Popen[bytes], output: BinaryIO, limits: Limits) -> None:
        self.process, self.limits = process, limits
        self.log = BoundedLog(output, int(limits.log))
        self.memory_bytes = amount_bytes(limits.memory, kernel.memory_bytes() or 0.0)
        self.following_s = 0.0

    def breach(self, pid: int) -> str | None:
        """Return which limit the server exceeds, in a sentence; None if none, or if it was looked at just now."""
        if (now := time.monotonic()) < self.following_s:
            return None
        self.following_s = now + (LOOK_S if _names(self.process) is not None else LOOK_AT_TREE_S)
        if not self.log.bound():
            return _exceeds("printed", format_size(self.log.size_bytes), "log", format_size(self.limits.log))
        used = usage(self.process, pid)
        if used.processes > self.limits.processes:
            return _exceeds("has", f"{used.processes} processes", "processes", str(self.limits.processes))
        if (
            self.memory_bytes
            and used.rss_bytes > self.memory_bytes
            and _proportional_bytes(self.process, pid) > (self.memory_bytes)
        ):
            most = f"{self.limits.memory}: {format_size(self.memory_bytes)}"
            return _exceeds("uses", f"{format_size(used.rss_bytes)} of memory", "memory", most)
        return None


def _exceeds(does: str, what: str, key: str, limit: str) -> str:
    return f"it {does} {what}, more than the matrix allows ({limit}); if it needs that much, raise `{key}` in [limits]"


def usage(process: subprocess.Popen[bytes], pid: int) -> Usage:
    """Return what a server uses now: of everything in its namespace, or of the tree of `pid`."""
    members = _members(process, pid)
    return Usage(len(members), sum(kernel.resident_bytes(member) or 0 for member in members))


def _members(process: subprocess.Popen[bytes], pid: int) -> list[str]:
    """Return the folders in /proc of everything in a server's namespace, or of the tree of `pid`."""
    names = _names(process)
    folder, found = ("/proc", list(map(str, kernel.tree(pid)))) if names is None else (_proc(process), names)
    return [f"{folder}/{name}" for name in found]


def _proc(process: subprocess.Popen[bytes]) -> str | None:
    return process.own_proc if isinstance(process, Enclosed) else None


def _names(process: subprocess.Popen[bytes]) -> list[str] | None:
    """Return the pids in a namespace, as they are inside, without its first process; None if they can't be listed."""
    folder = _proc(process)
    if folder is None:
        return None
    try:
        return [name for name in os.listdir(folder) if name.isdigit() and name != "1"]  # noqa: PTH208 - numbers
    except OSError:
        return None


def _proportional_bytes(process: subprocess.Popen[bytes], pid: int) -> int:
    """Return the memory of a server, shared pages counted once; this takes long, and holds the server up."""
    return sum(kernel.proportional_bytes(member) or 0 for member in _members(process, pid))


class BoundedLog:
    """The file that takes a server's output, held open to write and read; its first and last half of the limit stay.

    What lies between them is freed while the server goes on writing, which notices nothing: a server that logs each
    request is as honest as any other, and a full disk would be blamed on the disk.
    """

    def __init__(self, file: BinaryIO, limit_bytes: int) -> None:
        self.file, self.half_bytes = file, max(PAGE, limit_bytes // 2 // PAGE * PAGE)
        self.freed_bytes = self.half_bytes

    @property
    def size_bytes(self) -> int:
        """Return how much was printed."""
        return os.fstat(self.file.fileno()).st_size

    def bound(self) -> bool:
        """Free what lies between the halves; return False if there is such, but its file system can't do that."""
        until = (self.size_bytes - self.half_bytes) // PAGE * PAGE
        if until <= self.freed_bytes:
            return True
        length = ctypes.c_int64(until - self.freed_bytes)
        if _libc.fallocate(self.file.fileno(), PUNCH_HOLE, ctypes.c_int64(self.freed_bytes), length):
            return False
        self.freed_bytes = until
        return True

    def settle(self) -> None:
        """Once nobody writes any more: cut out what was freed, and say so in its place."""
        self.bound()
        size = self.size_bytes
        if size <= 2 * self.half_bytes + PAGE:
            return
        dropped = f"\n... {format_size(size - 2 * self.half_bytes)} dropped: see `log` in [limits] of the matrix ...\n"
        self.file.seek(size - self.half_bytes)
        last = self.file.read()
        self.file.seek(self.half_bytes)
        self.file.write(dropped.encode() + last)
        self.file.truncate()
        self.file.flush()
