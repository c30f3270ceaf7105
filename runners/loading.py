"""Runs a load generator against a server and watches both: CPU, memory, connections, and who dies first."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from runners import counters
from runners.loads import Load, LoadFailed, LoadJob, LoadResult, Phase
from runners.processes import describe_exit, start, stop
from runners.records import Command
from runners.subject import Subject, TrialFailed, tail_of

SAMPLE_S = 0.1

Tick = Callable[[], None]


@dataclass(frozen=True)
class Measured:
    """What a measured phase gave: the generator's result and the kernel's counters around it."""

    result: LoadResult
    before: counters.Counters
    after: counters.Counters
    rss_bytes: int | None

    def spent(self, name: str) -> float | None:
        """Return by how much a counter grew; None where it could not be read."""
        before, after = getattr(self.before, name), getattr(self.after, name)
        return None if before is None or after is None else after - before

    @property
    def served(self) -> int:
        """Return how many requests the server answered between the two readings of the counters."""
        return self.result.requests + self.result.uncounted

    def per_request(self, total: float | None) -> float | None:
        """Return what the generator counted, shared out over the requests that it counted."""
        return None if total is None else total / self.result.requests

    def server_cpu_us_per_request(self) -> float | None:
        """Return the server's CPU time for each request it answered."""
        spent_us = self.spent("server_cpu_us")
        return None if spent_us is None else spent_us / self.served

    def machine_cpu_us_per_request(self) -> float | None:
        """Return the machine's; None where the generator's own start would count as well."""
        spent_us = self.spent("machine_busy_us")
        return None if spent_us is None or self.result.uncounted else spent_us / self.served

    def share(self, us_per_request: float | None, threads: int, cpus: tuple[int, ...]) -> float | None:
        """Return which part of its CPU time a side used, with so many threads on so many CPUs."""
        if us_per_request is None:
            return None
        return us_per_request * self.result.requests / (self.result.duration_us * min(threads, len(cpus)))


class Loading:
    """One load generator's work on one server."""

    def __init__(self, load: Load, job: LoadJob, subject: Subject, env: Mapping[str, str], tick: Tick) -> None:
        self.load, self.job, self.subject, self.env, self.tick = load, job, subject, env, tick
        self.commands: list[Command] = []

    def measure(self) -> Measured:
        """Warm up, then measure; TrialFailed where either breaks."""
        *warmups, measured = self.load.phases(self.job)
        for phase in warmups:
            self._run(phase)
        before = counters.read_counters(self.subject.pid)
        rss_bytes = self._run(measured)
        after = counters.read_counters(self.subject.pid)
        return Measured(self._result(measured), before, after, rss_bytes)

    def _result(self, phase: Phase) -> LoadResult:
        output = self.subject.logs.file(phase.purpose).read_text(encoding="utf-8", errors="replace")
        try:
            result = self.load.parse(output, self.job)
        except LoadFailed as error:
            raise TrialFailed(f"{error}: {output[-300:].strip()}") from error
        if result.requests == 0:
            raise TrialFailed("the server answered no request within the measured time")
        return result

    def _run(self, phase: Phase) -> int | None:
        """Run one command of the generator to its end; return the server's largest resident memory in bytes."""
        logs, cpus = self.subject.logs, self.subject.layout.client
        self.commands.append(logs.command(phase.purpose, phase.argv, cpus))
        with logs.file(phase.purpose).open("wb") as output:
            try:
                client = start(phase.argv, output=output, cpus=cpus, env=self.env)
            except OSError as error:
                raise TrialFailed(f"cannot start {phase.argv[0]}: {error.strerror}") from error
        try:
            return self._watch(phase, client)
        finally:
            stop(client)

    def _watch(self, phase: Phase, client: subprocess.Popen[bytes]) -> int | None:
        """Look at both sides ten times a second until the client ends, or has to be ended."""
        began = time.monotonic()
        ends = began + (phase.stop_after_s if phase.stop_after_s is not None else phase.limit_s)
        sizes: list[int] = []
        while not _ended(client, min(SAMPLE_S, max(0.0, ends - time.monotonic()))):
            self._check_subject(phase, began)
            if time.monotonic() >= ends:
                break
            sizes += filter(None, [counters.tree_rss_bytes(self.subject.pid)])
            self.tick()
        self._check_subject(phase, began)
        self._check_client(phase, client)
        return max(sizes, default=None)

    def _check_subject(self, phase: Phase, began: float) -> None:
        self.subject.check_alive(f"{time.monotonic() - began:.1f} s into the {phase.purpose}")

    def _check_client(self, phase: Phase, client: subprocess.Popen[bytes]) -> None:
        """Raise TrialFailed where the client ended badly, or did not end although nobody stops it early."""
        code = client.poll()
        if code is None and phase.stop_after_s is None:
            raise TrialFailed(f"{phase.argv[0]} did not end within {phase.limit_s:g} s")
        if code:
            words = tail_of(self.subject.logs.file(phase.purpose))
            raise TrialFailed(f"{phase.argv[0]} ended with {describe_exit(code)}: {words}")


def _ended(process: subprocess.Popen[bytes], patience_s: float) -> bool:
    try:
        process.wait(patience_s)
    except subprocess.TimeoutExpired:
        return False
    return True
