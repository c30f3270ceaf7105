"""Creates namespaces, and finds out beforehand, in a child process, which of them are permitted.

An ordinary user needs a user namespace for that. Some systems grant one that is only half made: without the user's own
id in it, or without rights. There is no way back out of one, so nothing enters what has not been tried.
"""

from __future__ import annotations

import ctypes
import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REC, MS_SLAVE = 0x2, 0x4, 0x8, 0x4000, 0x80000

# How a namespace for processes can be had: at once, or inside a user namespace of its own.
Means = Literal["own rights", "user namespace"]

_libc = ctypes.CDLL(None, use_errno=True)


def unshare(flags: int) -> bool:
    """Leave the namespaces of these kinds for new ones; return whether that was permitted."""
    refused: int = _libc.unshare(flags)
    return refused == 0


def enter_as_same_user() -> bool:
    """Enter a user namespace in which the user keeps the same id; return whether it is whole, as its maps show."""
    user, group = os.geteuid(), os.getegid()
    if not unshare(CLONE_NEWUSER):
        return False
    try:
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    except OSError:
        return False
    return _maps("uid") == [user, user, 1] and _maps("gid") == [group, group, 1] and os.geteuid() == user


def _maps(kind: str) -> list[int]:
    """Return what the kernel says of a map: the first id inside, the first one outside, and how many there are."""
    try:
        return [int(word) for word in Path(f"/proc/self/{kind}_map").read_text(encoding="ascii").split()]
    except (OSError, ValueError):
        return []


def in_child(attempt: Callable[[], bool]) -> bool:
    """Return whether something succeeds in a child process; this one stays where it is."""
    child = os.fork()
    if child == 0:
        succeeded = False
        try:
            succeeded = attempt()
        finally:
            os._exit(0 if succeeded else 1)
    return os.waitpid(child, 0)[1] == 0


def means() -> Means | None:
    """Return how this process can have namespaces for processes; None if it cannot. The answer is tried once."""
    try:
        return _means(str(Path("/proc/self/ns/user").readlink()))
    except OSError:
        return None


@functools.cache
def _means(_user_namespace: str) -> Means | None:
    if in_child(_first_process_runs):
        return "own rights"
    if in_child(lambda: enter_as_same_user() and _first_process_runs()):
        return "user namespace"
    return None


def _first_process_runs() -> bool:
    return unshare(CLONE_NEWPID | CLONE_NEWNS) and in_child(lambda: os.getpid() == 1 and mount_own_proc())


def mount_own_proc() -> bool:
    """Show this process's own pid namespace under /proc, in its own mount namespace; return whether it was permitted.

    Containers that mask parts of /proc refuse it. A program whose own pid is not the one under /proc may not run, so no
    pid namespace is used there.
    """
    if _libc.mount(None, b"/", None, MS_REC | MS_SLAVE, None):
        return False  # it might else appear outside
    refused: int = _libc.mount(b"proc", b"/proc", b"proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, None)
    return refused == 0
