"""Reads what the Linux kernel counts, and nothing else. What the kernel does not report is None, never 0.

CPU times are microseconds since the process or the machine started. TCP counters are those of a process's network
namespace.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

TICK_US = 1_000_000 // os.sysconf("SC_CLK_TCK")
_CAUGHT = re.compile(r"^SigCgt:\t([0-9a-f]+)$", re.MULTILINE)
_SWITCHES = re.compile(r"^(?:non)?voluntary_ctxt_switches:\t(\d+)$", re.MULTILINE)
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
CGROUPS = Path("/sys/fs/cgroup")
PROCESS_CLOCK = 2  # CPUCLOCK_SCHED: the run time counted by the scheduler, not in ticks
ESTABLISHED, LISTENS = "01", "0A"  # states of connections in /proc/net/tcp
RUNNABLE = "R"  # the state of a thread that runs or waits for a CPU
ENDED = ("Z", "X", "x")  # states of processes that have ended and were not waited for yet

SNMP = ("ActiveOpens", "PassiveOpens", "CurrEstab", "RetransSegs", "OutSegs")
NETSTAT = (
    "TCPOrigDataSent",
    "ListenOverflows",
    "ListenDrops",
    "TCPReqQFullDrop",
    "TCPReqQFullDoCookies",
    "SyncookiesSent",
    "TCPSynRetrans",
    "TCPTimeouts",
    "TCPBacklogDrop",
    "TCPTimeWaitOverflow",
    "TCPDSACKRecv",
    "TW",
)


@dataclass(frozen=True)
class ThreadTimes:
    """One thread's exact run time and its time on a run queue, in microseconds, and the CPU it last ran on.

    `voluntary` and `involuntary` are its context switches: it went to sleep, or another took its CPU.
    """

    run_us: float
    wait_us: float
    cpu: int | None
    voluntary: int | None = None
    involuntary: int | None = None


@dataclass(frozen=True)
class TreeTimes:
    """A process tree at one moment: its threads by id, its living processes, and the CPU time of them all.

    `processes_us` is the run time of the processes, including threads that have ended; `children_us` is that of their
    ended children.
    """

    threads: Mapping[int, ThreadTimes]
    pids: tuple[int, ...]
    processes_us: float
    children_us: float

    @property
    def run_us(self) -> float:
        """Return the CPU time of all processes and ended children."""
        return self.processes_us + self.children_us

    @property
    def wait_us(self) -> float:
        """Return the time in which its threads were ready to run but did not."""
        return sum(thread.wait_us for thread in self.threads.values())

    def switches_since(self, before: TreeTimes) -> tuple[int, int] | None:
        """Return the voluntary and involuntary context switches since; None if a thread ended, or is not counted."""
        if before.threads.keys() - self.threads.keys():
            return None
        grown = []
        for kind in ("voluntary", "involuntary"):
            counts = [
                (getattr(now, kind), getattr(before.threads.get(key), kind, 0)) for key, now in self.threads.items()
            ]
            if any(None in pair for pair in counts):
                return None
            grown.append(sum(now - then for now, then in counts))
        return grown[0], grown[1]


@dataclass(frozen=True)
class CpuTimes:
    """One CPU's times since boot in microseconds; `steal_us` is what the hypervisor gave to other guests."""

    busy_us: float
    steal_us: float
    total_us: float


def catches(pid: int, number: int) -> bool | None:
    """Return whether a process has a handler for a signal; None if it cannot be looked at."""
    found = _CAUGHT.search(_text(f"/proc/{pid}/status") or "")
    return None if found is None else bool(int(found[1], 16) >> (number - 1) & 1)


def tree(pid: int) -> tuple[int, ...]:
    """Return a process and all its descendants; empty once it is gone."""
    try:
        children = psutil.Process(pid).children(recursive=True)
    except psutil.Error:  # it is gone, or others that ended meanwhile confused psutil
        return (pid,) if Path(f"/proc/{pid}").exists() else ()
    return (pid, *(child.pid for child in children))


def tree_times(pids: tuple[int, ...]) -> TreeTimes | None:
    """Return the times of processes and their threads; None if nothing can be read."""
    by_pid = {pid: dict(_threads(pid)) for pid in pids}
    threads = {thread: times for found in by_pid.values() for thread, times in found.items()}
    if not threads:
        return None
    run_us = sum(_process_us(pid, found) for pid, found in by_pid.items())
    stats = {pid: fields for pid in pids if (fields := _stat_fields(f"/proc/{pid}/stat"))}
    living = tuple(pid for pid, fields in stats.items() if fields[0] not in ENDED)
    return TreeTimes(threads, living, run_us, sum(map(_children_us, stats.values())))


def _process_us(pid: int, threads: Mapping[int, ThreadTimes]) -> float:
    """Return the exact run time of a process and all its threads; only its clock includes those that have ended."""
    try:
        return time.clock_gettime_ns((~pid << 3) | PROCESS_CLOCK) / 1000
    except OSError:
        return sum(thread.run_us for thread in threads.values())


def allowed_cpus(pids: tuple[int, ...]) -> frozenset[int]:
    """Return the CPUs on which any thread of these processes may run; threads that have ended are left out."""
    found: set[int] = set()
    for pid in pids:
        for name in _entries(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                found |= os.sched_getaffinity(int(name))
    return frozenset(found)


def _threads(pid: int) -> Iterator[tuple[int, ThreadTimes]]:
    for name in _entries(f"/proc/{pid}/task"):
        run = _text(f"/proc/{pid}/task/{name}/schedstat")
        if run is None:
            continue
        run_ns, wait_ns, _slices = run.split()
        yield (
            int(name),
            ThreadTimes(int(run_ns) / 1000, int(wait_ns) / 1000, _last_cpu(pid, name), *_switches(pid, name)),
        )


def _switches(pid: int, thread: str) -> tuple[int, int] | tuple[()]:
    """Return a thread's context switches, voluntary and involuntary; nothing if the kernel does not count them."""
    found = _SWITCHES.findall(_text(f"/proc/{pid}/task/{thread}/status") or "")
    return (int(found[0]), int(found[1])) if len(found) == 2 else ()


def _last_cpu(pid: int, thread: str) -> int | None:
    fields = _stat_fields(f"/proc/{pid}/task/{thread}/stat")
    return int(fields[36]) if fields else None


def _children_us(fields: list[str]) -> float:
    """Return the CPU time of a process's ended and awaited children, from its stat file, which counts in ticks."""
    return (int(fields[13]) + int(fields[14])) * TICK_US


def _stat_fields(file: str) -> list[str]:
    """Return the fields of a stat file, starting with the third, the state."""
    text = _text(file)
    return text.rpartition(")")[2].split() if text else []


def is_runnable(pid: int) -> bool:
    """Return whether a thread of a process runs, or is ready to run and waits for a CPU."""
    stats = (_stat_fields(f"/proc/{pid}/task/{name}/stat") for name in _entries(f"/proc/{pid}/task"))
    return any(fields[0] == RUNNABLE for fields in stats if fields)


def tree_rss_bytes(pids: tuple[int, ...]) -> int | None:
    """Return the resident memory of processes in bytes; shared pages count once for each."""
    sizes = [int(text.split()[1]) * PAGE_BYTES for pid in pids if (text := _text(f"/proc/{pid}/statm"))]
    return sum(sizes) if sizes else None


def resident_bytes(folder: str) -> int | None:
    """Return the resident memory of the process that a folder of some /proc is about."""
    text = _text(f"{folder}/statm")
    return int(text.split()[1]) * PAGE_BYTES if text else None


def proportional_bytes(folder: str) -> int | None:
    """Return the same, with pages that n processes share counted as an n-th; the kernel takes long to add that up."""
    lines = (_text(f"{folder}/smaps_rollup") or "").splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), None)


def memory_bytes() -> int | None:
    """Return the memory that this process and its children may use: the machine's, or less in a container."""
    lines = (_text("/proc/meminfo") or "").splitlines()
    whole = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemTotal:")]
    limits = [_text(str(folder / "memory.max")) or "" for folder in cgroups(_text("/proc/self/cgroup") or "")]
    return min([*whole, *(int(text) for text in limits if text.strip().isdigit())], default=None)


def cpu_times() -> dict[int, CpuTimes]:
    """Return the times of every CPU by its number; empty if the kernel does not report them."""
    times = {}
    for line in (_text("/proc/stat") or "").splitlines():
        name, *fields = line.split()
        if not name.startswith("cpu"):
            break
        if name != "cpu":
            user, nice, system, idle, iowait, irq, softirq, steal = (int(field) * TICK_US for field in fields[:8])
            busy = user + nice + system + irq + softirq
            times[int(name[3:])] = CpuTimes(busy, steal, busy + idle + iowait + steal)
    return times


def tcp_counters(pid: int | str = "self") -> dict[str, int]:
    """Return the counters of a process's network by the kernel's names; those that it lacks are left out."""
    snmp = _paired(_text(f"/proc/{pid}/net/snmp"), "Tcp:")
    netstat = _paired(_text(f"/proc/{pid}/net/netstat"), "TcpExt:")
    chosen = {name: snmp[name] for name in SNMP if name in snmp}
    return chosen | {name: netstat[name] for name in NETSTAT if name in netstat}


def _paired(text: str | None, prefix: str) -> dict[str, int]:
    lines = [line.split()[1:] for line in (text or "").splitlines() if line.startswith(prefix)]
    return dict(zip(lines[0], map(int, lines[1]), strict=False)) if len(lines) == 2 else {}


def time_wait_count(pid: int | str = "self") -> int | None:
    """Return the number of connections in TIME_WAIT in a process's network."""
    words = (_text(f"/proc/{pid}/net/sockstat") or "").split()
    return int(words[words.index("tw") + 1]) if "tw" in words else None


def pressure_us() -> dict[str, int]:
    """Return the time that tasks stalled since boot: "memory some", "io full", ... in microseconds."""
    stalls = {}
    for resource in ("cpu", "memory", "io"):
        for line in (_text(f"/proc/pressure/{resource}") or "").splitlines():
            kind, *fields = line.split()
            stalls[f"{resource} {kind}"] = int(fields[-1].removeprefix("total="))
    return stalls


def disk_busy_us() -> dict[str, int]:
    """Return how long each disk has had requests in flight since boot, in microseconds; empty if not reported."""
    busy = {}
    for line in (_text("/proc/diskstats") or "").splitlines():
        fields = line.split()
        busy[fields[2]] = int(fields[12]) * 1000
    return busy


def throttled_us(pid: int | None) -> int | None:
    """Return how long CPU quotas held back this process's cgroups and another one's, in microseconds; None if unknown.

    A quota of any cgroup above them holds them back, too, but is counted only there.
    """
    members = ["self"] if pid is None else ["self", str(pid)]
    folders = {folder for each in members for folder in cgroups(_text(f"/proc/{each}/cgroup") or "")}
    held = [us for folder in folders if (us := _held_us(folder)) is not None]
    return sum(held) if held else None


def cgroups(text: str) -> Iterator[Path]:
    """Yield the cgroups for the CPU that a process's `cgroup` file names, with all above them up to the root.

    Version 1 has a hierarchy of its own for the CPU; beside that, version 2 is below "unified". A container often finds
    its own cgroup at the root.
    """
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        roots = ("", "unified") if not controllers else ("cpu",) if "cpu" in controllers.split(",") else ()
        below = Path(path.lstrip("/"))
        yield from (CGROUPS / root / each for root in roots for each in (below, *below.parents))


def _held_us(folder: Path) -> int | None:
    """Return how long a cgroup's own quota held it back; version 1 counts nanoseconds."""
    fields = dict(item.split() for item in (_text(str(folder / "cpu.stat")) or "").splitlines())
    if "throttled_usec" in fields:
        return int(fields["throttled_usec"])
    return int(fields["throttled_time"]) // 1000 if "throttled_time" in fields else None


def swapped_pages() -> int | None:
    """Return how many pages were swapped in or out since boot."""
    lines = dict(line.split() for line in (_text("/proc/vmstat") or "").splitlines())
    return int(lines["pswpin"]) + int(lines["pswpout"]) if "pswpin" in lines else None


def thermal_throttles() -> int | None:
    """Return how often any CPU has been throttled for heat since boot."""
    files = list(Path("/sys/devices/system/cpu").glob("cpu*/thermal_throttle/*_throttle_count"))
    counts = [int(text) for file in files if (text := _text(str(file)))]
    return sum(counts) if counts else None


def frequencies_khz() -> dict[int, int]:
    """Return the current frequency of every CPU that reports it, in kHz."""
    found = {}
    for file in Path("/sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_cur_freq"):
        if text := _text(str(file)):
            found[int(file.parts[-3][3:])] = int(text)
    return found


@dataclass(frozen=True)
class Listening:
    """Who listens on a port at one moment: the inodes of its sockets, and the sockets that a tree's processes hold."""

    inodes: frozenset[str]
    held: Mapping[int, frozenset[str]]

    @property
    def by_tree(self) -> bool:
        """Return whether a process of the tree holds one of the sockets."""
        return any(self.inodes & inodes for inodes in self.held.values())

    def __str__(self) -> str:
        """Return what was seen, in words."""
        if not self.inodes:
            return "no listening socket was seen there"
        if not self.held:
            return f"socket {', '.join(sorted(self.inodes))} listens there; none of the server's processes was seen"
        pids = ", ".join(map(str, self.held))
        return f"socket {', '.join(sorted(self.inodes))} listens there; processes {pids} do not hold it"


def listening(pid: int, port: int) -> Listening:
    """Look once at who listens on a TCP port in a process's network, and at the sockets that its process tree holds."""
    held = {member: frozenset(_socket_inodes(member)) for member in tree(pid)}
    return Listening(frozenset(_listening_inodes(pid, port)), held)


def listening_at(pid: int) -> tuple[str, ...]:
    """Return the addresses on which a process tree listens, such as "127.0.0.1:8080" or "[::1]:3000"."""
    held = {inode for member in tree(pid) for inode in _socket_inodes(member)}
    rows = [row for row in _tcp_rows(pid) if row[3] == LISTENS and row[9] in held]
    return tuple(dict.fromkeys(_address(row[1]) for row in rows))


def _address(field: str) -> str:
    """Return an address as people write it; the kernel writes its 32-bit words in the machine's own byte order."""
    words, _, port = field.rpartition(":")
    data = b"".join(int(words[at : at + 8], 16).to_bytes(4, sys.byteorder) for at in range(0, len(words), 8))
    host = ipaddress.ip_address(data)
    if isinstance(host, ipaddress.IPv6Address) and host.ipv4_mapped:  # what Java does for 127.0.0.1
        host = host.ipv4_mapped
    return f"[{host}]:{int(port, 16)}" if host.version == 6 else f"{host}:{int(port, 16)}"


def holders(port: int) -> tuple[int, ...]:
    """Return the processes, whoever started them, that listen on a port in this process's network and can be seen."""
    inodes = _listening_inodes(os.getpid(), port)
    pids = [int(name) for name in _entries("/proc") if name.isdigit()] if inodes else []
    return tuple(pid for pid in pids if not inodes.isdisjoint(_socket_inodes(pid)))


def client_ports(pid: int, port: int) -> frozenset[str]:
    """Return the addresses of those that have a connection to a port in a process's network."""
    return frozenset(
        row[2] for row in _tcp_rows(pid) if row[3] == ESTABLISHED and int(row[1].rpartition(":")[2], 16) == port
    )


def _tcp_rows(pid: int) -> Iterator[list[str]]:
    for table in ("tcp", "tcp6"):
        yield from (row.split() for row in (_text(f"/proc/{pid}/net/{table}") or "").splitlines()[1:])


def _listening_inodes(pid: int, port: int) -> set[str]:
    rows = _tcp_rows(pid)
    return {row[9] for row in rows if row[3] == LISTENS and int(row[1].rpartition(":")[2], 16) == port}


def _socket_inodes(pid: int) -> Iterator[str]:
    for descriptor in _entries(f"/proc/{pid}/fd"):
        try:
            target = str(Path(f"/proc/{pid}/fd/{descriptor}").readlink())
        except OSError:
            continue
        if target.startswith("socket:["):
            yield target[8:-1]


def _text(file: str) -> str | None:
    """Return a small file's text; None if it is missing or unreadable."""
    try:
        descriptor = os.open(file, os.O_RDONLY)
    except OSError:
        return None
    try:
        parts = []
        while part := os.read(descriptor, 65536):
            parts.append(part)
        return b"".join(parts).decode("utf-8", errors="replace")
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _entries(folder: str) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - called ten times a second
    except OSError:
        return []
