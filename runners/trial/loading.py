"""Puts load on one server, or two at the same time, and watches both sides: CPU, memory, connections, exits."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from runners.loads.base import Load, LoadFailed, LoadInvalid, LoadJob, LoadResult, Phase
from runners.loads.by_name import LOADS
from runners.loads.jobs import MOST_S, warms_until_steady
from runners.matrix.cells import Cell
from runners.records.trial import Check, Checked, Command, Switches
from runners.server.probe import Probed
from runners.server.process import Logs, Programs, ServerProcess, Started, TrialFailed, TrialInvalid, complaint_of
from runners.server.unisolated import server_process
from runners.stats.steadiness import drift, is_steady
from runners.system import kernel
from runners.system.connections import Segments, connections
from runners.system.machine import Layout
from runners.system.network import Network
from runners.system.processes import Stopped, describe_exit, start, stop, wait
from runners.system.sampling import SAMPLE_S, Samples, Watch, costs_in
from runners.units import printable

ROUNDS = 2  # of an automatic warm-up: the first reconnection is dear, too, where its code was never run before
MEASURED_SHARE = 0.5  # of an automatic warm-up: a start that took long to warm is measured for longer, too,
MOST_MEASURED_S = 1.6  # up to here, and is still one value
INTERRUPT_PATIENCE_S = 1.0  # wrk checks ten times a second whether to stop
LOOK_AGAIN_S = 0.002

Tick = Callable[[], None]


@dataclass(frozen=True)
class Measured:
    """The outcome of a measured phase: the generator's result, and the kernel's counters around it."""

    result: LoadResult
    samples: Samples

    @property
    def latency(self) -> dict[int, int] | None:
        """Return the whole histogram; None if it is unknown or impossible."""
        found = self.result.latency
        return found if found and min(found.values()) > 0 else None

    @property
    def served(self) -> int:
        """Return the number of requests that the server answered between the two readings of the counters."""
        return self.result.requests + self.result.uncounted

    @property
    def server_cpu_us_per_request(self) -> float | None:
        """Return the server's CPU time per request that it answered; of a paced load, within the measured time."""
        if self.result.pacing is not None and self.result.window_us is not None:
            within_us = self.samples.server_run_within_us(*self.result.window_us)
            return None if within_us is None else within_us / self.result.requests
        spent_us = self.samples.server_run_us
        return None if spent_us is None else spent_us / self.served

    @property
    def client_cpu_us_per_request(self) -> float | None:
        """Return the generator's CPU time per request that it counted."""
        spent_us = self.result.client_cpu_us
        return None if spent_us is None else spent_us / self.result.requests

    @property
    def server_switches_per_request(self) -> Switches | None:
        """Return the server's context switches for each request that it answered."""
        found = self.samples.server_switches
        return Switches(found[0] / self.served, found[1] / self.served) if found else None

    @property
    def client_switches_per_request(self) -> Switches | None:
        """Return the generator's context switches for each request, from the time between its samples."""
        found = self.samples.client_switches_per_us
        per_us = self.result.requests_per_s / 1e6
        return Switches(found[0] / per_us, found[1] / per_us) if found and per_us else None

    @property
    def machine_cpu_us_per_request(self) -> float | None:
        """Return the machine's CPU time per request; None if that would include the generator's own start."""
        spent_us = self.samples.machine_busy_us
        return None if spent_us is None or self.result.uncounted else spent_us / self.served

    @property
    def bytes_per_request(self) -> float | None:
        """Return the bytes read per request, including headers."""
        return None if self.result.bytes_read is None else self.result.bytes_read / self.result.requests

    def share(self, us_per_request: float | None, threads: int, cpus: tuple[int, ...]) -> float | None:
        """Return the share of its CPU time that a side used with `threads` threads on `cpus`; None if unknown."""
        if us_per_request is None:
            return None
        return us_per_request * self.result.requests / (self.result.duration_us * min(threads, len(cpus)))


@dataclass
class Side:
    """A server with its load generator, and everything learnt about them; a trial has one side, a duet two."""

    cell: Cell
    layout: Layout
    network: Network
    logs: Logs
    job: LoadJob
    programs: Programs
    commands: list[Command] = field(default_factory=list)
    client: subprocess.Popen[bytes] | None = None
    started: Started | None = None
    afterwards: Probed | str | None = None
    idle_rss_bytes: int | None = None
    refusal: TrialInvalid | None = None
    checked: Checked | None = None
    warmed_s: float | None = None
    steady: bool | None = None
    warmup_drift: float | None = None
    samples: Samples | None = None
    measured: Measured | None = None
    stopped: Stopped | None = None
    process: ServerProcess | None = None

    @property
    def load(self) -> Load:
        """Return its load generator."""
        return LOADS[self.cell.load.kind]

    @property
    def server(self) -> ServerProcess:
        """Return the server's process; raise RuntimeError before it is started."""
        if self.process is None:
            raise RuntimeError("the server has not been started")
        return self.process

    def start(self) -> None:
        """Start the server in its network, wait until it answers, and prepare to watch it.

        A historic server is measured whatever it answers, since that is what it is shown for; its trials never count.
        """
        self.network.enter()
        self.process = server_process(self.cell, self.layout, self.programs, self.logs, self.job.port, self.job.host)
        self.commands.append(self.process.command)
        try:
            self.started = self.process.wait_until_ready()
            self.idle_rss_bytes = kernel.tree_rss_bytes(kernel.tree(self.process.pid))
        except TrialInvalid as refusal:
            if self.cell.program.class_ != "historic":
                raise
            self.refusal = refusal
        lasting = self.cell.mode == "persistent"  # else far too many have ended
        self.watch = Watch(self.process.pid, self._clients if lasting else None)

    def _clients(self) -> Segments:
        """Return the connections of clients with the server."""
        self.network.enter()
        return connections(self.server.pid, self.job.port)

    def ask_again(self) -> None:
        """Probe the server once more after the load."""
        self.network.enter()
        self.afterwards = self.server.ask_again()

    def stop(self) -> None:
        """Stop the server, if it was started, and record how it ended."""
        if self.process is not None:
            self.stopped = self.process.stop()

    def start_client(self, phase: Phase) -> None:
        """Start one command of the generator, in the server's network."""
        self.commands.append(self.logs.command(phase.purpose, phase.argv, self.layout.client))
        self.network.enter()
        with self.logs.create(phase.purpose) as output:
            try:
                self.client = start(
                    phase.argv, output=output, cpus=self.layout.client, env=self.programs.env, cwd=phase.cwd
                )
            except OSError as error:
                raise TrialFailed(f"cannot start {phase.argv[0]}: {error.strerror}", self.cell) from error
        self.watch.client = self.client.pid if self.layout.client else None  # a fleet's clients are on other hosts

    @property
    def is_warm(self) -> bool:
        """Return whether the server's cost per request was steady when last looked at; true if nothing tells it."""
        points = self.watch.samples
        if not points or points[-1].server is None or points[-1].segments is None:
            return True
        return is_steady(costs_in(points))

    def interrupt_client(self, phase: Phase) -> None:
        """Ask the generator to end, if it still runs; after a warm-up, terminate it, since its output is not needed."""
        if self.client is not None and self.client.poll() is None:
            if phase.purpose == "warm-up":
                self.client.send_signal(signal.SIGTERM)
                return
            if phase.catches_interrupts:
                self._wait_until_it_catches()
            self.client.send_signal(signal.SIGINT)

    def _wait_until_it_catches(self) -> None:
        """Wait until the generator catches interrupts: on an overloaded machine it may not have come that far."""
        deadline = time.monotonic() + INTERRUPT_PATIENCE_S
        while self.client and self.client.poll() is None and time.monotonic() < deadline:
            if kernel.catches(self.client.pid, signal.SIGINT) is not False:
                return
            time.sleep(LOOK_AGAIN_S)

    def stop_client(self) -> None:
        """Stop the generator if it still runs, even if it ignores interrupts."""
        if self.client is not None:
            wait(self.client, INTERRUPT_PATIENCE_S)
            stop(self.client)

    def ended(self, patience_s: float) -> bool:
        """Wait up to `patience_s` seconds for the generator to end; return whether it has."""
        return self.client is None or wait(self.client, patience_s)

    def check_server(self, phase: Phase, began: float) -> None:
        """Raise TrialFailed if the server has ended."""
        self.server.check_alive(f"{time.monotonic() - began:.1f} s into the {phase.purpose}")

    def check_client(self, phase: Phase) -> None:
        """Raise TrialFailed if the generator failed; one that was stopped early may end in any way."""
        code = self.client.poll() if self.client else None
        if code and phase.stop_after_s is None:
            words = complaint_of(self.logs.file(phase.purpose))
            raise TrialFailed(f"{phase.argv[0]} ended with {describe_exit(code)}: {words}", self.cell)

    def result(self, phase: Phase) -> LoadResult:
        """Return what the generator counted; raise TrialInvalid or TrialFailed if that is nothing usable."""
        output = self.logs.read(phase.purpose).decode("utf-8", errors="replace")
        try:
            result = self.load.parse(output, self.job)
        except LoadInvalid as error:
            check = Check(error.check, error.name, "fail", str(error), error.limit)
            raise TrialInvalid(f"{check.id} {check.name}: {error}", self.cell, check) from error
        except LoadFailed as error:
            raise TrialFailed(f"{error}: {printable(output[-300:].strip())}", self.cell) from error
        if result.requests == 0:
            raise TrialFailed(f"the server answered no request in the measured time{self._starved()}", self.cell)
        return result

    def _starved(self) -> str:
        """Return how long the server waited for a CPU, if that was longer than it ran; empty if it was not."""
        samples = self.samples
        if samples is None or samples.server_run_us is None or samples.server_wait_us is None:
            return ""
        ran_s, waited_s = samples.server_run_us / 1e6, samples.server_wait_us / 1e6
        return f": it waited {waited_s:.2f} s for a CPU, and ran for {ran_s:.2f} s" if waited_s > ran_s else ""


def load_sides(sides: Sequence[Side], tick: Tick) -> None:
    """Warm up, then measure, all sides at the same time; raise TrialFailed if any of them breaks."""
    *warmups, measured = zip(*(side.load.phases(side.job) for side in sides), strict=True)
    for phases in warmups:
        measured = _warm_up(sides, phases, tick) or measured
    for side in sides:
        side.watch.begin()
    _run(sides, measured, tick)
    samples = [side.watch.end() for side in sides]
    for side, seen in zip(sides, samples, strict=True):
        side.samples = seen
    for side, phase, seen in zip(sides, measured, samples, strict=True):
        side.measured = Measured(side.result(phase), seen)


def _warm_up(sides: Sequence[Side], phases: Sequence[Phase], tick: Tick) -> tuple[Phase, ...] | None:
    """Warm all sides up; where that ends once all are steady, return the measured phases, as long as it was worth."""
    if not all(warms_until_steady(side.cell) for side in sides):
        _run(sides, phases, tick)
        return None
    began = time.monotonic()
    for _ in range(ROUNDS):
        _until_steady(sides, phases, tick, MOST_S / ROUNDS)
    warmed_s = time.monotonic() - began
    for side in sides:
        side.warmed_s, side.steady = warmed_s, side.is_warm
        longer_s = min(MOST_MEASURED_S, MEASURED_SHARE * warmed_s)
        side.job = replace(side.job, duration_s=max(side.job.duration_s, longer_s))
    return tuple(side.load.phases(side.job)[-1] for side in sides)


def _until_steady(sides: Sequence[Side], phases: Sequence[Phase], tick: Tick, most_s: float) -> None:
    """Load all sides over new connections until all are steady, but no longer than `most_s`."""
    for side in sides:
        side.watch.samples.clear()
    ending = [replace(phase, stop_after_s=most_s) for phase in phases]
    _run(sides, ending, tick, lambda: all(side.is_warm for side in sides))
    for side in sides:
        seen = drift(costs_in(side.watch.samples))
        known = [each for each in (side.warmup_drift, seen) if each is not None]
        side.warmup_drift = min(known, default=None)


def _run(sides: Sequence[Side], phases: Sequence[Phase], tick: Tick, enough: Callable[[], bool] | None = None) -> None:
    """Run one phase to its end on all sides, or until it is enough; no generator outlives it."""
    began = time.monotonic()
    try:
        for side, phase in zip(sides, phases, strict=True):
            side.start_client(phase)
        _watch(sides, phases, began, tick, enough)
    finally:
        for side, phase in zip(
            sides, phases, strict=True
        ):  # first interrupt all, so that none goes on alone while another ends
            side.interrupt_client(phase)
        for side in sides:
            side.stop_client()
    for side, phase in zip(sides, phases, strict=True):
        side.check_server(phase, began)
        side.check_client(phase)


def _watch(
    sides: Sequence[Side], phases: Sequence[Phase], began: float, tick: Tick, enough: Callable[[], bool] | None
) -> None:
    """Sample all sides ten times a second until every generator has ended, or has to be stopped.

    The last sample is taken just before that, since the cost within the measured time is judged by the samples.
    """
    early_s, limit_s = phases[0].stop_after_s, phases[0].limit_s
    ends = began + (limit_s if early_s is None else early_s)
    following = time.monotonic() + SAMPLE_S
    running = list(sides)
    while running and time.monotonic() < ends:
        patience_s = max(0.0, min(following, ends) - time.monotonic())
        running = [side for side in running if not side.ended(patience_s / len(running))]
        if time.monotonic() < following:
            continue
        following += SAMPLE_S
        for side, phase in zip(sides, phases, strict=True):
            side.check_server(phase, began)
            side.watch.sample()
        tick()
        if enough is not None and enough():
            return
    if running and early_s is None:
        raise TrialFailed(f"{phases[0].argv[0]} did not end within {limit_s:g} s", running[0].cell)
    if running:
        for side in sides:
            side.watch.sample()
