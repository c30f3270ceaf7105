"""Reads what the kernel counts: CPU time and memory of process trees, the machine's busy time, TCP connections.

Linux tells all of it under /proc; what cannot be read is None, never 0.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

TICK_US = 1_000_000 // os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Counters:
    """Cumulative counters of the machine and of one server's process tree at one moment."""

    server_cpu_us: float | None
    machine_busy_us: float | None
    passive_opens: int | None


def read_counters(server_pid: int) -> Counters:
    """Read all counters now."""
    return Counters(tree_cpu_us(server_pid), machine_busy_us(), passive_opens())


def tree(pid: int) -> list[int]:
    """Return a process and all its descendants; empty once it is gone."""
    try:
        children = psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []
    return [pid, *(child.pid for child in children)]


def tree_cpu_us(pid: int) -> float | None:
    """Return the CPU time that a process tree has used, in microseconds; None where nothing can be read.

    The scheduler's exact run time per thread, plus what ended children left (in ticks of 10 ms). Threads that end
    take their exact time along, so the process's own tick count is the floor.
    """
    times = [time for member in tree(pid) if (time := _process_cpu_us(member)) is not None]
    return sum(times) if times else None


def _process_cpu_us(pid: int) -> float | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    own_ticks, children_ticks = int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])
    exact_us = sum(_threads_run_us(pid))
    return max(exact_us, (own_ticks - 1) * TICK_US) + children_ticks * TICK_US


def _threads_run_us(pid: int) -> Iterator[float]:
    for thread in _entries(f"/proc/{pid}/task"):
        try:
            yield int(Path(f"/proc/{pid}/task/{thread}/schedstat").read_text(encoding="ascii").split()[0]) / 1000
        except (OSError, IndexError, ValueError):
            continue


def tree_rss_bytes(pid: int) -> int | None:
    """Return the resident memory of a process tree in bytes; shared pages count once for each process."""
    sizes = []
    for member in tree(pid):
        try:
            sizes.append(int(Path(f"/proc/{member}/statm").read_text(encoding="ascii").split()[1]) * PAGE_BYTES)
        except (OSError, IndexError, ValueError):
            continue
    return sum(sizes) if sizes else None


def machine_busy_us() -> float | None:
    """Return the time all CPUs together were not idle since boot, in microseconds (steal excluded)."""
    try:
        fields = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:]
    except OSError:
        return None
    user, nice, system, _idle, _iowait, irq, softirq = (int(field) for field in fields[:7])
    return float((user + nice + system + irq + softirq) * TICK_US)


def passive_opens() -> int | None:
    """Return how many TCP connections this network namespace has accepted."""
    try:
        lines = [line.split() for line in Path("/proc/net/snmp").read_text(encoding="ascii").splitlines()]
    except OSError:
        return None
    names, values = [line for line in lines if line[0] == "Tcp:"]
    return int(values[names.index("PassiveOpens")])


def listens(pid: int, port: int) -> bool:
    """Return whether a process tree owns a listening TCP socket on this port."""
    inodes = _listening_inodes(port)
    return any(inode in inodes for member in tree(pid) for inode in _socket_inodes(member))


def _listening_inodes(port: int) -> set[str]:
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for fields in (row.split() for row in rows):
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(fields[9])
    return inodes


def _socket_inodes(pid: int) -> Iterator[str]:
    for descriptor in _entries(f"/proc/{pid}/fd"):
        try:
            target = str(Path(f"/proc/{pid}/fd/{descriptor}").readlink())
        except OSError:
            continue
        if target.startswith("socket:["):
            yield target[8:-1]


def _entries(folder: str) -> list[str]:
    try:
        return [entry.name for entry in os.scandir(folder)]
    except OSError:
        return []
