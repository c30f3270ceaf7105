"""The interface of a load generator: command lines for a job, and a result parsed from their output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from runners.loads.pacing import Pacing
from runners.matrix.cells import Locustfile
from runners.matrix.model import Mode
from runners.matrix.requests.mix import Asked, Mix
from runners.records.trial import ClientHost, Errors


class LoadFailed(Exception):
    """The generator's output has no result; the message says why."""


class LoadInvalid(LoadFailed):
    """The generator's work does not count: the check that fails, its name, what it saw and its limit."""

    def __init__(self, check: str, name: str, saw: str, limit: str) -> None:
        super().__init__(saw)
        self.check, self.name, self.limit = check, name, limit


@dataclass(frozen=True)
class LoadJob:
    """What to send where: a closed loop over `connections`, for `warmup_s` uncounted and `duration_s` counted.

    With `rate_per_s`, a generator that can do so sends that many requests per second in total instead of a closed loop.
    A generator that logs every request writes the file `request_log`, and removes it once it is read. With `start_us`,
    a time of the monotonic clock, a generator that is slow to start waits for that moment. `fleet` is the socket of a
    master whose clients do all this. With Locust, the users of `locustfile` request what they like. `headers` are pairs
    of name and value besides those of the mode, `body` is the file with the request's body. `mix` is the file with
    several requests to send in turn, as the generator reads it; `path` and the others are then those of the first.
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
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: Path | None = None
    mix: Path | None = None

    @property
    def header_options(self) -> tuple[str, ...]:
        """Return the headers as wrk and h2load take them; `Connection: close` needs its space, or wrk drops it."""
        close = (("Connection", "close"),) if self.mode == "non-persistent" else ()
        return tuple(word for name, value in (*self.headers, *close) for word in ("-H", f"{name}: {value}"))


@dataclass(frozen=True)
class Phase:
    """One command line of a job, run in the folder `cwd`.

    `stop_after_s` stops it early with SIGINT; `limit_s` is how long it may take. What `catches_interrupts` would die
    of one that comes before it has begun to.
    """

    purpose: Literal["warm-up", "load"]
    argv: tuple[str, ...]
    limit_s: float
    stop_after_s: float | None = None
    cwd: Path | None = None
    catches_interrupts: bool = False


@dataclass(frozen=True)
class LoadResult:
    """What a generator counted in the measured time.

    `latency` maps microseconds to requests; None if it was not recorded. If `counted_twice`, `requests` were counted
    separately from it, so that the two can disagree. `uncounted` are requests that the same command sent outside the
    measured time. `pacing` says how well a paced load was paced. `window_us` is the measured time by this machine's
    monotonic clock, None if that is the whole time that the command took. For a fleet, whose hosts are `clients`, it
    is the middle of the time in which all of them generated load, and `window_per_s` is their rate in it. `parts` are
    the latencies of each request of a mix by name, where the generator can tell them apart.
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
    parts: Mapping[str, dict[int, int]] = field(default_factory=dict)

    @property
    def requests_per_s(self) -> float:
        """Return the rate over a fleet's common window, or else over the measured time."""
        return self.window_per_s if self.window_per_s is not None else self.requests / self.duration_us * 1e6


class Load(Protocol):
    """A load generator."""

    @property
    def kind(self) -> str:
        """Return its name in the matrix, the records and the report."""

    @property
    def tool(self) -> str:
        """Return the name of the tool (see tools.toml) that it runs."""

    @property
    def warms_apart(self) -> bool:
        """Return whether its warm-up is a command of its own, on this machine, that can be ended at any time."""

    def threads(self, connections: int, cpus: int, wanted: int | None) -> int:
        """Return the number of threads or processes with which it loads a server from `cpus` CPUs."""

    def refusal(self, asked: Asked) -> str | None:
        """Return why it cannot send a request or a mix, in words that follow its name; None if it can."""

    def mix_file(self, mix: Mix, job: LoadJob) -> bytes:
        """Return the content of the file from which it reads a mix."""

    def phases(self, job: LoadJob) -> tuple[Phase, ...]:
        """Return the command lines of a job; the last one is measured."""

    def parse(self, output: str, job: LoadJob) -> LoadResult:
        """Return the result in the measured phase's output; raise LoadFailed if there is none."""
