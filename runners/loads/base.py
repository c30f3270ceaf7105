"""What a load generator is to the rest: command lines for a job, and a result read from their output."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from runners.loads.pacing import Pacing
from runners.matrix.cells import Locustfile
from runners.matrix.model import Mode
from runners.records.trial import ClientHost, Errors


class LoadFailed(Exception):
    """The generator's output holds no result; the text says why."""


class LoadInvalid(LoadFailed):
    """What the generator did is not worth counting: a check, its name, what it saw and what it demands."""

    def __init__(self, check: str, name: str, saw: str, limit: str) -> None:
        super().__init__(saw)
        self.check, self.name, self.limit = check, name, limit


@dataclass(frozen=True)
class LoadJob:
    """What to send where: a closed loop over `connections`, for `warmup_s` uncounted and `duration_s` counted.

    With `rate_per_s` so many requests per second in all, in place of the closed loop, from a generator that can. One
    that logs every request does so in the file `request_log`, and removes it once it is read. With `start_us`, a moment
    of the monotonic clock, a generator that starts slowly waits for it. `fleet` is the socket of the master whose
    clients do all that, where there is one. The users of `locustfile` ask what they want, if the generator is Locust.
    """

    host: str
    port: int
    path: str
    mode: Mode
    connections: int
    threads: int
    warmup_s: float
    duration_s: float
    rate_per_s: float | None = None
    request_log: Path | None = None
    fleet: Path | None = None
    start_us: int | None = None
    locustfile: Locustfile | None = None


@dataclass(frozen=True)
class Phase:
    """One command line of a job, run in folder `cwd`.

    `stop_after_s` ends it early by INT, `limit_s` is how long it may take.
    """

    purpose: Literal["warm-up", "load"]
    argv: tuple[str, ...]
    limit_s: float
    stop_after_s: float | None = None
    cwd: Path | None = None


@dataclass(frozen=True)
class LoadResult:
    """What a generator counted in the measured time.

    `latency` maps microseconds to requests; None if it was not recorded. If `counted_twice`, `requests` were counted
    separately from it, so that the two can disagree. `uncounted` are requests that the same command sent outside the
    measured time. `pacing` says how well a paced load was paced. `window_us` is the measured time by this machine's
    monotonic clock, None if that is all the time that the command took. For a fleet, whose hosts are `clients`, it is
    the middle of the time in which all of them loaded, and `window_per_s` is their rate in it.
    """

    requests: int
    duration_us: int
    bytes_read: int | None
    errors: Errors
    latency: dict[int, int] | None
    client_cpu_us: float | None
    uncounted: int = 0
    counted_twice: bool = False
    pacing: Pacing | None = None
    clients: tuple[ClientHost, ...] = ()
    window_us: tuple[int, int] | None = None
    window_per_s: float | None = None

    @property
    def requests_per_s(self) -> float:
        """Return the rate: over the common window of a fleet, else over the measured time."""
        return self.window_per_s if self.window_per_s is not None else self.requests / self.duration_us * 1e6


class Load(Protocol):
    """A load generator."""

    @property
    def kind(self) -> str:
        """Its name in the matrix, the records and the report."""

    @property
    def tool(self) -> str:
        """The tool (see tools.toml) that it runs."""

    def threads(self, connections: int, cpus: int, wanted: int | None) -> int:
        """Return with how many threads or processes it loads a server from `cpus` CPUs."""

    def phases(self, job: LoadJob) -> tuple[Phase, ...]:
        """Return the command lines of a job; the last one is measured."""

    def parse(self, output: str, job: LoadJob) -> LoadResult:
        """Return the result in the measured phase's output; LoadFailed where there is none."""
