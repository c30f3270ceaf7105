"""Turns a matrix, a machine and the user's options into a plan: which cells, in which order, for how long."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from runners import resources
from runners.errors import BadInput, NothingSelected
from runners.loads import PACED_LOAD, TOOLS
from runners.matrix.cells import Cell, Locustfile, Planned, Selection, expand, matches
from runners.matrix.mistakes.problems import closest
from runners.matrix.model import Matrix, Preset, Table, Tool
from runners.matrix.reading import parse_matrix, read_matrix, read_requests
from runners.matrix.requests.locustfile import read_locustfile
from runners.matrix.requests.mix import Asked
from runners.matrix.requests.request import Request
from runners.plan.order import Duet, estimated_s
from runners.plan.pairing import pair_up, rows_of
from runners.server.sources import hash_of, read_sources
from runners.system.machine import Layout, available_cores, choose_profile, fixed_layout, machine_facts, share_cpus
from runners.tools.find import TOOL_DATA, Host, ToolStatus, find_tools, is_older, short_version, this_host

if TYPE_CHECKING:
    from runners.plan.equal_rates import EqualRates
    from runners.plan.goals import Goal
    from runners.records.run import Run

log = logging.getLogger(__name__)

UNWRITTEN = "matrix of --server"
FLEET, LOCUST = "fleet", "locust"
PREFERRED_LOADS = ("wrk", LOCUST)
LOAD_TOOLS = tuple(dict.fromkeys(TOOLS.values()))
FLEET_LOADS = (FLEET, LOCUST)

Sources = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Options:
    """The options from the command line; `text` is a matrix that is in no file, with paths relative to this folder.

    `sources` are those of the run to resume: it is planned with what it began with, and compared with what is there.
    """

    matrix: Path | None = None
    text: str | None = None
    preset: str | None = None
    machine: str | None = None
    load: str | None = None
    selection: Selection = field(default_factory=Selection)
    seed: int | None = None
    duet: tuple[str, str] | None = None
    budget_s: float | None = None
    clients: int = 0
    sources: Sources = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """Everything that is decided before anything runs. `root` is the folder that the matrix's paths are relative to.

    `sources` holds the hash of every source file: a server's folder -> the file's name in there -> its hash.
    With numbers of connections in `only_duets_at`, nothing is measured alone.
    """

    matrix: Matrix
    text: str
    path: Path
    root: Path
    preset_name: str
    preset: Preset
    machine: str
    facts: Mapping[str, str]
    load: str
    cells: tuple[Planned, ...]
    tools: Mapping[str, ToolStatus]
    host: Host
    seed: int
    duets: tuple[Duet, ...]
    baselines: Mapping[str, str]
    budget_s: float | None
    clients: int = 0
    locustfile: Locustfile | None = None
    duet: tuple[str, str] | None = None
    sources: Sources = field(default_factory=dict)
    only_duets_at: frozenset[int] = frozenset()

    @property
    def measurable(self) -> tuple[Cell, ...]:
        """Return the cells that can be measured, including twins."""
        return tuple(planned.cell for planned in self.cells if planned.status == "planned")

    @property
    def solos(self) -> tuple[Cell, ...]:
        """Return the cells that are measured alone."""
        if self.duet_only:
            return ()
        return tuple(cell for cell in self.measurable if cell.connections not in self.only_duets_at)

    @property
    def duet_only(self) -> bool:
        """Return whether the user asked only for duets of two variants."""
        return self.duet is not None

    @property
    def trial_count(self) -> int:
        """Return the largest possible number of trials, counting a duet once."""
        return sum(map(self.blocks_of, self.solos)) + len(self.duets) * self.preset.duet_blocks.max

    @property
    def fewer(self) -> Mapping[int, int]:
        """Return how many blocks numbers of threads get for which this machine has too few CPUs, if not as many."""
        return fewer_blocks(self.preset, {cell.threads for cell in self.measurable})

    def blocks_of(self, cell: Cell) -> int:
        """Return how many times a cell is measured alone at most."""
        return self.fewer.get(cell.threads, self.preset.blocks.max)

    @property
    def estimated_s(self) -> float:
        """Return the longest time that the trials may take, in seconds, without builds."""
        whole_s = estimated_s(self.solos, self.duets, self.preset, self.fewer) + self.latency_s
        return whole_s if self.budget_s is None else min(whole_s, self.budget_s)

    @property
    def goals(self) -> tuple[Goal, ...]:
        """Return what the tables of mode "latency" demand of the cells measured alone, if that is possible."""
        if self.unpaced or not self._asks_for_rates:
            return ()
        from runners.plan.goals import goals_of  # noqa: PLC0415 - slow to import, and few matrices ask for rates

        return goals_of(self.matrix, self.solos)

    @property
    def equal_rates(self) -> tuple[Duet, ...]:
        """Return the duets that are also measured at one rate on both sides, if that is wanted and possible."""
        if self.preset.equal_rate is None or self.unpaced:
            return ()
        return tuple(duet for duet in self.duets if _can_be_paced(duet))

    @property
    def unpaced(self) -> str | None:
        """Return why no rates can be offered although a table asks for them; None if they can, or no table asks."""
        tool = self.tools[TOOLS[PACED_LOAD]]
        if not self._asks_for_rates and not self._asks_for_equal_rates:
            return None
        if self.clients:
            return "Latency at offered rates is not measured, because a fleet cannot offer rates."
        for asked in dict.fromkeys(cell.mix or cell.request for cell in self.measurable):
            if refusal := _refusal(asked, PACED_LOAD):
                return f"Latency at offered rates is not measured: {refusal}."
        if tool.found:
            return None
        return f"Latency at offered rates is not measured, because {tool.title} is missing. {tool.remedy}"

    @property
    def loads_used(self) -> tuple[str, ...]:
        """Return the load generators that the trials need."""
        return (self.load, PACED_LOAD) if self.goals or self.equal_rates else (self.load,)

    @property
    def closed_budget_s(self) -> float | None:
        """Return the seconds allowed for all trials except those at offered rates; None without a limit."""
        return None if self.budget_s is None else max(0.0, self.budget_s - self.latency_s)

    @property
    def latency_s(self) -> float:
        """Return the time for trials at offered rates, in seconds; a budget reserves it."""
        if not self.goals and not self.equal_rates:
            return 0.0
        from runners.plan.goals import estimated_s  # noqa: PLC0415

        return estimated_s(self.goals, self.preset) + self.equally_paced.whole.seconds

    @property
    def equally_paced(self) -> EqualRates:
        """Return the stage of the trials at equal rates."""
        from runners.plan.equal_rates import EqualRates  # noqa: PLC0415

        wanted = self.preset.equal_rate
        if wanted is None:
            return EqualRates((), 0, 0.0, self.seed)
        return EqualRates(self.equal_rates, wanted.blocks, wanted.duration, self.seed)

    @property
    def _asks_for_rates(self) -> bool:
        return any(table.mode == "latency" for table in self.matrix.table)

    @property
    def _asks_for_equal_rates(self) -> bool:
        return self.preset.equal_rate is not None and any(map(_can_be_paced, self.duets))


def make_plan(options: Options, *, versions: bool = True) -> Plan:
    """Read the matrix, examine the machine and its tools, and plan; raise BadInput or NothingSelected."""
    return plan_matrix(*_source(options), options, versions=versions)


def _source(options: Options) -> tuple[Matrix, str, Path]:
    """Return the matrix, its text, and the file that it is in, or would be in."""
    if options.text is not None:
        return parse_matrix(options.text, UNWRITTEN, TOOL_DATA), options.text, Path("matrix.toml")
    path = options.matrix or default_matrix()
    return *read_matrix(path, TOOL_DATA), path


def plan_matrix(matrix: Matrix, text: str, path: Path, options: Options, *, versions: bool = True) -> Plan:
    """Make the plan for a matrix that has been read.

    A run records the versions of its tools. Without `versions`, only tools that may be too old are asked for theirs.
    """
    preset_name = _known("preset", options.preset or matrix.suite.preset, matrix.preset)
    facts = machine_facts()
    machine = choose_profile(matrix.machine, options.machine, facts)
    host = this_host()
    tools = find_tools(matrix.tool, LOAD_TOOLS, host, None if versions else ())
    options = replace(options, clients=options.clients or (len(matrix.client) if options.load == FLEET else 0))
    load = _load(options, tools)
    root = path.resolve().parent
    sources = {
        name: options.sources.get(name) or read_sources(root / name, {path.resolve()}) for name in _folders(matrix)
    }
    hashes = {name: hash_of(files) for name, files in sources.items()}
    preset = matrix.preset[preset_name]
    selection = options.selection if options.duet else options.selection.within(matrix.suite.groups)
    locustfile = read_locustfile(matrix.suite.locustfile, root) if matrix.suite.locustfile and load == LOCUST else None
    requests = read_requests(matrix, root)
    _check_sendable(requests, load)
    expanded = expand(matrix, machine, preset, load, hashes, options.clients, locustfile, requests)
    cells = select(expanded, selection, matrix.table)
    tools |= find_tools(matrix.tool, needed_by(cells), host, None if versions else _too_old_perhaps(cells))
    cells = tuple(with_tools(planned, tools, TOOLS[load]) for planned in cells)
    tables = _solo(matrix) if options.clients else matrix
    pairing = pair_up(tables, cells, twin=preset.twin, duet=options.duet)
    return Plan(
        matrix=matrix,
        text=text,
        path=path,
        root=root,
        preset_name=preset_name,
        preset=preset,
        machine=machine,
        facts=facts,
        load=load,
        cells=pairing.cells,
        tools=tools,
        host=host,
        duets=_uncrowded(pairing.duets, preset) if options.duet is None else pairing.duets,
        baselines=pairing.baselines,
        budget_s=options.budget_s,
        clients=options.clients,
        locustfile=locustfile,
        duet=options.duet,
        sources=sources,
        seed=random.SystemRandom().randrange(2**32) if options.seed is None else options.seed,
    )


def resuming(run: Run) -> Options:
    """Return the options that select a recorded run's cells again; raise BadInput if it has none."""
    cells = tuple(cell.slug for cell in run.cells if cell.status in {"planned", "failed"} and not cell.twin_of)
    if not cells:
        raise BadInput("the run has no cells yet, so there is nothing to resume; start a new run")
    loads = {cell.load for cell in run.cells}
    return Options(
        preset=run.preset,
        machine=run.machine,
        load=loads.pop(),
        selection=Selection(only=cells),
        seed=run.seed,
        duet=run.duet,
        budget_s=run.budget_s,
        clients=run.fleet.clients if run.fleet else 0,
        sources={source.dir: source.files for source in run.sources},
    )


def install_missing(options: Options) -> None:
    """Install the tools that the selected cells lack, if permitted; a warning names those that stay missing."""
    from runners.tools.install import install_tools  # noqa: PLC0415 - a plan alone need not wait for the installer

    matrix, text, path = _source(options)
    plan = plan_matrix(matrix, text, path, options)
    wanted = [name for planned in plan.cells if planned.lacks for name in planned.lacks]
    wanted += [TOOLS[PACED_LOAD]] if plan.unpaced else []
    loads = [options.load] if options.load else list(PREFERRED_LOADS)
    statuses = install_tools(matrix.tool, dict.fromkeys(wanted), plan.host)
    for kind in loads:
        if install_tools(matrix.tool, [TOOLS[kind]], plan.host)[TOOLS[kind]].found:
            break
    for status in statuses.values():
        if not status.found:
            log.warning(f"{status.title}: {status.reason}. {status.remedy}")


def tools_of(matrix_file: Path | None) -> Mapping[str, Tool]:
    """Return the project's tools, and those that a matrix adds."""
    path = matrix_file or default_matrix()
    return read_matrix(path, TOOL_DATA)[0].tool


def default_matrix() -> Path:
    """Return ./matrix.toml if it exists, else the packaged one."""
    here = Path("matrix.toml")
    return here if here.exists() else resources.root() / "matrix.toml"


def select(cells: Sequence[Planned], selection: Selection, tables: Sequence[Table]) -> tuple[Planned, ...]:
    """Return the selected cells; raise NothingSelected, with the names that exist, if there are none.

    A table that belongs to a selected group also selects its rows, whatever group they belong to.
    """
    every = [planned.cell for planned in cells]
    asked = [table for table in tables if table.group and selection.has_group(table.group)]
    along = {cell.slug for table in asked for cell in rows_of(table, every)}
    chosen = tuple(
        planned
        for planned in cells
        if selection.admits(planned.cell)
        and (selection.has_group(planned.cell.program.group) or planned.cell.slug in along)
    )
    for glob in (*selection.only, *selection.skip):
        if not any(matches(planned.cell, (glob,)) for planned in cells):
            names = list(dict.fromkeys(planned.cell.program.name for planned in cells))
            hint = closest(glob, names) or f"variants are {', '.join(names)}; a cell is {cells[0].cell.slug}"
            raise NothingSelected(f"'{glob}' matches no cell - {hint}")
    if not chosen:
        raise NothingSelected("the selection contains no cells; `speedup plan` lists all cells")
    return chosen


def layouts(plan: Plan) -> dict[int, Layout]:
    """Return the CPUs of server and client for each number of server threads; raise BadInput if they do not exist."""
    found = layouts_of(plan.matrix, plan.machine, {cell.threads for cell in plan.measurable})
    if plan.clients and plan.matrix.machine[plan.machine].cpus is None:
        return {count: replace(each, client=()) for count, each in found.items()}
    return found


def layouts_of(matrix: Matrix, machine: str, threads: Iterable[int]) -> dict[int, Layout]:
    """Return the CPUs of server and client for each number of server threads, as a machine profile has them."""
    fixed, cores = matrix.machine[machine].cpus, available_cores()
    if fixed is None:
        return {count: share_cpus(cores, count) for count in threads}
    layout = fixed_layout(fixed.server, fixed.client)
    missing = {*layout.server, *layout.client} - {cpu for core in cores for cpu in core}
    if missing:
        raise BadInput(f"machine {machine}: this machine has no CPU {', '.join(map(str, sorted(missing)))}")
    return dict.fromkeys(threads, layout)


def fewer_blocks(preset: Preset, threads: Iterable[int]) -> dict[int, int]:
    """Return the blocks of numbers of threads beyond the machine's CPUs, if the preset gives them fewer."""
    if preset.blocks_beyond_cpus is None:
        return {}
    cpus = sum(map(len, available_cores()))
    return {count: min(preset.blocks_beyond_cpus, preset.blocks.max) for count in threads if count > cpus}


def _uncrowded(duets: Sequence[Duet], preset: Preset) -> tuple[Duet, ...]:
    """Return the duets of numbers of threads that get as many blocks as others."""
    fewer = fewer_blocks(preset, {duet.row.threads for duet in duets})
    return tuple(duet for duet in duets if duet.row.threads not in fewer)


def _known(kind: str, name: str, known: Mapping[str, object]) -> str:
    if name not in known:
        raise BadInput(f"no {kind} '{name}' - {closest(name, known) or 'there are: ' + ', '.join(known)}")
    return name


def _available_load(tools: Mapping[str, ToolStatus]) -> str:
    """Return the best load generator that is installed; without any, return wrk, to be reported as missing."""
    return next((kind for kind in PREFERRED_LOADS if tools[TOOLS[kind]].found), PREFERRED_LOADS[0])


def _load(options: Options, tools: Mapping[str, ToolStatus]) -> str:
    """Return the requested load generator; raise BadInput if it does not go with the other options."""
    if options.clients:
        load = options.load or FLEET
        if load not in FLEET_LOADS:
            raise BadInput(
                f"{load} generates load only from this machine; with a fleet, use --load {' or '.join(FLEET_LOADS)}"
            )
        if options.duet:
            raise BadInput("the load of a duet comes only from this machine; leave out --duet or --expect-workers")
        return load
    if options.load == FLEET:
        raise BadInput("give the number of client hosts and this host's address for them: --expect-workers N --bind A")
    return _known("load", options.load, TOOLS) if options.load else _available_load(tools)


def _check_sendable(requests: Iterable[Asked], load: str) -> None:
    """Raise BadInput if the load generator cannot send a request or a mix."""
    for each in requests:
        if refusal := _refusal(each, load):
            raise BadInput(f"{refusal}; load with wrk, or measure its requests one by one")


def _refusal(asked: Asked, load: str) -> str | None:
    """Return why a load generator cannot send a request or a mix; None if it can."""
    if isinstance(asked, Request) and asked.is_plain:
        return None
    from runners.loads.by_name import LOADS  # noqa: PLC0415 - slow to import, and most matrices ask for a path

    why = LOADS[load].refusal(asked)
    kind = "request" if isinstance(asked, Request) else "mix"
    return None if why is None else f"{load} cannot send the {kind} {asked.name or 'of the suite'}: it {why}"


def _can_be_paced(duet: Duet) -> bool:
    """Return whether a rate can be offered to both sides: h2load paces only persistent connections, many of them."""
    return duet.row.mode == "persistent" and duet.row.connections > 1 and not duet.row.twin


def _solo(matrix: Matrix) -> Matrix:
    """Return the matrix without duets, whose two generators need to be on one machine."""
    tables = tuple(table.model_copy(update={"design": "solo"}) for table in matrix.table)
    return matrix.model_copy(update={"table": tables})


def _folders(matrix: Matrix) -> set[str]:
    return {server.dir or f"servers/{name}" for name, server in matrix.server.items()}


def with_tools(planned: Planned, tools: Mapping[str, ToolStatus], *loads: str) -> Planned:
    """Mark a cell unavailable if its tools, or its load's, are missing or too old, and say how to install them."""
    if planned.status != "planned":
        return planned
    program = planned.cell.program
    told = {name: _why_unfit(tools[name], program.at_least.get(name)) for name in (*loads, *program.needs)}
    lacks = {name: why for name, why in told.items() if why}
    if not lacks:
        return planned
    return replace(planned, status="unavailable", reason="; ".join(lacks.values()), lacks=tuple(lacks))


def _why_unfit(tool: ToolStatus, oldest: str | None) -> str | None:
    """Return why a tool cannot be used: it is missing, or older than `oldest`; None if it can be."""
    if not tool.found:
        return tool.fault
    if oldest is None or not is_older(tool.version, oldest):
        return None
    said = f"{tool.title} {short_version(tool.version)} is too old; at least {oldest} is needed"
    return f"{said}. {tool.hint}" if tool.hint else said


def needed_by(cells: Iterable[Planned]) -> tuple[str, ...]:
    """Return the tools of every server that could be measured."""
    return tuple(dict.fromkeys(name for planned in _possible(cells) for name in planned.cell.program.needs))


def _too_old_perhaps(cells: Iterable[Planned]) -> set[str]:
    return {name for planned in _possible(cells) for name in planned.cell.program.at_least}


def _possible(cells: Iterable[Planned]) -> Iterator[Planned]:
    return (planned for planned in cells if planned.status == "planned")
