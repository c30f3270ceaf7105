"""Stands between the harness and a program: what runs in the child after fork, and before the program's exec.

Where pid namespaces are permitted, three processes come of it. The *keeper* is the harness's child and dies with it.
The *first* is the first process of a new pid namespace and dies with the keeper; the kernel then kills whatever is in
the namespace, detached or not, and says so only once all of it is gone. The *program* is the first's child. It is not
the namespace's first process itself, because the kernel keeps from that one every signal that it does not handle, and
hands it orphans that few programs wait for.

Elsewhere the keeper itself is the program's parent. It adopts what detaches itself, and kills its descendants in a loop
until none is left, with the help of a cgroup where one can be made. Only if the keeper is killed as well may something
outlive it, to be swept at the next start.

Keeper and first are forks of the harness that never exec: they cost a millisecond, wait, and use no CPU. The harness
blocks the signals that it handles before it forks, so that its handlers never run in them.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import socket
import time
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

import psutil

from runners.system.enclosure.cgroup import fork_into, kill_cgroup, make_cgroup, remove_cgroup
from runners.system.enclosure.namespaces import (
    CLONE_NEWNS,
    CLONE_NEWPID,
    Means,
    enter_as_same_user,
    mount_own_proc,
    unshare,
)
from runners.system.enclosure.rights import Rights, mount_read_only

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
NAMESPACE, FAMILY, PROGRAM = b"namespace", b"family", b"program"
LAST_PID = "/proc/sys/kernel/ns_last_pid"
MOST_FILES = 1 << 20
END_TIMEOUT_S = 4.0
LOOK_AGAIN_S = 0.001

_libc = ctypes.CDLL(None, use_errno=True)
_python = ctypes.PyDLL(None, use_errno=True)


def enclose(reports: socket.socket, harness: int, means: Means | None, rights: Rights) -> None:
    """Return only in the program's own process, in its enclosure; call it between fork and exec.

    The first message on `reports` says what kind of enclosure it is, the second is the program's, and the third its
    exit code. The kernel adds to each who sent it.
    """
    if means == "user namespace":
        enter_as_same_user()
    if means and unshare(CLONE_NEWPID | CLONE_NEWNS):
        _in_namespace(reports, harness, rights)
    else:
        _in_family(reports, harness)
    os.setpgid(0, 0)
    reports.send(PROGRAM)


def _in_namespace(reports: socket.socket, harness: int, rights: Rights) -> None:
    number, keeper = os.getpid(), os.pidfd_open(os.getpid())
    _die_with(harness)
    first = _fork()
    if first:
        _wait_for(first)
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if select.select([keeper], [], [], 0)[0]:  # it died before that; its pid cannot be seen from in here
        os._exit(1)
    os.setpgid(0, 0)  # no session of its own: the scheduler would give that another share of the CPUs
    reports.send(NAMESPACE)
    if not mount_own_proc():
        raise PermissionError("cannot mount /proc")
    if rights.read_only and not mount_read_only(rights.writable):
        raise PermissionError("cannot make the file system read-only")
    _count_pids_from(number)
    program = _fork()
    if program:
        _let_go(reports.fileno())
        _reap(program, reports)


def _in_family(reports: socket.socket, harness: int) -> None:
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
    keeper = os.getpid()
    _die_with(harness, signal.SIGTERM)
    group = make_cgroup(keeper)
    reports.send(FAMILY)
    program = fork_into(group) if group else None
    if program is None:
        program = _fork()
    if program:
        _let_go(reports.fileno())
        signal.signal(signal.SIGTERM, lambda *_: _end_family(group))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        _reap(program, reports, group)
    _die_with(keeper)


def _fork() -> int:
    """Fork without Python's own work around it, which takes longer than the fork, and is for those that live on."""
    pid: int = _python.fork()
    if pid < 0:
        raise OSError(ctypes.get_errno(), "cannot fork")
    return pid


def _die_with(parent: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Let the kernel send this process a signal when its parent ends; end at once if it has ended already."""
    _libc.prctl(PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os._exit(1)


def _count_pids_from(number: int) -> None:
    """Let the next pid be one that nobody has outside: programs put their pid into names in folders that they share.

    Two JVMs of the same pid would overwrite each other's files in /tmp.
    """
    with contextlib.suppress(OSError):  # /proc/sys may be read-only; pids then start at 2
        descriptor = os.open(LAST_PID, os.O_WRONLY)
        os.write(descriptor, b"%d" % (number - 1))
        os.close(descriptor)


def _let_go(*kept: int) -> None:
    """Close all files but some, since they are the harness's: its lock, its pipes, the program's output."""
    edges = (-1, *sorted(kept), MOST_FILES)
    for low, high in pairwise(edges):
        os.closerange(low + 1, high)


def _wait_for(first: int) -> NoReturn:
    _let_go()
    os.waitpid(first, 0)
    os._exit(0)


def _reap(program: int, reports: socket.socket, group: Path | None = None) -> NoReturn:
    """Wait for whatever ends, and report the program's end; end once nothing is left."""
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, 0)
            if pid == program:
                with contextlib.suppress(OSError):
                    reports.send(b"%d" % os.waitstatus_to_exitcode(status))
    if group:
        remove_cgroup(group)
    os._exit(0)


def _end_family(group: Path | None) -> NoReturn:
    """Kill all descendants, again and again, until there is none: some have children faster than one look takes."""
    deadline = time.monotonic() + END_TIMEOUT_S
    with contextlib.suppress(ChildProcessError):
        while time.monotonic() < deadline:
            if group:
                kill_cgroup(group)
            for pid in descendants(os.getpid()):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
            time.sleep(LOOK_AGAIN_S)
    if group:
        remove_cgroup(group)
    os._exit(0)


def descendants(pid: int) -> list[int]:
    """Return the pids of a process's children and theirs; what ends meanwhile is left out."""
    found: list[int] = []
    for child in _children(pid):
        found += [child, *descendants(child)]
    return found


def _children(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(each) for task in tasks for each in (task / "children").read_text(encoding="ascii").split()]
    except FileNotFoundError:  # it has ended, or this kernel has no such files
        with contextlib.suppress(psutil.Error):
            return [child.pid for child in psutil.Process(pid).children()]
    except OSError:
        pass
    return []
