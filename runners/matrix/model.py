"""The structure of matrix.toml: what to measure, as frozen pydantic models.

`runners.matrix.reading` turns a file into a `Matrix`, and `runners.matrix.cells` turns a `Matrix` into cells. The JSON
Schema that editors use is generated from these models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from runners.matrix.inheritance import resolved
from runners.matrix.quantities import (
    Amount,
    Count,
    Counts,
    CpuList,
    Duration,
    Fraction,
    Name,
    Number,
    OwnWarmUp,
    RequestPath,
    Share,
    Size,
    Slo,
    SshHost,
    Version,
    WarmUp,
    Window,
    Words,
)
from runners.matrix.requests.mix import Asked, Mix
from runners.matrix.requests.mix_section import MixSection
from runners.matrix.requests.request import Expect, Request
from runners.matrix.requests.request_section import ReadFile, RequestSection
from runners.matrix.section import Section

Mode = Literal["persistent", "non-persistent"]
MODES: tuple[Mode, ...] = ("persistent", "non-persistent")
TableMode = Literal["persistent", "non-persistent", "latency"]
Design = Literal["solo", "duet"]
ServerClass = Literal["application", "realistic", "stripped", "historic"]
Purpose = Literal["server", "load", "tests"]

FRACTIONS = (0.5, 0.7, 0.9)
NOT_STARTABLE = 'set "run" (the start command) or "unavailable" (why there is none)'


class Suite(Section):
    """What the whole file measures."""

    title: str = Field(description="The report's title.")
    introduction: str = Field("", description="The report's opening paragraph, as plain text.")
    preset: Name = Field("quick", description="The preset to use without --preset.")
    modes: tuple[Mode, ...] = Field(MODES, min_length=1, description="Connection modes to measure.")
    groups: tuple[Name, ...] = Field(
        (), description="Groups of servers to measure without --only, --group and --duet; default: all."
    )
    body: str = Field("Hello World", description="The exact body that every server must answer, without [request].")
    path: RequestPath = Field("/", description="The path to request, without [request].")
    requests: tuple[Name, ...] = Field(
        (),
        description="The requests and mixes to measure, each in cells of its own; default: all of [mix.NAME] or, if"
        " there are none, all of [request.NAME].",
    )
    locustfile: str | None = Field(
        None,
        pattern=r"^[^,]+\.py$",
        description="File with your own users for --load locust, relative to this file; by default each user requests"
        " `path` in a loop.",
    )
    published: Words = Field((), description="Run folders with published numbers, relative to this file.")


class Blocks(Section):
    """How many times every cell of a family is measured."""

    min: Count = Field(6, description="Blocks that are always measured; fewer than 6 give no interval.")
    max: Count = Field(6, description="Blocks after which measuring always stops.")
    precision: Share | None = Field(
        None, description="Stop between min and max once no ratio's interval has a larger half-width."
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.max < self.min:
            raise ValueError(f"'max' ({self.max}) is below 'min' ({self.min})")
        return self


class DuetPreset(Section):
    """How long and how often duets are measured. Short and often is best: the cost differs from start to start."""

    warmup: WarmUp = Field(
        description='Uncounted load before a duet\'s measured window; "auto": until the costs of both are steady.'
    )
    duration: Window = Field(description="Length of a duet's measured window, at least 200ms.")
    blocks: Blocks = Field(default_factory=Blocks, description="How often to repeat it.")


class EqualRate(Section):
    """How long and how often both sides of a duet are asked at one rate, which both can keep."""

    duration: Window = Field(description="Length of the measured window, at least 200ms.")
    blocks: Count = Field(description="How often to repeat it.")


class Preset(Section):
    """How long to measure: a trade-off between time and precision."""

    warmup: WarmUp = Field(
        description='Uncounted load before the measured window; "auto": until the server\'s cost per request is steady.'
    )
    duration: Window = Field(description="Length of the measured window, at least 200ms.")
    blocks: Blocks = Field(default_factory=Blocks, description="How often to repeat it.")
    duet: DuetPreset | None = Field(None, description="How long and how often to measure duets, if not the same.")
    equal_rate: EqualRate | None = Field(
        None,
        description="After the duets of persistent connections, ask both sides of each at one rate: their latencies can"
        " then be compared. `compare` does so; reports of runs show these trials among those at offered rates.",
    )
    checked: Window = Field(
        2.0,
        description="For how long answers are read and judged under load, in a trial apart, where their length cannot"
        " show wrong ones.",
    )
    limit: Duration | None = Field(
        None, description="Time after which no more blocks are begun than the least, starts and stops included."
    )
    blocks_beyond_cpus: Count | None = Field(
        None,
        description="Blocks of thread counts beyond the machine's CPUs, without duets; default: as many as of others.",
    )
    twin: bool = Field(
        default=True,
        description="Measure each family's baseline a second time, as its own A/A twin: how much they differ is noise.",
    )

    @property
    def duet_blocks(self) -> Blocks:
        """Return how many times every duet is measured."""
        return self.duet.blocks if self.duet else self.blocks


class Match(Section):
    """Which machine a profile is for. All globs that are given must match."""

    cpu: str | None = Field(None, description="Glob for the processor's model name.")
    hostname: str | None = Field(None, description="Glob for the hostname.")


class GeneratorSettings(Section):
    """Settings of the load generator on a machine, whichever generator is used."""

    threads: Count | None = Field(
        None,
        description="Threads of wrk or h2load; every connection count must be a multiple of it. A fleet uses at most as"
        " many on each client, Locust always one process. Default: one per CPU of the client.",
    )
    duration: Window | None = Field(None, description="Length of the measured window, instead of the preset's.")


class CpuLayout(Section):
    """Which CPUs the server and the load generator may use."""

    server: CpuList = Field(description='CPU list such as "0-3,8".')
    client: CpuList = Field(description='CPU list such as "4-7".')


class Machine(Section):
    """A profile of some hardware, with thread and connection counts that suit it."""

    title: str | None = Field(None, description="The machine's name in the report.")
    match: Match | None = Field(None, description="Which machines the profile is for; one without it is the fallback.")
    threads: Counts = Field(description="Server thread counts to measure.")
    connections: Counts = Field(description="Concurrent client connections to measure.")
    load: GeneratorSettings = Field(default_factory=GeneratorSettings)
    ceiling: Count | None = Field(None, description="Most requests per second that the load generator can send here.")
    cpus: CpuLayout | None = Field(
        None, description="Fixed CPU sets; by default separate ones, if there are enough cores."
    )

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        threads = self.load.threads
        for connections in self.connections if threads else ():
            if threads and connections < threads:
                raise ValueError(
                    f"{connections} connections are too few for {threads} threads of the load generator:"
                    " each thread needs at least one"
                )
            if threads and connections % threads:
                really = connections // threads * threads
                raise ValueError(
                    f"{connections} connections cannot be divided evenly among {threads} threads of the load generator:"
                    f" wrk would open only {really}"
                )
        return self


class ReadySection(Section):
    """When a server counts as started: once it gives its first right answer."""

    path: RequestPath | None = Field(
        None, description="Path that answers 200 once the server is ready; default: the first request."
    )
    timeout: Duration = Field(60.0, description="How long that may take.")


class Variant(Section):
    """Another way to build or start a server. What it does not set is the server's."""

    title: str | None = Field(None, description="The variant's name in the report.")
    like: str | None = Field(
        None, description='Another variant, such as "epoll.accept"; keys that are not set here are inherited from it.'
    )
    flags: Words = Field((), description="Replaces {flags} in the build command, after the flags of the server.")
    env: dict[str, str] = Field(default_factory=dict, description="Environment variables, added to the server's.")
    needs: Words = Field((), description="Tools that it needs, besides the server's.")
    threads: Counts | None = Field(None, description="Thread counts that it supports, if not the server's.")
    group: Name | None = Field(None, description="Its group, if not the server's.")
    unavailable: str | None = Field(None, description="Why it cannot be measured; shown in its rows.")


class Server(Section):
    """A program under test: how to build and start it.

    Commands are lists of arguments and never reach a shell. Placeholders: {dir} the server's folder, {out} the built
    program, {work} a scratch folder, {config} the rendered config file, {host}, {port}, {threads}, {flags} (an argument
    that is replaced by all flags), {server} the server's name, {source} its `source`.
    """

    title: str | None = Field(None, description="The server's name in the report.")
    like: str | None = Field(
        None,
        description="Another server; keys that are not set here are inherited from it, except title, variant and"
        " unavailable.",
    )
    language: str | None = Field(None, description="Programming language.")
    class_: ServerClass = Field(
        "realistic",
        alias="class",
        description='What the server claims to be. "application": held to nothing but right answers.',
    )
    group: Name = Field("document", description="Servers of a group are selected together, with --group.")
    needs: Words = Field((), description="Tools that it needs (see [tool]); without them its rows are unavailable.")
    at_least: dict[str, Version] = Field(
        default_factory=dict, description='Oldest versions of these tools that it supports: { go = "1.26" }.'
    )
    dir: str | None = Field(None, description="Folder of its sources, relative to this file; default: servers/NAME.")
    source: str | None = Field(None, description="File with the program; replaces {source} in commands.")
    flags: Words = Field((), description="Replaces {flags} in the build command, before those of a variant.")
    build: Words = Field((), description="Build command, run in {dir}; without it there is nothing to build.")
    run: Words = Field((), description="Start command, run in {dir}.")
    config: str | None = Field(
        None, description="Template of a config file, in {dir}; rendered to {config} for each trial."
    )
    env: dict[str, str] = Field(default_factory=dict, description="Environment variables for build and run.")
    threads: Counts | None = Field(None, description="Thread counts that it supports; default: all of the machine's.")
    isolate: bool = Field(
        default=True,
        description="false: another program starts its processes, as those of a container or of sudo. It runs in the"
        " host's network, and what listens on its port is watched.",
    )
    user: str | None = Field(None, description="The user as whom it runs, if the harness is root; default: the same.")
    read_only: bool = Field(
        default=False,
        description="true: it may write only below {work}, /tmp, /var/tmp, /run and /dev. Where namespaces are not"
        " permitted, it runs without, and the report says so.",
    )
    privileged: bool = Field(
        default=False,
        description="true: it keeps all capabilities of root. By default it loses those that servers don't need, such"
        " as CAP_SYS_ADMIN, and gets them back if it ends without them before it answers.",
    )
    ready: ReadySection = Field(default_factory=ReadySection, description="When it counts as started.")
    warmup: OwnWarmUp | None = Field(
        None,
        description='Its uncounted load, a time or "auto", instead of the preset\'s, as for a server that compiles'
        " while it runs; a duet has the longer one of both sides.",
    )
    port: Annotated[int, Field(ge=1, le=65535, strict=True)] | None = Field(
        None, description="The port that it listens on, if it can't be told which one; default: a free one each time."
    )
    variant: dict[Name, Variant] = Field(default_factory=dict, description="Other ways to build or start it, by name.")
    unavailable: str | None = Field(None, description="Why it cannot be measured; shown in its rows.")

    @model_validator(mode="after")
    def _startable(self) -> Self:
        if not self.run and self.unavailable is None and self.like is None:
            raise ValueError(NOT_STARTABLE)
        return self


def variants_of(servers: Mapping[str, Server]) -> dict[str, Variant]:
    """Return all variants by their full names, such as "epoll.accept"."""
    return {f"{name}.{key}": variant for name, server in servers.items() for key, variant in server.variant.items()}


def _with_inheritance(servers: dict[str, Server]) -> dict[str, Server]:
    """Return the servers and their variants with what they inherit through `like`."""
    variants = resolved(variants_of(servers))
    return {
        name: server.model_copy(update={"variant": {key: variants[f"{name}.{key}"] for key in server.variant}})
        for name, server in resolved(servers).items()
    }


class Client(Section):
    """A client host that OpenSSH can reach, for `--load fleet`. It needs http-speedup and wrk."""

    ssh: SshHost = Field(description='Its address: "host", "user@host" or a name from ~/.ssh/config.')
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] | None = Field(
        None, description="Its name in the report; default: the host in `ssh`."
    )
    speedup: Words = Field(("speedup",), min_length=1, description="Command that starts http-speedup there.")
    options: Words = Field((), description='Options for ssh, such as ["-p", "2222"].')
    locustfile: str | None = Field(
        None, description="Path of its copy of the suite's locustfile; default: the same path, in its home folder."
    )


class Rule(Section):
    """Leaves out the cells that match a glob."""

    cells: str | Words = Field(description='Globs for cells, such as "epoll*/t2/*/non-persistent".')
    reason: str = Field("", description="Why; shown in place of the cell's number.")


class Addition(Section):
    """Adds cells, whatever the machine's thread counts and the exclude rules."""

    variants: str | Words = Field(description='Globs for variants, such as "epoll" or "asynchttp.*".')
    threads: Counts
    connections: Counts | None = Field(None, description="Default: the machine's.")
    modes: tuple[Mode, ...] = Field(MODES, min_length=1)


class TableRow(Section):
    """A row of a table; without title and note, text such as "server.variant@threads" will do."""

    row: str = Field(description='"server", "server.variant" or "server.variant@threads".')
    title: str | None = Field(None, description="The row's name; default: the title of its server or variant.")
    note: str = Field("", description="Words behind the number, in brackets.")


class Heading(Section):
    """A line between rows that names the rows below it."""

    heading: str


def _entry_kind(value: object) -> str:
    """Return which kind of row an entry is meant to be, so that an error in it is reported once."""
    if isinstance(value, Heading) or (isinstance(value, dict) and "heading" in value):
        return "Heading"
    return "TableRow" if isinstance(value, TableRow | dict) else "str"


RowEntry = Annotated[
    Annotated[str, Tag("str")] | Annotated[TableRow, Tag("TableRow")] | Annotated[Heading, Tag("Heading")],
    Discriminator(_entry_kind),
]


class Table(Section):
    """A table of the report. Tables appear in the order of the file."""

    title: str
    id: Name | None = Field(None, description="Anchor in the report; default: derived from the title.")
    group: Name | None = Field(
        None, description="Its rows are measured with this group; it is shown only if the group is measured."
    )
    section: str | None = Field(None, description="Heading above the table, if it differs from the title.")
    text: str = Field("", description="Paragraphs above the table, as plain text with blank lines between them.")
    mode: TableMode = Field(
        description='Connection mode. "latency": persistent, and also measures latency at offered rates.'
    )
    design: Design = Field(
        "solo", description='"duet": also measure each row at the same moment as the baseline, to compare CPU cost.'
    )
    fractions: tuple[Fraction, ...] = Field(
        (),
        description='Rates to offer, as shares of a row\'s capacity; only with mode "latency". Default: 50%, 70%, 90%.',
    )
    slo: Slo | None = Field(
        None, description='Search for the highest rate that meets this objective; only with mode "latency".'
    )
    tolerance: Fraction = Field(0.02, description="How close the last two rates of that search must be.")
    published: str | None = Field(
        None, description="Machine of the published run whose numbers are shown beside the measured ones."
    )
    rows: tuple[RowEntry, ...] = Field(min_length=1, description="Rows and headings, from top to bottom.")

    @property
    def connection_mode(self) -> Mode:
        """Return the connection mode of the rows; rates are offered over persistent connections."""
        return "persistent" if self.mode == "latency" else self.mode

    @property
    def offered(self) -> tuple[float, ...]:
        """Return the shares of a row's capacity to offer; none unless the mode is latency."""
        return (self.fractions or FRACTIONS) if self.mode == "latency" else ()

    @model_validator(mode="after")
    def _about_latency(self) -> Self:
        if self.mode != "latency" and (self.slo or self.fractions):
            raise ValueError('"slo" and "fractions" require mode = "latency"')
        if self.mode == "latency" and self.design != "solo":
            raise ValueError('mode = "latency" measures each row alone; use a separate table for duets')
        return self


class Wheel(Section):
    """Python wheels that contain a tool, unpacked into the user's cache if packages may not be installed."""

    requirements: Name = Field(
        description="NAME of the file requirements/NAME.txt, which lists the wheels with their hashes."
    )
    commands: dict[str, Words] = Field(
        min_length=1,
        description="The commands that they contain and what each runs; {env} is the folder they are unpacked to.",
    )


class Tool(Section):
    """A program that servers or load generators need: how to find and install it."""

    title: str | None = None
    purpose: tuple[Purpose, ...] = Field(("server",), min_length=1, description="What needs it.")
    commands: Words = Field((), description="Names of the program, in order of preference.")
    version: Words = Field(("--version",), description="Arguments that print its version.")
    library: str | None = Field(None, description="Shared library to look for instead of a program.")
    header: str | None = Field(None, description="C or C++ header to look for instead of a program.")
    nimble: str | None = Field(None, description="nimble package to look for instead of a program.")
    debian: Words = Field((), description='Debian packages that install it; "a | b": the first that exists.')
    relocatable: bool = Field(default=False, description="Its Debian packages also work unpacked in the user's cache.")
    services: Words = Field(
        (),
        description="Services that its Debian packages would start. They never run: relocatable packages are unpacked"
        " instead of installed, and the services of other packages are disabled.",
    )
    brew: str | None = Field(None, description="Homebrew formula that installs it.")
    wheel: Wheel | None = Field(None, description="Python wheels that contain it.")
    hint: str = Field("", description="What to do if none of the above can install it.")

    @model_validator(mode="after")
    def _findable(self) -> Self:
        if sum(map(bool, (self.commands, self.library, self.header, self.nimble))) != 1:
            raise ValueError('give exactly one of "commands", "library", "header" and "nimble" to look for')
        return self


class Validity(Section):
    """Thresholds of the validity checks. Beyond a `_fail` a trial is invalid, beyond a `_warn` it only gets a warning.

    A check without a threshold here compares exact counts.
    """

    foreign_segments_fail: Share = Field(
        0.02, description="V3: with a fleet, segments of other traffic on the server's host, relative to the requests."
    )
    reopened: Share = Field(
        0.01, description="V4: connections opened beyond what the mode needs, per request; persistent ones only warn."
    )
    reopened_fail: Share = Field(0.5, description="V4: persistent connections opened per request; more fail.")
    queue_drops_fail: Number = Field(0, description="V5: connections dropped from a full accept queue.")
    lost_segments: Share = Field(0.0001, description="V6: segments that were lost, of all segments sent; fails.")
    lost_segments_least: Number = Field(5, description="V6: so few lost segments only warn, whatever their share.")
    lost_segments_warn: Share = Field(0.0, description="V6: the same, for a warning.")
    ports_fail: Share = Field(0.80, description="V7: client ports that wait for reuse, of all client ports.")
    ports_warn: Share = Field(0.50, description="V7: the same, for a warning.")
    client_busy: Share = Field(
        0.95, description="V8: CPU time of the generator's busiest thread from which on it is saturated; warns."
    )
    client_wait_fail: Share | None = Field(
        None, description="V9: time that the generator's threads wait for a CPU; by default this only warns."
    )
    client_wait_warn: Share = Field(0.05, description="V9: the same, for a warning.")
    server_busy: Share = Field(
        0.90, description="V10: the server's CPU time from which on it is the bottleneck, also for the trial's `bound`."
    )
    little: Share = Field(0.90, description="V10: fewer connections than this with a request under way warn.")
    little_fail: Share = Field(
        0.50, description="V10: fewer than this fail, if neither the server nor the generator is short of CPU time."
    )
    little_high_warn: Share = Field(
        1.10, description="V10: more than this warn: more requests under way than there are connections."
    )
    headroom: Share = Field(0.80, description="V11: the rate, relative to the generator's ceiling; warns.")
    requests_per_connection_fail: float = Field(10, description="V12: fewer requests per connection than this fail.")
    requests_per_connection_warn: float = Field(100, description="V12: fewer requests per connection than this warn.")
    overshoot_fail: Duration = Field(
        0.25, description="V12: difference between the measured time and the time that was asked for."
    )
    drift_fail: Share = Field(0.10, description="V13: difference in rate between the two halves of a trial.")
    drift_warn: Share = Field(0.03, description="V13: the same, for a warning.")
    spread_fail: Share = Field(0.15, description="V13: coefficient of variation of the rates in windows of 0.5 s.")
    spread_warn: Share = Field(0.05, description="V13: the same, for a warning.")
    steal_fail: Share = Field(0.10, description="V14: time that the hypervisor took from the CPUs in use.")
    steal_warn: Share = Field(0.005, description="V14: the same, for a warning.")
    foreign_fail: Share = Field(0.50, description="V15: CPU time of other programs, relative to one CPU.")
    foreign_warn: Share = Field(0.03, description="V15: the same, for a warning.")
    pressure_fail: Share = Field(0.05, description="V16: time in which tasks stalled for memory or disk.")
    pressure_warn: Share = Field(0.01, description="V16: the same, for a warning.")
    throttled_fail: Duration = Field(0.0, description="V17: time for which a CPU quota held the trial back.")
    swapped_pages_fail: Number = Field(0, description="V18: pages swapped in or out.")
    thermal_throttles_fail: Number = Field(0, description="V18: how often a CPU was throttled because of its heat.")
    frequency_drift: Share = Field(0.02, description="V18: change of the CPU frequency; warns.")
    clock_step_fail: Duration = Field(
        0.001, description="V19: how far the wall clock moved against the monotonic clock, beyond ..."
    )
    clock_slew_fail: Share = Field(0.0005, description="V19: ... this share of the time, by which a clock is slewed.")
    memory_growth: Size = Field(8 * 1024**2, description="V20: growth of the server's memory that warns, beyond ...")
    memory_growth_share: Share = Field(0.20, description="V20: ... this share of it; both must be exceeded.")
    response_bytes_fail: Size = Field(
        1, description="V24: difference in length from the probed response, beyond what was in flight at the end."
    )
    offered: Share = Field(0.99, description="V25: fewer requests than this, of those offered, fail.")
    late_warn: Share = Field(0.01, description="V26: requests that were sent late.")
    bunching_warn: Share = Field(
        0.50, description="V27: how bunched the requests are; 100% means all connections at once."
    )
    start_skew_fail: Duration = Field(0.05, description="V28: how far apart the clients of a fleet started.")
    start_skew_warn: Duration = Field(0.005, description="V28: the same, for a warning.")
    window_fail: Share = Field(
        0.10, description="V29: difference between a fleet's rate while all clients load and over the whole time."
    )
    window_warn: Share = Field(0.02, description="V29: the same, for a warning.")


class Limits(Section):
    """What a server or a build may use of the machine. What uses more is stopped and recorded as failed."""

    memory: Amount = Field(
        "80%", description="Memory of a server's processes together; a share of the machine's, or a size."
    )
    processes: Count = Field(4096, description="Processes of a server.")
    log: Size = Field(
        16 * 1024**2,
        description="Output kept of a server: its first and its last half. What is between them is dropped.",
    )
    open_files: Count | None = Field(
        None, description="Files that a process may open; default: as many as the hard limit allows, but at most 65536."
    )
    build_output: Size = Field(1024**3, description="What a build may write into {work}, and print.")
    build_time: Duration = Field(1800.0, description="How long a build may take.")


class Matrix(Section):
    """A whole matrix.toml."""

    suite: Suite
    request: dict[Name, RequestSection] = Field(
        default_factory=dict, description="Requests by name, in place of the suite's path and body."
    )
    mix: dict[Name, MixSection] = Field(
        default_factory=dict, description="Mixes of requests by name, which the same connections send in turn."
    )
    validity: Validity = Field(default_factory=Validity)
    limits: Limits = Field(default_factory=Limits)
    preset: dict[Name, Preset] = Field(min_length=1)
    machine: dict[Name, Machine] = Field(min_length=1)
    tool: dict[Name, Tool] = Field(default_factory=dict)
    server: Annotated[dict[Name, Server], AfterValidator(_with_inheritance)] = Field(min_length=1)
    client: tuple[Client, ...] = Field((), description="Hosts that generate load with --load fleet.")
    exclude: tuple[Rule, ...] = ()
    include: tuple[Addition, ...] = ()
    table: tuple[Table, ...] = ()

    def requests(self, read: ReadFile | None = None) -> tuple[Asked, ...]:
        """Return what to ask, without a name if it is one thing; `read` returns a file's content.

        Without it, what stands in files is missing. Raise BadInput if the file of a mix is malformed.
        """
        names = self.suite.requests or tuple(self.mix) or tuple(self.request)
        if not names:
            return (Request(self.suite.path, expect=Expect(body=self.suite.body)),)
        chosen = tuple(self._asked(name, read) for name in names)
        return chosen if len(chosen) > 1 else (replace(chosen[0], name=""),)

    def _asked(self, name: str, read: ReadFile | None) -> Asked:
        mix, reading = self.mix.get(name), read or (lambda _file: b"")
        if mix is None:
            return self.request[name].value(name, reading)
        return Mix(name, (Request(),), (1,)) if read is None and mix.file else mix.value(name, self.request, reading)
