"""Carries out one order on a client host: starts the generator on time, watches it, and reports the result."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runners.loads.base import LoadJob, Phase
from runners.loads.by_name import LOADS
from runners.loads.fleet.merging import edge_us
from runners.loads.fleet.wire.clock import now_us
from runners.loads.fleet.wire.messages import HostResult, HostSample, Order
from runners.matrix.cells import Locustfile
from runners.system.processes import describe_exit, start, stop
from runners.system.sampling import Samples, Watch

STARTING = Path(__file__).with_name("starting.py")
STARTED_US = 50_000  # this long after its start, the process is the generator, with all its threads
ENDING_S = 0.02
MOST_OUTPUT_BYTES = 12 * 2**20
_STARTED = re.compile(r"^speedup:started (\d+)\n")


def job_of(order: Order, cpus: int, locustfile: Path | None = None) -> LoadJob:
    """Return an order as a job for a load generator on this host; a warm-up is a separate order."""
    own = Locustfile(str(locustfile), order.locustfile) if locustfile and order.locustfile else None
    return LoadJob(
        host=order.host,
        port=order.port,
        path=order.path,
        mode=order.mode,
        connections=order.connections,
        threads=LOADS[order.generator].threads(order.connections, cpus, order.threads),
        warmup_s=order.warmup_s,
        duration_s=order.duration_s,
        start_us=order.start_us if order.generator == "locust" else None,
        locustfile=own,
    )


def looks_us(order: Order) -> list[int]:
    """Return when to sample a generator: at the beginning and the end of the window in which the master will count.

    No more often, since each sample wakes a program that the load may have to share its CPUs with.
    """
    begin_us, duration_us = order.start_us + order.warmup_s * 1e6, order.duration_s * 1e6
    edge = edge_us(duration_us)
    first = max(begin_us + edge, order.start_us + STARTED_US)
    return [round(first), round(max(first, begin_us + duration_us - edge))]


@dataclass(frozen=True)
class Place:
    """Where a worker's generators run: their environment, a folder for their output, and the number of CPUs.

    `locustfile` is this host's copy of the user's own locustfile, if there is one.
    """

    env: Mapping[str, str]
    folder: Path
    cpus: int
    locustfile: Path | None = None


class Running:
    """A generator that waits for its start, or runs."""

    def __init__(self, order: Order, place: Place) -> None:
        """Start it; raise OSError if it cannot be started."""
        self.order, self.place = order, place
        self.job = job_of(order, place.cpus, place.locustfile)
        self.phase: Phase = LOADS[order.generator].phases(self.job)[-1]
        self.file = place.folder / f"{order.trial}.txt"
        self.watch = Watch(os.getpid())  # this process is in the network that the generator loads from
        self.process = self._start()
        self.watch.client = self.process.pid
        self.watch.begin()
        self.looks_us = looks_us(order)
        self.interrupted = False

    def _start(self) -> subprocess.Popen[bytes]:
        waiting = (sys.executable, str(STARTING), str(self.order.start_us)) if self.job.start_us is None else ()
        argv = (*waiting, *self.phase.argv)
        with self.file.open("wb") as output:
            return start(argv, output=output, env=self.place.env, cwd=self.phase.cwd)

    @property
    def deadline_us(self) -> int:
        """Return the time by which it must have ended by itself."""
        return self.order.start_us + round(self.phase.limit_s * 1e6)

    @property
    def patience_s(self) -> float:
        """Return the seconds until it has to be looked at: to read its counters, or because it should end."""
        lasts_s = self.phase.stop_after_s or self.order.warmup_s + self.order.duration_s
        ends_us, now = self.order.start_us + round(lasts_s * 1e6), now_us()
        return ENDING_S if now >= ends_us else max(0, min([*self.looks_us, ends_us]) - now) / 1e6

    def look(self) -> HostResult | None:
        """Look at it; return the result once it has ended, or was stopped because it did not end in time."""
        self._end_early()
        code = self.process.poll()
        if code is None and now_us() < self.deadline_us:
            if self.looks_us and now_us() >= self.looks_us[0]:
                self.watch.sample()
                self.looks_us = self.looks_us[1:]
            return None
        ended_us = now_us()
        if code is None:
            return self._result(ended_us, f"{self.phase.argv[0]} did not end within {self.phase.limit_s:g} s")
        failed = code != 0 and self.phase.stop_after_s is None
        return self._result(ended_us, f"{self.phase.argv[0]} ended with {describe_exit(code)}" if failed else None)

    def _end_early(self) -> None:
        """Interrupt a generator that would run longer than asked, because it accepts only whole seconds.

        A warm-up is terminated at once, since its output is not needed.
        """
        early_s = self.phase.stop_after_s
        if self.interrupted or early_s is None:
            return
        if now_us() >= self.order.start_us + round(early_s * 1e6):
            self.interrupted = True
            self.process.send_signal(signal.SIGINT if self.order.measured else signal.SIGTERM)

    def stop(self) -> None:
        """Stop it at once and remove its output."""
        stop(self.process)
        self.file.unlink(missing_ok=True)

    def _result(self, ended_us: int, failure: str | None) -> HostResult:
        samples = self.watch.end()
        output = self._output()
        self.stop()
        started = _STARTED.match(output)
        return HostResult(
            trial=self.order.trial,
            started_us=self._started_us(started) or ended_us,
            ended_us=ended_us,
            failure=failure or (None if self._started_us(started) else "the generator was not started"),
            output=output[started.end() :] if started else output,
            threads=self.job.threads,
            samples=_samples(samples),
            tcp={name: max(0, samples.tcp(name) or 0) for name in samples.after.tcp},
            thread_share=samples.client_thread_share,
            wait_share=_wait_share(samples),
            host_share=_host_share(samples, self.place.cpus),
        )

    def _started_us(self, started: re.Match[str] | None) -> int | None:
        """Return when its measured load began: when it was told to begin counting, or when it says it was started."""
        if self.job.start_us is not None:
            return self.job.start_us + round(self.job.warmup_s * 1e6)
        return int(started[1]) if started else None

    def _output(self) -> str:
        with self.file.open("rb") as stream:
            return stream.read(MOST_OUTPUT_BYTES).decode("utf-8", errors="replace")


def _samples(samples: Samples) -> tuple[HostSample, ...]:
    """Return the host's counts of segments from before the load until after it; none if they are unknown."""
    before, after = ((each.monotonic_us, each.tcp.get("TCPOrigDataSent")) for each in (samples.before, samples.after))
    looks = [(look.at_us, look.segments) for look in samples.points]
    known = [(at_us, sent) for at_us, sent in (before, *looks, after) if sent is not None]
    return tuple(HostSample(at_us=at_us, segments=sent) for at_us, sent in known)


def _wait_share(samples: Samples) -> float | None:
    """Return the generator's share on run queues, at least 0: the last sample lacks threads that have ended."""
    share = samples.client_wait_share
    return None if share is None else max(0.0, share)


def _host_share(samples: Samples, cpus: int) -> float | None:
    """Return how busy all CPUs of the host were while it was watched, as a share."""
    busy_us = samples.machine_busy_us
    return None if busy_us is None else min(1.1, max(0.0, busy_us / (samples.wall_us * cpus)))
