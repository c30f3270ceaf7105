"""Starts and stops processes so that none is ever left behind.

Every process leads its own process group and dies with the harness: the kernel sends it SIGKILL when its parent ends.
What may start processes of its own, as servers and compilers do, is enclosed, so that they all end with it. Besides,
every process carries a mark in its environment, by which `sweep` finds what a killed harness left where the kernel
permits no pid namespaces.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import resource
import select
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from runners.errors import UnfitMachine
from runners.system.enclosure.cgroup import end_abandoned_cgroups
from runners.system.enclosure.keeper import NAMESPACE, descendants, enclose
from runners.system.enclosure.namespaces import means
from runners.system.enclosure.rights import Rights

MARK = "HTTP_SPEEDUP_HARNESS"
MARKED_IN = "HTTP_SPEEDUP_PID_NAMESPACE"
PR_SET_PDEATHSIG = 1
HEEDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # the harness has handlers for them
SENDER = struct.Struct("3i")  # pid, user and group, as the kernel adds them to a message
END_TIMEOUT_S = 5.0
ENDED = "Z"  # the state of a process that has ended, and that nobody has waited for
OTHER_FILES = 64  # what a process has open besides its connections: libraries, logs, a listening socket for each thread
MANY_FILES = 65536  # no more, since some programs look at every descriptor that they might have
STOP_STEPS = ((signal.SIGINT, 1.0), (signal.SIGTERM, 1.0), (signal.SIGKILL, 5.0))

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Stopped:
    """How a process ended, such as "exit status 0" or "SIGTERM", and which signals we sent it."""

    exit: str
    sent: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Return whether it ended when asked to: with status 0, or by a signal of ours, also as 128 + its number."""
        asked = {f"exit status {128 + signal.Signals[name]}" for name in self.sent}
        return self.exit in {"exit status 0", *self.sent, *asked} and "SIGKILL" not in self.sent


@dataclass(frozen=True)
class Enclosure:
    """How a program is enclosed with all that it starts: in a `namespace` if that is permitted, with what rights."""

    namespace: bool = True
    rights: Rights = field(default_factory=Rights)
    open_files: int | None = None


def start(
    argv: Sequence[str],
    *,
    output: IO[bytes],
    cpus: Sequence[int] | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    lasting: bool = False,
    stdin: bool = False,
    enclosure: Enclosure | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program in its own process group, bound to `cpus`, with stdout and stderr in one file.

    A `lasting` program is not a trial's leftover, but dies with the harness like all others. Raise OSError if it cannot
    be started, or may not use the CPUs. With `stdin`, its standard input stays open as long as its process is watched:
    some servers end when it does.
    """
    environment = os.environ if env is None else env
    options: dict[str, Any] = {
        "stdin": subprocess.PIPE if stdin else subprocess.DEVNULL,
        "stdout": output,
        "stderr": subprocess.STDOUT,
        "cwd": cwd,
        "env": dict(environment) if lasting else marked(environment),
        "process_group": 0,
    }
    try:
        if enclosure is None:
            return subprocess.Popen(list(argv), preexec_fn=dies_with_parent(cpus), **options)  # noqa: PLW1509 - one thread
        return Enclosed(list(argv), enclosure, cpus, **options)
    except subprocess.SubprocessError as error:
        raise OSError(errno.EINVAL, f"not permitted to run on CPUs {cpus}") from error


class Enclosed(subprocess.Popen[bytes]):
    """A program in an enclosure, as `enclosure.keeper` describes it; `pid` is the program's own.

    It is watched through a socket on which its end is reported, since it is not this process's child.
    """

    def __init__(self, argv: Sequence[str], enclosure: Enclosure, cpus: Sequence[int] | None, **options: Any) -> None:
        self._reports, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._reports.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        harness, by, prepare = os.getpid(), means() if enclosure.namespace else None, _preparation(cpus, enclosure)
        unblocked = signal.pthread_sigmask(signal.SIG_BLOCK, HEEDED)

        def begin() -> None:
            enclose(theirs, harness, by, enclosure.rights)
            prepare()
            signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)

        try:
            super().__init__(argv, preexec_fn=begin, **options)
            self._keeper = self.pid
            self._know(theirs)
            _LIVING.add(self)
        except BaseException:
            self._reports.close()
            raise
        finally:
            theirs.close()
            signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)

    def _know(self, theirs: socket.socket) -> None:
        """Learn who is who; all has been said, since the program has been executed."""
        theirs.close()
        self._reports.settimeout(0.0)
        kind, first = self._report()
        _, self.pid = self._report()
        self.in_namespace = kind == NAMESPACE
        self.first, self.own_proc = first, f"/proc/{first}/root/proc" if self.in_namespace else None
        self._first: int | None = None
        with contextlib.suppress(ProcessLookupError):  # all has ended already
            self._first = os.pidfd_open(first)

    def _report(self) -> tuple[bytes, int]:
        said, added, *_ = self._reports.recvmsg(64, socket.CMSG_SPACE(SENDER.size))
        sender = SENDER.unpack(added[0][2]) if added else (0, 0, 0)
        return said, sender[0]

    def fileno(self) -> int:
        """Return what is readable once the program has ended."""
        return self._reports.fileno()

    def poll(self) -> int | None:
        """Return the program's exit code, negative for a signal; None while it runs."""
        if self.returncode is None:
            with contextlib.suppress(BlockingIOError):
                said = self._report()[0]
                self.returncode = int(said) if said else -signal.SIGKILL  # its enclosure was killed
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the program's end and return its exit code; raise TimeoutExpired if it does not end in time."""
        if not wait(self, timeout):
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return self.returncode

    @property
    def left_behind(self) -> bool:
        """Return whether something that the program started still runs after its end."""
        return self.poll() is not None and self._first is not None and not _is_readable(self._first, 0)

    def members(self) -> tuple[int, ...]:
        """Return the pids of everything in the enclosure, the program first; those of what has ended are left out."""
        others = [pid for pid in descendants(self.first) if pid != self.pid]
        return (self.pid, *others) if self.returncode is None else tuple(others)

    def end(self) -> bool:
        """Kill everything in the enclosure; return whether it is certain that all of it is gone."""
        if self._first is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._first, signal.SIGKILL if self.in_namespace else signal.SIGTERM)
        gone = self._reports.fileno() < 0 or _reaped(self._keeper, END_TIMEOUT_S)
        if gone and self._reports.fileno() >= 0:
            self.poll()
            _LIVING.discard(self)
            self._reports.close()
            if self._first is not None:
                os.close(self._first)
            self._first = None
        return gone


_LIVING: set[Enclosed] = set()  # to end what an interruption has kept from being stopped, or even from being known


def _preparation(cpus: Sequence[int] | None, enclosure: Enclosure) -> Callable[[], None]:
    limit_files = _file_limit(enclosure.open_files)

    def prepare() -> None:
        limit_files()
        if cpus:
            os.sched_setaffinity(0, cpus)
        enclosure.rights.apply()

    return prepare


def _file_limit(wanted: int | None = None) -> Callable[[], None]:
    """Return what lets a child open as many files as are `wanted`, or as the hard limit allows.

    Most systems set the soft limit to 1024, which limits servers that don't raise it themselves to fewer clients.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY or wanted is None else min(wanted, hard)
    limits = many_files(soft, hard) if most is None else (most, hard)
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def _reaped(child: int, patience_s: float) -> bool:
    """Wait for a child of ours and collect it; return whether it has ended."""
    try:
        descriptor = os.pidfd_open(child)
    except ProcessLookupError:
        return True
    try:
        if not _is_readable(descriptor, patience_s):
            return False
    finally:
        os.close(descriptor)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(child, 0)
    return True


def _is_readable(descriptor: int, patience_s: float | None) -> bool:
    watcher = select.poll()
    watcher.register(descriptor, select.POLLIN)
    return bool(watcher.poll(None if patience_s is None else max(0.0, patience_s) * 1000))


def dies_with_parent(cpus: Sequence[int] | None = None) -> Callable[[], None]:
    """Return what a child calls before exec, so that it dies with this process and runs only on `cpus`."""
    parent, limit_files = os.getpid(), _file_limit()

    def prepare() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored if a shell runs the harness in the background
        if os.getppid() != parent:
            os._exit(1)
        limit_files()
        if cpus:
            os.sched_setaffinity(0, cpus)

    return prepare


def many_files(soft: int, hard: int) -> tuple[int, int]:
    """Return the limits on open files with the soft one raised as far as the hard one allows, to 65,536 at most."""
    unlimited = resource.RLIM_INFINITY
    allowed = MANY_FILES if hard == unlimited else min(MANY_FILES, hard)
    return (soft if soft == unlimited else max(soft, allowed), hard)


def allow_connections(count: int) -> None:
    """Let a server and a generator that are started later have so many connections; UnfitMachine if they can't."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed, unlimited = count + OTHER_FILES, resource.RLIM_INFINITY
    if hard != unlimited and hard < needed:
        raise UnfitMachine(
            f"{count} connections need {needed} open files in one process, but only {hard} are allowed here;"
            f" use fewer connections, or raise the limit first, as root: ulimit -n {needed}"
        )
    if soft != unlimited and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def stop(process: subprocess.Popen[bytes], steps: Sequence[tuple[signal.Signals, float]] = STOP_STEPS) -> Stopped:
    """Stop a process and its group with SIGINT, SIGTERM, SIGKILL, each with a deadline in seconds; return its end.

    An enclosed one ends with everything that it started.
    """
    sent: list[str] = []
    for number, patience_s in steps:
        if process.poll() is not None:
            break
        sent.append(number.name)
        _signal_group(process.pid, number)
        wait(process, patience_s)
    if isinstance(process, Enclosed):
        process.end()
    else:
        _signal_group(process.pid, signal.SIGKILL)  # whatever of the group outlives its leader
    code = process.poll()
    return Stopped("still running after SIGKILL" if code is None else describe_exit(code), tuple(sent))


def wait(process: subprocess.Popen[bytes], patience_s: float | None) -> bool:
    """Wait up to `patience_s` seconds for a process to end, without polling; return whether it ended."""
    if process.poll() is not None:
        return True
    wait_for_any([process], patience_s)
    return process.poll() is not None


def wait_for_any(processes: Sequence[subprocess.Popen[bytes]], patience_s: float | None) -> None:
    """Wait up to `patience_s` seconds for one of several processes to end; none may have been seen to end before."""
    watcher = select.poll()
    with contextlib.ExitStack() as opened:
        for process in processes:
            if isinstance(process, Enclosed):
                watcher.register(process.fileno(), select.POLLIN)
            else:
                descriptor = os.pidfd_open(process.pid)
                opened.callback(os.close, descriptor)
                watcher.register(descriptor, select.POLLIN)
        watcher.poll(None if patience_s is None else max(0.0, patience_s) * 1000)


def describe_exit(code: int) -> str:
    """Return "exit status 3", or the signal's name for a negative code."""
    if code >= 0:
        return f"exit status {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def marked(env: Mapping[str, str]) -> dict[str, str]:
    """Return an environment that marks a process as started by this harness, which has its pid in this namespace."""
    return {**env, MARK: harness_mark(), MARKED_IN: _pid_namespace()}


def harness_mark() -> str:
    """Return the mark of this harness's processes: the harness's pid and start time."""
    return _mark_of(os.getpid())


def _mark_of(pid: int) -> str:
    """Return the pid and the start time in clock ticks since boot, which no step of the clock changes.

    Raise OSError if there is no such process, or if it has ended: whoever started it may not have noticed yet.
    """
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    if fields[0] == ENDED:
        raise ProcessLookupError(errno.ESRCH, "it has ended")
    return f"{pid}:{fields[19]}"


def _pid_namespace() -> str:
    return str(Path("/proc/self/ns/pid").stat().st_ino)


def sweep() -> list[int]:
    """Kill marked processes, and cgroups, whose harness no longer runs; return the pids of the former.

    Whether a harness in another pid namespace runs cannot be seen from here, so its processes are spared.
    """
    swept = [pid for pid, mark in _marked() if not _harness_lives(mark) and _kill(pid)]
    end_abandoned_cgroups()
    return swept


def leftovers() -> list[int]:
    """Return the pids of processes that this harness started and that still run."""
    own = harness_mark()
    return [pid for pid, mark in _marked() if mark == own]


def end_leftovers() -> list[int]:
    """Kill the processes that this harness started and that still run, with all enclosures; return their pids."""
    for process in tuple(_LIVING):
        process.end()
    pids = [pid for pid in leftovers() if _kill(pid)]
    deadline = time.monotonic() + 1
    while leftovers() and time.monotonic() < deadline:
        time.sleep(0.005)
    return pids


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _marked() -> Iterator[tuple[int, str]]:
    """Yield the marked processes whose harness has, or had, its pid in this pid namespace, and their marks."""
    here = _pid_namespace()
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            marks = _marks(entry.path)
            if MARK in marks and marks.get(MARKED_IN, here) == here:
                yield int(entry.name), marks[MARK]


def _marks(process: str) -> dict[str, str]:
    """Return what marks a process, from its folder in /proc."""
    try:
        environment = Path(process, "environ").read_bytes()
    except OSError:
        return {}
    if MARK.encode() not in environment:
        return {}
    items = (item.decode(errors="replace").partition("=") for item in environment.split(b"\0"))
    return {name: value for name, _, value in items if name in {MARK, MARKED_IN}}


def _harness_lives(mark: str) -> bool:
    pid, _, _ = mark.partition(":")
    try:
        return _mark_of(int(pid)) == mark
    except (OSError, ValueError, IndexError):
        return False
