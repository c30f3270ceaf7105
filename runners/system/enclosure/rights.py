"""Takes from a program the rights that no server needs, before it starts."""

from __future__ import annotations

import ctypes
import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runners.system.enclosure.namespaces import (
    CLONE_NEWNS,
    CLONE_NEWPID,
    Means,
    enter_as_same_user,
    in_child,
    means,
    mount_own_proc,
    unshare,
)

PR_CAPBSET_DROP = 24
AT_FDCWD, AT_RECURSIVE = -100, 0x8000
MOUNT_SETATTR = 442  # the number of the call, on every architecture
MOUNT_ATTR_RDONLY = 1
MS_BIND, MS_REC = 0x1000, 0x4000

# By their numbers in linux/capability.h. What servers are known to use stays: ports below 1024, changing the user,
# other users' files, raw sockets, priorities, locked memory, more open files.
DANGEROUS = {
    "linux_immutable": 9,
    "net_admin": 12,
    "sys_module": 16,
    "sys_rawio": 17,
    "sys_ptrace": 19,
    "sys_pacct": 20,
    "sys_admin": 21,
    "sys_boot": 22,
    "sys_time": 25,
    "sys_tty_config": 26,
    "mknod": 27,
    "audit_control": 30,
    "mac_override": 32,
    "mac_admin": 33,
    "syslog": 34,
    "wake_alarm": 35,
    "block_suspend": 36,
    "audit_read": 37,
    "perfmon": 38,
    "bpf": 39,
    "checkpoint_restore": 40,
}

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Account:
    """A user as whom a program runs, with all its groups."""

    uid: int
    gid: int
    groups: tuple[int, ...]


@dataclass(frozen=True)
class Rights:
    """What a program may do: as whom it runs, whether dangerous capabilities stay, and where it may write.

    With `read_only`, it may write only into the folders in `writable`.
    """

    account: Account | None = None
    all_capabilities: bool = True
    read_only: bool = False
    writable: tuple[str, ...] = ()

    def apply(self) -> None:
        """Reduce this process's own rights for good; call it between fork and exec."""
        if not self.all_capabilities:
            drop_dangerous()
        if self.account is not None:
            os.setgroups(self.account.groups)
            os.setgid(self.account.gid)
            os.setuid(self.account.uid)


def drop_dangerous() -> None:
    """Take dangerous capabilities from whatever this process executes; without the right to, it had none anyway."""
    for number in DANGEROUS.values():
        _libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0)


def can_be_read_only(writable: Sequence[str]) -> bool:
    """Return whether programs can have a read-only view of all but some folders here. The answer is tried once.

    It needs namespaces for processes and mounts, and Linux 5.12.
    """
    by = means()
    return by is not None and _tried(by, str(Path("/proc/self/ns/user").readlink()), tuple(writable))


@functools.cache
def _tried(by: Means, _user_namespace: str, writable: tuple[str, ...]) -> bool:
    def enter() -> bool:
        return (by == "own rights" or enter_as_same_user()) and unshare(CLONE_NEWPID | CLONE_NEWNS)

    return in_child(lambda: enter() and in_child(lambda: mount_own_proc() and mount_read_only(writable)))


class _MountAttr(ctypes.Structure):
    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


def mount_read_only(writable: Sequence[str]) -> bool:
    """Make every file system of this mount namespace read-only but some folders; return whether that was permitted."""
    for folder in writable:
        name = os.fsencode(folder)
        if _libc.mount(name, name, None, MS_BIND | MS_REC, None):
            return False
    if not _set_mount("/", _MountAttr(attr_set=MOUNT_ATTR_RDONLY)):
        return False
    return all(_set_mount(folder, _MountAttr(attr_clr=MOUNT_ATTR_RDONLY)) for folder in writable)


def _set_mount(folder: str, attributes: _MountAttr) -> bool:
    size = ctypes.sizeof(attributes)
    refused: int = _libc.syscall(
        MOUNT_SETATTR, AT_FDCWD, os.fsencode(folder), AT_RECURSIVE, ctypes.byref(attributes), size
    )
    return refused == 0
