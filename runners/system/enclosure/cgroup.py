"""A cgroup for what cannot have a pid namespace: the kernel kills all its members at once, wherever they have gone.

It is made below this process's own cgroup, where version 2 of cgroups can be written: as root, and in what systemd
delegates to a user. It limits nothing, and has no controller of its own, so it changes no measurement.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from pathlib import Path

MOUNTS = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"))
PREFIX = "http-speedup-"
VERSION_2 = "0::"
CLONE3 = 435  # the number of the call, on every architecture
CLONE_INTO_CGROUP = 0x200000000

_python = ctypes.PyDLL(None, use_errno=True)


def make_cgroup(keeper: int) -> Path | None:
    """Make a cgroup for what a keeper watches; None where that is not permitted, or where it could not be killed."""
    own = _own_cgroup()
    if own is None:
        return None
    folder = own / cgroup_name(keeper)
    try:
        folder.mkdir()
    except OSError:
        return None
    if os.access(folder / "cgroup.kill", os.W_OK):
        return folder
    remove_cgroup(folder)
    return None


class _CloneArgs(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_uint64)
        for name in (
            *("flags", "pidfd", "child_tid", "parent_tid", "exit_signal", "stack", "stack_size", "tls"),
            *("set_tid", "set_tid_size", "cgroup"),
        )
    )


def fork_into(folder: Path) -> int | None:
    """Fork a child that is in a cgroup from the first; None if that is not possible.

    To move a process there later takes longer than all the rest, since the kernel then waits for all CPUs.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None
    asked = _CloneArgs(flags=CLONE_INTO_CGROUP, exit_signal=signal.SIGCHLD, cgroup=descriptor)
    pid: int = _python.syscall(CLONE3, ctypes.byref(asked), ctypes.sizeof(asked))
    os.close(descriptor)
    return pid if pid >= 0 else None


def kill_cgroup(folder: Path) -> None:
    """Kill everything in a cgroup."""
    with contextlib.suppress(OSError):
        (folder / "cgroup.kill").write_text("1", encoding="ascii")


def remove_cgroup(folder: Path) -> None:
    """Remove a cgroup, unless something still lives there."""
    with contextlib.suppress(OSError):
        folder.rmdir()


def end_abandoned_cgroups() -> None:
    """Kill and remove what keepers left behind that were killed themselves."""
    own = _own_cgroup()
    for folder in own.glob(cgroup_name("*")) if own else ():
        if not Path("/proc", folder.name.rpartition("-")[2]).exists():
            kill_cgroup(folder)
            remove_cgroup(folder)


def cgroup_name(keeper: int | str) -> str:
    """Return the name of a keeper's cgroup, with the pid namespace in which the keeper has that pid."""
    return f"{PREFIX}{Path('/proc/self/ns/pid').stat().st_ino}-{keeper}"


def _own_cgroup() -> Path | None:
    with contextlib.suppress(OSError):
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
        paths = [line.removeprefix(VERSION_2) for line in lines if line.startswith(VERSION_2)]
        mounts = [mount for mount in MOUNTS if (mount / "cgroup.controllers").exists()]
        return mounts[0] / paths[0].lstrip("/") if mounts and paths else None
    return None
