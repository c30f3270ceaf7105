"""The record of a trial: one line of the run folder's `trials.jsonl`.

It is plain JSON with a schema version; a value that is not known is `null`, never 0 or -1. The lines of a published run
have few fields. `runners.records.folder` reads and writes them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

TRIAL_SCHEMA = "speedup.trial/2"  # 1 had no checksum

Verdict = Literal["ok", "invalid", "failed", "unavailable", "not run"]
Bound = Literal["server", "client", "shared", "neither"]
Closing = Literal["announced", "unannounced", "as its end"]
Outcome = Literal["pass", "warn", "fail", "unknown"]
Design = Literal["solo", "duet", "paced", "search", "confirm", "checked"]
PACED_DESIGNS = frozenset({"paced", "search", "confirm"})  # trials at an offered rate


@dataclass(frozen=True)
class Check:
    """One validity check of one trial: what it saw, against which limit, and what to do about it."""

    id: str
    name: str
    outcome: Outcome
    saw: str
    limit: str = ""
    advice: str = ""


@dataclass(frozen=True)
class Errors:
    """Errors counted by the load generator."""

    connect: int = 0
    read: int = 0
    write: int = 0
    status: int = 0
    timeout: int = 0

    @property
    def total(self) -> int:
        """Return the number of errors of all kinds."""
        return self.connect + self.read + self.write + self.status + self.timeout


@dataclass(frozen=True)
class Command:
    """A command as it was run: its purpose, its arguments, its output's file in the run folder, and its CPUs."""

    purpose: Literal["build", "server", "warm-up", "load"]
    argv: tuple[str, ...]
    log: str | None = None
    cpus: str | None = None


@dataclass(frozen=True)
class Series:
    """What was sampled ten times a second during the measured time: one entry per sample, null if unknown."""

    at_us: tuple[int, ...] = ()
    segments: tuple[int | None, ...] = ()
    established: tuple[int | None, ...] = ()
    time_wait: tuple[int | None, ...] = ()
    rss_bytes: tuple[int | None, ...] = ()
    server_run_us: tuple[float | None, ...] = ()
    client_run_us: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class ClientHost:
    """One client host of a fleet in one trial.

    Its generator counted `requests` within `duration_us`; `window_requests` of them fell into the time in which all
    clients were certain to generate load. `started_us` counts from the first client's start, by the master's clock.
    `clock_offset_us` says how far its clock was ahead of the master's, to within `clock_uncertainty_us`, and
    `clock_drift_us` how much that grew during the trial. Shares are of the measured time; `segments_sent` and
    `segments_lost` are those of the whole host.
    """

    name: str
    connections: int
    threads: int
    cpus: int
    requests: int
    duration_us: int
    window_requests: int | None
    started_us: int
    errors: int
    segments_sent: int | None
    segments_lost: int | None
    cpu_us: float | None
    thread_share: float | None
    wait_share: float | None
    host_share: float | None
    clock_offset_us: int
    clock_uncertainty_us: int
    clock_drift_us: int


@dataclass(frozen=True)
class Switches:
    """Context switches for each request: the threads went to sleep, or others took their CPU."""

    voluntary: float
    involuntary: float


@dataclass(frozen=True)
class Part:
    """One request of a mix in one trial: how often it was answered, and its latencies, encoded like the trial's."""

    name: str
    requests: int
    latency: str | None = None


@dataclass(frozen=True)
class Checked:
    """Answers that were read whole during the load, and how many of them were wrong, the first one `how`."""

    answers: int
    wrong: int
    how: str = ""


@dataclass(frozen=True)
class Evidence:
    """All data that the validity checks look at; null if the kernel or the generator does not provide it.

    `requests` were counted; `served` includes those that the same command sent outside the measured time. Shares are of
    the CPU time that a side may use, or of the measured time. `tcp` is the growth of the kernel's counters under their
    own names, in the server's own network unless `network` is host; a fleet's server has the host's network to itself.
    `late_requests` of a paced load were sent more than a tick after their time, the latest by `late_max_us`. `bunching`
    is 0 for even sending, 1 for independent arrivals, and the number of connections if all send at once. `locustfile`
    names the file whose users generated the load, if it was not ours: they request what they like, and may wait.
    `probed_bytes` are the sizes of the shortest and the longest answer outside the load; `closing` says how the server
    ends a connection that it does not keep; `lasting_share` of the connections were open from early on until late, and
    `hop_share` of the segments with data went over these; the others, over the server's own.
    `expected_error_share` of the right answers have a status of 400 or more; `mixed` says that several requests were
    sent in turn. `checked` is what a checker on connections of its own found.
    """

    mode: str
    load: str
    network: str
    duet: bool
    connections: int
    server_threads: int
    asked_us: int
    duration_us: int
    watched_us: int
    requests: int
    served: int
    errors: Errors
    shared_cpus: bool
    histogram_sum: int | None = None
    least_count: int | None = None
    mean_latency_us: float | None = None
    bytes_per_request: float | None = None
    probed_bytes: tuple[int, int] | None = None
    closing: Closing | None = None
    expected_error_share: float = 0.0
    mixed: bool = False
    checked: Checked | None = None
    lasting_share: float | None = None
    hop_share: float | None = None
    tcp: dict[str, int] = field(default_factory=dict)
    established_mid: int | None = None
    time_wait_max: int | None = None
    ports: int | None = None
    port_reuse_s: float | None = None
    server_share: float | None = None
    client_share: float | None = None
    client_wait_share: float | None = None
    client_thread_share: float | None = None
    ceiling_per_s: float | None = None
    steal_share: float | None = None
    foreign_share: float | None = None
    sampler_share: float | None = None
    pressure_share: dict[str, float] = field(default_factory=dict)
    throttled_us: int | None = None
    thermal_throttles: int | None = None
    swapped_pages: int | None = None
    frequency_drift: float | None = None
    clock_step_us: int | None = None
    processes_before: int | None = None
    processes_after: int | None = None
    threads_after: int | None = None
    strayed_cpus: tuple[int, ...] | None = None
    rss_growth_bytes: int | None = None
    rss_growth_share: float | None = None
    answers_afterwards: str | None = None
    server_exit: str = ""
    server_exit_clean: bool = True
    clients: tuple[ClientHost, ...] = ()
    window_us: tuple[int, int] | None = None
    window_per_s: float | None = None
    offered_per_s: float | None = None
    late_requests: int | None = None
    late_max_us: int | None = None
    bunching: float | None = None
    locustfile: str | None = None
    series: Series = field(default_factory=Series)

    @property
    def shares_network(self) -> bool:
        """Return whether the kernel's counters include others' traffic; a fleet's server has the network to itself."""
        return self.network == "host" and not self.clients


@dataclass(frozen=True)
class Trial:
    """One measurement of one cell on a fresh server process; a line of `trials.jsonl`.

    Attributes ending in `_us`, `_s` or `_bytes` carry their unit. `latency` is the exact histogram, encoded by
    `runners.stats.histogram`; if others published only figures, `latency_us` holds them by name: min, mean, p50, p99.9,
    max. `checks` are all validity checks of `evidence`, in the order of their ids. The two trials of a duet share
    `pair` (the ids of both cells, sorted), `block` and `attempt`; `role` says which of them was started first. A higher
    `attempt` repeats a block in which a trial failed or was invalid. `cost_log_ratio` is ln(server CPU time per request
    / the partner's).

    A trial of design paced, search or confirm was offered `offered_per_s` requests per second, `fraction` of the
    cell's `capacity_per_s`. The last two designs ask whether that rate meets the `objective`; `objective_met` is the
    answer: whether the offered rate was reached without errors and the percentile stayed within its limit. `block`
    numbers the steps of a search.

    `start_us` is the time from the server's start to its first right answer, `idle_rss_bytes` its memory then.
    `parts` are the requests of a mix, where the load generator can tell them apart.

    `warmed_us` is the length of an automatic warm-up; `steady` says whether the cost was, at its end, and
    `warmup_drift` how it changed meanwhile. `cost_drift` is that of the measured time: ln(server CPU time per request
    in its later half / in its earlier half).

    Of others' trials, whose cells are in no plan, `request` names what was requested, and `pipeline_depth` is how many
    requests each connection had under way at once.
    """

    cell: str
    server: str
    variant: str | None
    threads: int | None
    connections: int | None
    mode: str
    machine: str
    verdict: Verdict
    load: str | None = None
    design: Design | None = None
    family: str | None = None
    block: int | None = None
    position: int | None = None
    reason: str | None = None
    bound: Bound | None = None
    requests: int | None = None
    duration_us: int | None = None
    requests_per_s: float | None = None
    bytes_read: int | None = None
    connections_opened: int | None = None
    errors: Errors | None = None
    server_cpu_us_per_request: float | None = None
    client_cpu_us_per_request: float | None = None
    machine_cpu_us_per_request: float | None = None
    server_switches_per_request: Switches | None = None
    client_switches_per_request: Switches | None = None
    server_cpu_share: float | None = None
    client_cpu_share: float | None = None
    rss_bytes: int | None = None
    idle_rss_bytes: int | None = None
    start_us: int | None = None
    latency: str | None = None
    latency_us: dict[str, float] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()
    checks: tuple[Check, ...] = ()
    commands: tuple[Command, ...] = ()
    server_exit: str | None = None
    started_at: str | None = None
    network: Literal["namespace", "host"] | None = None
    attempt: int = 0
    pair: tuple[str, str] | None = None
    role: Literal["first", "second"] | None = None
    cost_log_ratio: float | None = None
    warmed_us: int | None = None
    steady: bool | None = None
    warmup_drift: float | None = None
    cost_drift: float | None = None
    offered_per_s: float | None = None
    capacity_per_s: float | None = None
    fraction: float | None = None
    objective: str | None = None
    objective_met: bool | None = None
    request: str | None = None
    pipeline_depth: int | None = None
    evidence: Evidence | None = None
    schema: str = TRIAL_SCHEMA

    @property
    def slug(self) -> str:
        """Return the cell's readable name."""
        return slug_of(self.cell)

    @property
    def partner(self) -> str | None:
        """Return the other cell of a duet; None for a solo trial."""
        return next((cell for cell in self.pair or () if cell != self.cell), None)


def slug_of(cell_id: str) -> str:
    """Return the readable part of a cell's id."""
    return cell_id.partition("#")[0]
