"""The head of a run folder: what was planned, on which machine, with which tools."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from runners.records.trial import Outcome, Trial

RUN_SCHEMA = "speedup.run/1"


@dataclass(frozen=True)
class CellInfo:
    """A cell of the plan as recorded in `run.json`; `reason` says why a cell is not measured.

    `request` is the name of the request, empty if there is
    only one. For an A/A twin, `twin_of` is the id of the cell that it measures again under another name.
    """

    id: str
    slug: str
    server: str
    variant: str | None
    title: str
    language: str | None
    class_: str
    group: str
    threads: int
    connections: int
    mode: str
    load: str
    family: str
    status: Literal["planned", "unavailable", "excluded", "failed"]
    reason: str | None = None
    cpus_server: str | None = None
    cpus_client: str | None = None
    shared: bool = False
    load_command: tuple[str, ...] = ()
    twin_of: str | None = None
    request: str = ""


Item = tuple[str, ...]  # the cells of one trial: one, or the two of a duet in the order they start
Block = tuple[Item, ...]


@dataclass(frozen=True)
class FamilyInfo:
    """Cells that are compared with each other, because they differ in nothing but the variant.

    `baseline` is the cell that the others are compared with. `blocks` holds cell ids in the planned order, the two of a
    duet in the order they start; `ended_by` says which bound ended the family's measurement.
    """

    name: str
    design: Literal["solo", "duet"]
    threads: int
    connections: int
    mode: str
    baseline: str
    blocks: tuple[tuple[tuple[str, ...], ...], ...] = ()
    ended_by: str | None = None


@dataclass(frozen=True)
class BuildInfo:
    """How a variant was built: `status` is built, cached, failed or none (nothing to build)."""

    variant: str
    status: Literal["built", "cached", "failed", "none"]
    argv: tuple[str, ...] = ()
    duration_s: float | None = None
    log: str | None = None
    output_tail: str = ""


GateKind = Literal["honesty", "robustness"]


@dataclass(frozen=True)
class Gate:
    """One gate: its demand, whether servers of this class must meet it, and what the server did instead.

    What fails a gate of honesty has no true number, and is not timed; what fails one of robustness has a badge beside
    it, and is not ranked if its class promises that. `mode` is the connection mode that it is about, None: all.
    """

    id: str
    demand: str
    required: bool
    outcome: Outcome
    saw: str = ""
    sent: str = ""
    received: str = ""
    kind: GateKind = "honesty"
    mode: str | None = None


def gate_ids(gates: Iterable[Gate]) -> str:
    """Return the names of some gates, in a line."""
    return ", ".join(gate.id for gate in gates)


@dataclass(frozen=True)
class Honesty:
    """The results of the honesty gates for a variant, started with `threads` threads before it was timed."""

    variant: str
    threads: int
    class_: str
    gates: tuple[Gate, ...]

    @property
    def failed(self) -> tuple[Gate, ...]:
        """Return the gates of honesty that it failed: it is not timed, at least not in their mode."""
        return tuple(gate for gate in self._failing if gate.required and gate.kind == "honesty")

    def failed_in(self, mode: str) -> tuple[Gate, ...]:
        """Return the gates of honesty that it failed and that are about a connection mode: it is not timed in that."""
        return tuple(gate for gate in self.failed if gate.mode in {None, mode})

    @property
    def broken(self) -> tuple[Gate, ...]:
        """Return the gates that its class promises and it failed: it is timed, but not ranked."""
        return tuple(gate for gate in self._failing if gate.required and gate.kind == "robustness")

    @property
    def badges(self) -> tuple[Gate, ...]:
        """Return the gates of robustness that it failed, promised or not."""
        return tuple(gate for gate in self._failing if gate.kind == "robustness")

    @property
    def _failing(self) -> tuple[Gate, ...]:
        return tuple(gate for gate in self.gates if gate.outcome == "fail")


@dataclass(frozen=True)
class ToolInfo:
    """A tool as it was found at the start of the run."""

    name: str
    version: str | None
    path: str | None
    sha256: str | None = None


@dataclass(frozen=True)
class Source:
    """Where published or imported numbers come from."""

    title: str
    url: str | None = None
    date: str | None = None


@dataclass(frozen=True)
class FleetInfo:
    """The fleet of a run: the number of client hosts, the server's address for them, and the facts of each host."""

    clients: int
    bind: str
    port: int
    hosts: tuple[dict[str, str], ...] = ()


@dataclass(frozen=True)
class Identity:
    """What a run is completed with, or not at all: the machine and the harness that began it.

    `cpus` are those that it may use, `layouts` how server and client share them for each number of server threads.
    `network` is the kind that its trials have, null before the first. `harness` is a hash of what measures.
    """

    cpu: str
    cpus: str
    memory_bytes: int
    kernel: str
    layouts: dict[str, str]
    harness: str
    network: Literal["namespace", "host"] | None = None


@dataclass(frozen=True)
class SourceInfo:
    """The sources of the servers in one folder when the run began: the hash of each file by its name in there.

    `data` names files that changed while the servers were built or first ran: they write them, so later changes mean
    nothing.
    """

    dir: str
    files: dict[str, str]
    data: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """The head of a run folder: what was planned, on which machine, with which tools.

    `duet` holds the two globs of a run of duets alone, the row's and the baseline's. `files` are other files that are
    measured, or measure: programs, scripts, configurations, by their paths relative to the matrix, with their hashes.
    `network`, `tune` and `skip_gates` are the options that it began with.
    """

    kind: Literal["measured", "published", "imported"]
    machine: str
    machine_title: str | None = None
    started_at: str | None = None
    matrix: str = ""
    matrix_path: str = ""
    preset: str = ""
    warmup_s: float | None = None
    duration_s: float | None = None
    blocks: int = 0
    seed: int | None = None
    version: str = ""
    arguments: tuple[str, ...] = ()
    facts: dict[str, str] = field(default_factory=dict)
    tools: tuple[ToolInfo, ...] = ()
    builds: tuple[BuildInfo, ...] = ()
    honesty: tuple[Honesty, ...] = ()
    cells: tuple[CellInfo, ...] = ()
    families: tuple[FamilyInfo, ...] = ()
    blocks_min: int = 0
    duet_blocks_min: int | None = None
    duet_duration_s: float | None = None
    precision: float | None = None
    duet_precision: float | None = None
    budget_s: float | None = None
    notes: tuple[str, ...] = ()
    source: Source | None = None
    published: tuple[Published, ...] = ()
    fleet: FleetInfo | None = None
    duet: tuple[str, str] | None = None
    network: Literal["auto", "namespace", "host"] = "auto"
    tune: bool = False
    skip_gates: bool = False
    identity: Identity | None = None
    sources: tuple[SourceInfo, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    schema: str = RUN_SCHEMA

    def family(self, name: str | None) -> FamilyInfo | None:
        """Return the family with this name; None if there is none."""
        return next((family for family in self.families if family.name == name), None)


@dataclass(frozen=True)
class Published:
    """A published run, stored whole in the run that shows it beside its own numbers."""

    run: Run
    trials: tuple[Trial, ...]


@dataclass(frozen=True)
class RunFolder:
    """A run folder as read back: its head and every trial whose line is complete.

    `damaged_lines` is how many lines were set aside because they are not as they were written, and `damaged_head` says
    whether the head is not.
    """

    path: Path
    run: Run
    trials: tuple[Trial, ...]
    damaged_lines: int = 0
    damaged_head: bool = False
