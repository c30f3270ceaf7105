"""Expands a matrix into cells: servers x variants x threads x connections x modes, minus the excluded ones.

Pure: files are read elsewhere. A cell's id is its slug and a hash of everything that can change its number.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import product
from typing import Literal

from runners.matrix.model import Machine, Matrix, Mode, Preset, Rule, Server, Variant
from runners.matrix.placeholders import FLAGS, SERVER, SOURCE
from runners.matrix.requests.mix import Asked, Mix
from runners.matrix.requests.request import Request

_ROW = re.compile(
    r"(?P<server>[a-z0-9][a-z0-9_-]*)(?:\.(?P<variant>[a-z0-9][a-z0-9_-]*))?(?:@(?P<threads>[1-9][0-9]*))?"
)


@dataclass(frozen=True)
class RowKey:
    """What a table's row refers to: a server or a variant of it, and a number of threads."""

    server: str
    variant: str | None
    threads: int


def parse_row(text: str) -> RowKey:
    """Return the parts of "server", "server.variant" or "server.variant@threads" (default: 1 thread)."""
    match = _ROW.fullmatch(text)
    if match is None:
        raise ValueError(f"'{text}' is not a row; write server, server.variant or server.variant@threads")
    return RowKey(match["server"], match["variant"], int(match["threads"] or 1))


def variant_name(server: str, variant: str | None) -> str:
    """Return "server" or "server.variant"."""
    return f"{server}.{variant}" if variant else server


@dataclass(frozen=True)
class Ready:
    """When a server counts as started: once it answers `path` (None: what it is asked under load) as it must.

    `timeout_s` is how long that may take.
    """

    path: str | None = None
    timeout_s: float = 60.0


USUAL_RIGHTS = {"user": None, "read_only": False, "privileged": False}


@dataclass(frozen=True)
class Program:
    """A server or variant: how it is built and started; its commands still contain placeholders of the trial."""

    server: str
    variant: str | None
    title: str
    language: str | None
    class_: str
    group: str
    needs: tuple[str, ...]
    dir: str
    build: tuple[str, ...]
    run: tuple[str, ...]
    config: str | None
    flags: tuple[str, ...]
    env: Mapping[str, str] = field(hash=False)
    unavailable: str | None
    at_least: Mapping[str, str] = field(default_factory=dict, hash=False)
    ready: Ready = Ready()
    port: int | None = None
    isolate: bool = True
    user: str | None = None
    read_only: bool = False
    privileged: bool = False
    warmup: float | Literal["auto"] | None = None

    @property
    def name(self) -> str:
        """Return "server" or "server.variant"."""
        return variant_name(self.server, self.variant)


@dataclass(frozen=True)
class Locustfile:
    """A user's own locustfile, and the hash of its content."""

    path: str
    sha256: str


@dataclass(frozen=True)
class LoadSettings:
    """How a cell is loaded; `threads` are those of the load generator, None: one per CPU of the client.

    The warm-up lasts `warmup_s`; None: until the server's cost per request is steady. `duet` is the length of the
    warm-up and of the measured load in a duet, in seconds; None: the same as alone.
    `clients` is the number of client hosts in a fleet; 0: the load comes from the server's machine. `locustfile` is the
    file with the users of Locust, relative to the matrix; None: each requests the cell's path in a loop.
    """

    kind: str
    warmup_s: float | None
    duration_s: float
    threads: int | None
    duet: tuple[float | None, float] | None = None
    clients: int = 0
    locustfile: Locustfile | None = None


@dataclass(frozen=True)
class Cell:
    """One point of the matrix, on one machine.

    `request` is what its connections send, with a `mix` the first of it, under the mix's name.
    """

    program: Program
    threads: int
    connections: int
    mode: Mode
    machine: str
    load: LoadSettings
    cpus: tuple[str, str] | None
    request: Request = field(default_factory=Request)
    source_hash: str = ""
    twin: bool = False
    mix: Mix | None = None

    @property
    def requests(self) -> tuple[Request, ...]:
        """Return everything that its connections send."""
        return self.mix.requests if self.mix else (self.request,)

    @property
    def error_share(self) -> float:
        """Return the share of right answers whose status load generators count as an error."""
        return self.mix.error_share if self.mix else float(self.request.expect.is_error_status)

    @property
    def name(self) -> str:
        """Return the variant's name; a twin is the same cell under another name."""
        return f"{self.program.name}~twin" if self.twin else self.program.name

    @property
    def slug(self) -> str:
        """Return the readable name that globs match: "epoll/t2/c64/persistent", with the name of its request."""
        return f"{self.name}/{self._point}"

    @property
    def _point(self) -> str:
        asked = f"/{self.request.name}" if self.request.name else ""
        return f"t{self.threads}/c{self.connections}/{self.mode}{asked}"

    @property
    def family(self) -> str:
        """Return the comparison family: cells that differ only in the variant."""
        return f"{self.machine}/{self._point}/{self.load.kind}"

    @property
    def in_duet(self) -> Cell:
        """Return the cell as it is loaded in a duet."""
        if self.load.duet is None:
            return self
        warmup_s, duration_s = self.load.duet
        return replace(self, load=replace(self.load, warmup_s=warmup_s, duration_s=duration_s))

    @cached_property
    def digest(self) -> str:
        """Return a hash of everything that can change the cell's number."""
        facts = asdict(self)
        for words in ("title", "language", "class_", "group", "unavailable", "at_least", "ready", "port", "warmup"):
            facts["program"].pop(words)  # these describe it, or are in its load
        for word, usual in USUAL_RIGHTS.items():
            if facts["program"][word] == usual:
                del facts["program"][word]  # so that runs from before there were such keys can be resumed
        return hashlib.sha256(json.dumps(facts, sort_keys=True, default=bytes.hex).encode()).hexdigest()[:8]

    @property
    def id(self) -> str:
        """Return the slug and the digest."""
        return f"{self.slug}#{self.digest}"


@dataclass(frozen=True)
class Planned:
    """A cell with its status and the reason; `lacks` names tools that are missing or too old."""

    cell: Cell
    status: Literal["planned", "excluded", "unavailable"]
    reason: str | None = None
    lacks: tuple[str, ...] = ()


def programs(matrix: Matrix) -> Iterator[tuple[Program, tuple[int, ...] | None]]:
    """Yield every server and variant with the thread counts that it supports (None: any)."""
    for name, server in matrix.server.items():
        yield _program(name, server, None, Variant()), server.threads
        for variant_id, variant in server.variant.items():
            yield _program(name, server, variant_id, variant), variant.threads or server.threads


def _program(name: str, server: Server, variant_id: str | None, variant: Variant) -> Program:
    title = server.title or name

    def filled(words: Iterable[str]) -> tuple[str, ...]:
        return tuple(_with_names(word, name, server.source) for word in words)

    env = {**server.env, **variant.env}
    return Program(
        server=name,
        variant=variant_id,
        title=title if variant_id is None else variant.title or f"{title} {variant_id}",
        language=server.language,
        class_=server.class_,
        group=variant.group or server.group,
        needs=(*server.needs, *variant.needs),
        dir=server.dir or f"servers/{name}",
        build=filled(_with_flags(server.build, server.flags)),
        run=filled(server.run),
        config=server.config,
        flags=filled(variant.flags),
        env=dict(zip(env, filled(env.values()), strict=True)),
        unavailable=server.unavailable or variant.unavailable,
        at_least=server.at_least,
        isolate=server.isolate,
        user=server.user,
        read_only=server.read_only,
        privileged=server.privileged,
        ready=Ready(server.ready.path, server.ready.timeout),
        port=server.port,
        warmup=server.warmup,
    )


def _with_flags(build: Iterable[str], flags: tuple[str, ...]) -> Iterator[str]:
    """Yield a build command with the server's flags, and after them the place for those of a variant."""
    for word in build:
        yield from (*flags, word) if word == FLAGS else (word,)


def _with_names(word: str, server: str, source: str | None) -> str:
    named = word.replace(SERVER, server)
    return named if source is None else named.replace(SOURCE, source)


@dataclass(frozen=True)
class Selection:
    """Which cells were asked for: globs for cells and for groups."""

    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    group: tuple[str, ...] = ()

    def within(self, groups: tuple[str, ...]) -> Selection:
        """Return the selection, limited to these groups unless it names cells or groups itself."""
        return self if self.only or self.group else replace(self, group=groups)

    def admits(self, cell: Cell) -> bool:
        """Return whether a cell's name is in the selection, whatever its group."""
        return (not self.only or matches(cell, self.only)) and not matches(cell, self.skip)

    def has_group(self, group: str) -> bool:
        """Return whether a group is in the selection."""
        return not self.group or any(fnmatchcase(group, glob) for glob in self.group)


def matches(cell: Cell, globs: Iterable[str]) -> bool:
    """Return whether any glob matches the cell: its slug, leading parts of it, or, if the glob has a "#", its id."""
    parts = cell.slug.split("/")
    names = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
    return any(fnmatchcase(name, glob) for glob in globs for name in ([cell.id] if "#" in glob else names))


def expand(
    matrix: Matrix,
    machine_name: str,
    preset: Preset,
    load_kind: str,
    source_hashes: Mapping[str, str] | None = None,
    clients: int = 0,
    locustfile: Locustfile | None = None,
    requests: Sequence[Asked] | None = None,
) -> tuple[Planned, ...]:
    """Return every cell of the matrix on one machine in the order of the file, excluded ones with a reason.

    `source_hashes` maps a program's folder to the hash of its sources, so that edited sources make another cell.
    `clients` and `locustfile` are those of the cells' `LoadSettings`; `requests` are those of the suite, by default
    without bodies that stand in files.
    """
    machine = matrix.machine[machine_name]
    duet = (preset.duet.warmup, preset.duet.duration) if preset.duet else None
    duration_s = machine.load.duration or preset.duration
    load = LoadSettings(load_kind, preset.warmup, duration_s, machine.load.threads, duet, clients, locustfile)
    asked = matrix.requests() if requests is None else requests
    cells: dict[str, Planned] = {}
    for program, limits in programs(matrix):
        for point, each in product(_points(matrix, machine, program, limits), asked):
            cell = _cell(machine_name, machine, program, point, each, load, source_hashes or {})
            cells.setdefault(cell.slug, _planned(matrix, cell, added=point[3]))
    return tuple(cells.values())


Point = tuple[int, int, Mode, bool]


def _points(matrix: Matrix, machine: Machine, program: Program, limits: tuple[int, ...] | None) -> Iterator[Point]:
    """Yield threads, connections, mode and whether an include rule added the point; additions come first."""
    for addition in matrix.include:
        if any(fnmatchcase(program.name, glob) for glob in _globs(addition.variants)):
            for threads in addition.threads:
                for connections in addition.connections or machine.connections:
                    for mode in addition.modes:
                        yield threads, connections, mode, True
    for threads in machine.threads:
        if limits is None or threads in limits:
            for connections in machine.connections:
                for mode in matrix.suite.modes:
                    yield threads, connections, mode, False


def _cell(
    machine_name: str,
    machine: Machine,
    program: Program,
    point: Point,
    asked: Asked,
    load: LoadSettings,
    source_hashes: Mapping[str, str],
) -> Cell:
    return Cell(
        program=program,
        threads=point[0],
        connections=point[1],
        mode=point[2],
        machine=machine_name,
        load=_warmed(load, program),
        cpus=(machine.cpus.server, machine.cpus.client) if machine.cpus else None,
        request=asked if isinstance(asked, Request) else replace(asked.requests[0], name=asked.name),
        source_hash=source_hashes.get(program.dir, ""),
        mix=asked if isinstance(asked, Mix) else None,
    )


def _warmed(load: LoadSettings, program: Program) -> LoadSettings:
    """Return the load with a program's own warm-up, if it has one."""
    if program.warmup is None:
        return load
    warmup_s: float | None = None if program.warmup == "auto" else program.warmup
    return replace(load, warmup_s=warmup_s, duet=(warmup_s, load.duet[1]) if load.duet else None)


def _planned(matrix: Matrix, cell: Cell, *, added: bool) -> Planned:
    rule = None if added else _excluding(matrix.exclude, cell)
    if cell.program.unavailable is not None:
        return Planned(cell, "unavailable", cell.program.unavailable)
    if rule is not None:
        return Planned(cell, "excluded", rule.reason or f"left out by the rule {rule.cells}")
    return Planned(cell, "planned")


def _excluding(rules: Iterable[Rule], cell: Cell) -> Rule | None:
    return next((rule for rule in rules if matches(cell, _globs(rule.cells))), None)


def _globs(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value
