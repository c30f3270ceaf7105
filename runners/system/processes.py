"""Starts and stops processes so that none is ever left behind.

Every process leads its own process group, dies with the harness (the kernel sends it SIGKILL when its parent ends), and
carries a mark in its environment. `sweep` kills marked processes whose harness is gone: a server's own children may
survive a SIGKILL of the harness.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import resource
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from runners.errors import UnfitMachine

MARK = "HTTP_SPEEDUP_HARNESS"
PR_SET_PDEATHSIG = 1
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


def start(
    argv: Sequence[str],
    *,
    output: IO[bytes],
    cpus: Sequence[int] | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    lasting: bool = False,
    stdin: bool = False,
) -> subprocess.Popen[bytes]:
    """Start a program in its own process group, bound to `cpus`, with stdout and stderr in one file.

    A `lasting` program is not a trial's leftover, but dies with the harness like all others. Raise OSError if it cannot
    be started, or may not use the CPUs. With `stdin`, its standard input stays open as long as its process is watched:
    some servers end when it does.
    """
    environment = os.environ if env is None else env
    try:
        return subprocess.Popen(
            list(argv),
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=dict(environment) if lasting else marked(environment),
            process_group=0,
            preexec_fn=dies_with_parent(cpus),  # noqa: PLW1509 - the harness has one thread
        )
    except subprocess.SubprocessError as error:
        raise OSError(errno.EINVAL, f"not permitted to run on CPUs {cpus}") from error


def dies_with_parent(cpus: Sequence[int] | None = None) -> Callable[[], None]:
    """Return what a child calls before exec, so that it dies with this process and runs only on `cpus`.

    It may also open as many files as the hard limit allows: most systems set the soft one to 1024, which limits servers
    that don't raise it themselves to fewer clients.
    """
    parent = os.getpid()
    files = many_files(*resource.getrlimit(resource.RLIMIT_NOFILE))

    def prepare() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored if a shell runs the harness in the background
        if os.getppid() != parent:
            os._exit(1)
        resource.setrlimit(resource.RLIMIT_NOFILE, files)
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
    """Stop a process and its group with SIGINT, SIGTERM, SIGKILL, each with a deadline in seconds; return its end."""
    sent: list[str] = []
    for number, patience_s in steps:
        if process.poll() is not None:
            break
        sent.append(number.name)
        _signal_group(process.pid, number)
        wait(process, patience_s)
    _signal_group(process.pid, signal.SIGKILL)  # whatever of the group outlives its leader
    code = process.poll()
    return Stopped("still running after SIGKILL" if code is None else describe_exit(code), tuple(sent))


def wait(process: subprocess.Popen[bytes], patience_s: float) -> bool:
    """Wait up to `patience_s` seconds for a process to end, without polling; return whether it ended."""
    if process.poll() is not None:
        return True
    descriptor = os.pidfd_open(process.pid)
    try:
        watcher = select.poll()
        watcher.register(descriptor, select.POLLIN)
        watcher.poll(max(0.0, patience_s) * 1000)
    finally:
        os.close(descriptor)
    return process.poll() is not None


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
    """Return an environment that marks a process as started by this harness."""
    return {**env, MARK: harness_mark()}


def harness_mark() -> str:
    """Return the mark of this harness's processes: the harness's pid and start time."""
    return _mark_of(os.getpid())


def _mark_of(pid: int) -> str:
    """Return the pid and the start time in clock ticks since boot, which no step of the clock changes."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return f"{pid}:{fields[19]}"


def sweep() -> list[int]:
    """Kill marked processes whose harness no longer runs; return their pids."""
    return [pid for pid, mark in _marked() if not _harness_lives(mark) and _kill(pid)]


def leftovers() -> list[int]:
    """Return the pids of processes that this harness started and that still run."""
    own = harness_mark()
    return [pid for pid, mark in _marked() if mark == own]


def end_leftovers() -> list[int]:
    """Kill the processes that this harness started and that still run; return their pids."""
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
    needle = f"{MARK}=".encode()
    own = os.getpid()
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit() or int(entry.name) == own:
            continue
        with contextlib.suppress(OSError):
            environment = Path(f"/proc/{entry.name}/environ").read_bytes()
            for item in environment.split(b"\0") if needle in environment else ():
                if item.startswith(needle):
                    yield int(entry.name), item[len(needle) :].decode(errors="replace")


def _harness_lives(mark: str) -> bool:
    pid, _, _ = mark.partition(":")
    try:
        return _mark_of(int(pid)) == mark
    except (OSError, ValueError, IndexError):
        return False
