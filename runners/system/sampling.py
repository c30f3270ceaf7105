"""Watches one trial: counters before and after the measured time, and ten times a second in between.

The watch is part of the harness's own loop (no thread), and records its own CPU cost.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from runners.stats.steadiness import costs
from runners.system import kernel
from runners.system.connections import Segments

SAMPLE_S = 0.1
LOOK_ERROR = 0.03  # by which the segments of all connections may be uncertain, where the clients' are a share of them

DATA_SENT = "TCPOrigDataSent"

wall_clock_ns = time.time_ns  # its own name, so that the self-test can make this clock step


@dataclass(frozen=True)
class Snapshot:
    """All counters at one moment; times in microseconds."""

    monotonic_us: int
    wall_us: int
    server: kernel.TreeTimes | None
    server_may_use: frozenset[int]
    cpus: dict[int, kernel.CpuTimes]
    tcp: dict[str, int]
    time_wait: int | None
    pressure_us: dict[str, int]
    disk_busy_us: dict[str, int]
    throttled_us: int | None
    swapped_pages: int | None
    thermal_throttles: int | None
    frequencies_khz: dict[int, int]


@dataclass(frozen=True)
class Sample:
    """What is read ten times a second; `at_us` is by the monotonic clock."""

    at_us: int
    segments: int | None
    established: int | None
    time_wait: int | None
    rss_bytes: int | None
    server: kernel.TreeTimes | None
    client: kernel.TreeTimes | None


@dataclass(frozen=True)
class Samples:
    """A complete watch: the counters `before` and `after`, and the samples in between.

    `lasting_share` is the share of the clients' connections seen first that were still there when last looked;
    `hop_share` that of the network's segments with data that went over the clients' connections, not over the server's
    own; None where some did not last.
    """

    before: Snapshot
    after: Snapshot
    points: tuple[Sample, ...]
    cost_us: float
    lasting_share: float | None = None
    hop_share: float | None = None

    @property
    def wall_us(self) -> int:
        """Return the length of the watch in microseconds."""
        return self.after.monotonic_us - self.before.monotonic_us

    @property
    def server_run_us(self) -> float | None:
        """Return the CPU time that the server's threads and children used during the watch."""
        if self.before.server is None or self.after.server is None:
            return None
        return self.after.server.run_us - self.before.server.run_us

    def server_run_within_us(self, begin_us: int, end_us: int) -> float | None:
        """Return the server's CPU time between two moments of the monotonic clock, interpolated between samples."""
        times = [(self.before.monotonic_us, self.before.server)]
        times += [(point.at_us, point.server) for point in self.points]
        times += [(self.after.monotonic_us, self.after.server)]
        known = [(at_us, server.run_us) for at_us, server in times if server is not None]
        if len(known) < len(times):
            return None
        return interpolated(known, end_us) - interpolated(known, begin_us)

    @property
    def server_wait_us(self) -> float | None:
        """Return the time for which the server's threads were ready to run during the watch, but did not."""
        if self.before.server is None or self.after.server is None:
            return None
        return self.after.server.wait_us - self.before.server.wait_us

    @property
    def server_switches(self) -> tuple[int, int] | None:
        """Return the context switches of the server's threads during the watch, voluntary and involuntary."""
        if self.before.server is None or self.after.server is None:
            return None
        return self.after.server.switches_since(self.before.server)

    @property
    def client_switches_per_us(self) -> tuple[float, float] | None:
        """Return those of the generator's threads in each microsecond between its first and its last sample."""
        seen = self._client
        found = seen[-1][1].switches_since(seen[0][1]) if len(seen) > 1 else None
        passed_us = seen[-1][0] - seen[0][0] if found else 0
        return (found[0] / passed_us, found[1] / passed_us) if found and passed_us else None

    @property
    def machine_busy_us(self) -> float | None:
        """Return the busy time of all CPUs together during the watch, without steal."""
        if not self.before.cpus or not self.after.cpus:
            return None
        return sum(times.busy_us - self.before.cpus[cpu].busy_us for cpu, times in self.after.cpus.items())

    def tcp(self, name: str) -> int | None:
        """Return how much a TCP counter grew; None if the kernel does not have it."""
        if name not in self.before.tcp or name not in self.after.tcp:
            return None
        return self.after.tcp[name] - self.before.tcp[name]

    @property
    def rss_bytes(self) -> int | None:
        """Return the largest resident memory of the server that was seen."""
        return max((sample.rss_bytes for sample in self.points if sample.rss_bytes is not None), default=None)

    @property
    def client_wait_share(self) -> float | None:
        """Return the time that the generator's threads spent on run queues, as a share of the time it was watched."""
        seen = self._client
        return (seen[-1][1].wait_us - seen[0][1].wait_us) / (seen[-1][0] - seen[0][0]) if len(seen) > 1 else None

    @property
    def client_thread_share(self) -> float | None:
        """Return the CPU share of the generator's busiest thread between its first and its last sample."""
        seen = self._client
        if len(seen) < 2:
            return None
        first, last = seen[0][1].threads, seen[-1][1].threads
        spent = [last[thread].run_us - first[thread].run_us for thread in last if thread in first]
        return max(spent, default=0.0) / (seen[-1][0] - seen[0][0])

    @property
    def _client(self) -> list[tuple[int, kernel.TreeTimes]]:
        """Return when the generator was sampled, and what it had used by then."""
        return [(sample.at_us, sample.client) for sample in self.points if sample.client is not None]


def interpolated(points: Sequence[tuple[int, float]], at: int) -> float:
    """Return the value at a moment, on straight lines through points in the order of time; outside, the nearest one."""
    for (left, low), (right, high) in pairwise(points):
        if at < right:
            return low + (high - low) * max(0, at - left) / (right - left)
    return points[-1][1]


def costs_in(points: Sequence[Sample]) -> list[float]:
    """Return the server's CPU time per segment between each two samples."""
    return costs(
        [point.server.run_us if point.server else None for point in points], [point.segments for point in points]
    )


def snapshot(pids: tuple[int, ...]) -> Snapshot:
    """Read all counters now; those of the network belong to the first process's network."""
    return Snapshot(
        monotonic_us=time.monotonic_ns() // 1000,
        wall_us=wall_clock_ns() // 1000,
        server=kernel.tree_times(pids),
        server_may_use=kernel.allowed_cpus(pids),
        cpus=kernel.cpu_times(),
        tcp=kernel.tcp_counters(pids[0]) if pids else {},
        time_wait=kernel.time_wait_count(pids[0]) if pids else None,
        pressure_us=kernel.pressure_us(),
        disk_busy_us=kernel.disk_busy_us(),
        throttled_us=kernel.throttled_us(pids[0] if pids else None),
        swapped_pages=kernel.swapped_pages(),
        thermal_throttles=kernel.thermal_throttles(),
        frequencies_khz=kernel.frequencies_khz(),
    )


@dataclass(frozen=True)
class Look:
    """The clients' connections, and the segments with data that the network had sent before and after looking at them.

    Both can be far apart where this process had to wait for a CPU in between.
    """

    clients: Segments
    before: int | None
    after: int | None

    def lasting_share(self, last: Look) -> float | None:
        """Return the share of these connections that a later look still found."""
        return len(self.clients.keys() & last.clients.keys()) / len(self.clients) if self.clients else None

    def hop_share(self, last: Look) -> float | None:
        """Return the share of the segments since that went over the clients' connections.

        None if some ended, or if the looks took too long to tell it.
        """
        if None in (*self.clients.values(), *last.clients.values()) or self.lasting_share(last) != 1.0:
            return None
        if self.before is None or self.after is None or last.before is None or last.after is None:
            return None
        fewest, most = last.before - self.after, last.after - self.before
        if fewest <= 0 or most > fewest * (1 + LOOK_ERROR):
            return None
        then, now = (sum(count or 0 for count in look.clients.values()) for look in (self, last))
        return 2 * (now - then) / (fewest + most)


NOTHING_SEEN = Look({}, None, None)


@dataclass
class Watch:
    """A watch in progress on one server's processes; `client` is the generator's process while it runs.

    `clients` returns the connections of clients with the server, without those that it has beside them.
    """

    server: int
    clients: Callable[[], Segments] | None = None
    client: int | None = None
    pids: tuple[int, ...] = ()
    samples: list[Sample] = field(default_factory=list)
    cost_us: float = 0.0
    before: Snapshot | None = None
    looks: list[Look] = field(default_factory=list)

    def begin(self) -> None:
        """Take the first snapshot and discard earlier samples."""
        self.pids = kernel.tree(self.server)
        self.samples.clear()
        self.looks.clear()
        self.cost_us = 0.0
        self.before = snapshot(self.pids)

    def sample(self) -> None:
        """Take one sample."""
        began = time.thread_time_ns()
        self.pids = self.pids or kernel.tree(self.server)
        before, clients = self._look_at_clients()
        tcp = kernel.tcp_counters(self.server)
        if clients or (clients is not None and self.looks):
            self.looks.append(Look(clients, before, tcp.get(DATA_SENT)))
        self.samples.append(
            Sample(
                at_us=time.monotonic_ns() // 1000,
                segments=tcp.get(DATA_SENT),
                established=tcp.get("CurrEstab"),
                time_wait=kernel.time_wait_count(self.server),
                rss_bytes=kernel.tree_rss_bytes(self.pids),
                server=kernel.tree_times(self.pids),
                client=None if self.client is None else kernel.tree_times((self.client,)),
            )
        )
        self.cost_us += (time.thread_time_ns() - began) / 1000

    def _look_at_clients(self) -> tuple[int | None, Segments | None]:
        """Return the segments sent until now, and the clients' connections, which are looked at ever more rarely.

        The kernel's list of them may be long; between two looks, both are None.
        """
        number = len(self.samples)
        if self.clients is None or number & (number - 1):
            return None, None
        return kernel.tcp_counters(self.server).get(DATA_SENT), self.clients()

    def end(self) -> Samples:
        """Take the last snapshot, including processes that the server started meanwhile, and return the watch."""
        if self.before is None:
            raise RuntimeError("a watch ended that never began")
        pids = tuple(dict.fromkeys((*self.pids, *kernel.tree(self.server))))
        first, last = (self.looks[0], self.looks[-1]) if len(self.looks) > 1 else (NOTHING_SEEN, NOTHING_SEEN)
        shares = (first.lasting_share(last), first.hop_share(last))
        return Samples(self.before, snapshot(pids), tuple(self.samples), self.cost_us, *shares)
