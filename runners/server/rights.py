"""What a server may do, from what its table in the matrix says."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from runners.matrix.cells import Program
from runners.system.enclosure.rights import Account, Rights, can_be_read_only

WRITABLE = ("/proc", "/dev", "/tmp", "/var/tmp", "/run")  # noqa: S108 - they stay writable for a read-only server


class NoRights(Exception):
    """The server can't be started with the rights that its table asks for; the message says why."""


def rights_of(program: Program, work: str, *, all_capabilities: bool) -> Rights:
    """Return a server's rights; it may always write into its `work` folder. Raise NoRights if they can't be had.

    Where `read_only` can't be had, the server runs without it: its numbers are the same, and the run says so once.
    """
    account = _account(program.user)
    if account is not None:
        os.chown(work, account.uid, account.gid, follow_symlinks=False)
    if not program.read_only:
        return Rights(account, all_capabilities)
    if not program.isolate:
        raise NoRights("`read_only` has no effect with isolate = false, where another program starts the server")
    if not read_only_works():
        return Rights(account, all_capabilities)
    return Rights(account, all_capabilities, read_only=True, writable=(*_writable(), work))


def read_only_works() -> bool:
    """Return whether `read_only` can be had here."""
    return can_be_read_only(_writable())


def _writable() -> tuple[str, ...]:
    return tuple(each for each in WRITABLE if Path(each).is_dir())


def keeps_all(program: Program) -> bool:
    """Return whether a server has all capabilities that the harness has."""
    return program.privileged or not program.isolate or os.geteuid() != 0


def _account(user: str | None) -> Account | None:
    if user is None:
        return None
    try:
        entry = pwd.getpwnam(user)
    except KeyError as error:
        raise NoRights(f"there is no user '{user}' here; create it, or change `user` in the matrix") from error
    if entry.pw_uid == os.geteuid():
        return None
    if os.geteuid() != 0:
        raise NoRights(f"only root can start a server as '{user}'; run as root, or without `user`")
    return Account(entry.pw_uid, entry.pw_gid, tuple(os.getgrouplist(user, entry.pw_gid)))
