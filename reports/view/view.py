"""A run folder, indexed once for reading: its matrix, cells by what a table's row names, trials by cell.

Pure. A report must show whatever was recorded, so nothing here raises: if the matrix can no longer be read, the run
has no tables of the matrix, and if the plan lacks a trial's cell, one is made from the trial's own fields.
"""

from __future__ import annotations

import re
import shlex
import statistics
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from reports.view.families import Family, families_of
from reports.view.limits import Limits
from reports.view.names import with_server
from runners.errors import BadInput
from runners.matrix.cells import Program, RowKey, parse_row, programs, variant_name
from runners.matrix.model import Heading, Matrix, Table, TableRow
from runners.matrix.reading import parse_matrix
from runners.records.run import CellInfo, Gate, Published, Run, RunFolder
from runners.records.trial import PACED_DESIGNS, Trial
from runners.stats.answers import believed
from runners.stats.comparison import counting
from runners.tools.find import TOOL_DATA

UNPROMISED = "strict"  # the gate that no class promises

CellKey = tuple[str, str | None, int, str]  # server, variant, threads, mode
Key = TypeVar("Key", bound=Hashable)
Programs = Mapping[tuple[str, str | None], tuple[Program, tuple[int, ...] | None]]  # with the thread counts; None: any


@dataclass(frozen=True)
class PublishedNumbers:
    """The numbers of a published or imported run: its trials, and requests per second by what a table's row names.

    Those of an imported run are `at` a number of connections and a request: they stand beside nothing else.
    """

    run: Run
    requests_per_s: Mapping[CellKey, float]
    trials: tuple[Trial, ...]
    at: Mapping[tuple[CellKey, int | None, str], float] = field(default_factory=dict)

    def rate(self, key: CellKey, connections: int | None, request: str) -> float | None:
        """Return the requests per second of a row's cell; None if there are none."""
        return self.at.get((key, connections, request)) if self.at else self.requests_per_s.get(key)

    @property
    def name(self) -> str:
        """Return the machine's title and the year of its numbers: "Core2Quad Q9300, 2015"."""
        title = self.run.machine_title or self.run.machine
        year = (self.run.started_at or "")[:4]
        return f"{title}, {year}" if year else title

    @property
    def load_commands(self) -> tuple[str, ...]:
        """Return the distinct command lines that its numbers were measured with."""
        commands = (command for trial in self.trials for command in trial.commands if command.purpose == "load")
        return tuple(dict.fromkeys(shlex.join(command.argv) for command in commands))


@dataclass(frozen=True)
class RunView:
    """A run with its indexes; the cells have titles that name their server, too.

    `trials` are those that count: alone on the machine, of one attempt at their block. `together` are those of duets
    that count, by pair. `every` holds all. Twins are not in `by_key`, since no row names them.
    """

    folder: RunFolder
    matrix: Matrix | None
    cells: tuple[CellInfo, ...]
    by_key: Mapping[CellKey, tuple[CellInfo, ...]]
    trials: Mapping[str, tuple[Trial, ...]]
    together: Mapping[tuple[str, str], tuple[Trial, ...]]
    every: Mapping[str, tuple[Trial, ...]]
    families: Mapping[str, Family]
    anchors: Mapping[str, str]
    programs: Programs
    published: Mapping[str, PublishedNumbers]
    limits: Limits

    @property
    def run(self) -> Run:
        """Return the head of the run folder."""
        return self.folder.run

    @property
    def only_duets(self) -> bool:
        """Return whether only duets were planned."""
        return not any(family.design == "solo" for family in self.families.values()) and bool(self.families)

    def badges(self, cell: CellInfo) -> tuple[Gate, ...]:
        """Return the gates of robustness that a cell's server fails, without those that no class promises.

        Of a stripped server only what it promises is told: its class says that it does not do the rest.
        """
        name = variant_name(cell.server, cell.variant)
        found = next((each.badges for each in self.run.honesty if each.variant == name), ())
        return tuple(gate for gate in found if gate.id != UNPROMISED and (gate.required or cell.class_ != "stripped"))

    @property
    def machine_name(self) -> str:
        """Return the machine's title; a profile without one gets the processor behind its name."""
        if self.run.machine_title:
            return self.run.machine_title
        cpu = self.run.facts.get("cpu")
        return f"{self.run.machine} ({cpu})" if cpu else self.run.machine

    def server_title(self, server: str) -> str:
        """Return a server's title; its name in the matrix if it has none."""
        return _server_title(server, self.programs)

    @property
    def load_name(self) -> str:
        """Return where the load came from, "local" or "fleet of 2", and whether Locust's users made it."""
        loads = {cell.load for cell in self.cells if cell.status == "planned"}
        users = " with Locust's users" if loads == {"locust"} else ""
        return f"fleet of {self.run.fleet.clients}{users}" if self.run.fleet else f"local{users}"


def view_run(folder: RunFolder, *, prefix: str = "", published: Iterable[Published] = ()) -> RunView:
    """Return the view of a run folder; `prefix` keeps the anchors of several runs in one file apart."""
    folder = replace(folder, trials=believed(folder.trials))
    matrix = matrix_of(folder.run)
    every = _by_cell(folder.trials)
    counted = counting(folder.trials)
    trials = _by_cell(trial for trial in counted if is_solo(trial))
    trials |= {cell: of for cell, of in _unmeasured(every).items() if cell not in trials}
    known = {cell.id for cell in folder.run.cells}
    unplanned = (cell_of(of[0], folder.run.kind) for name, of in every.items() if name not in known)
    found = _programs(matrix)
    beside = (*published, *folder.run.published)
    cells = tuple(_titled(cell, found) for cell in (*folder.run.cells, *unplanned))
    return RunView(
        folder=folder,
        matrix=matrix,
        cells=cells,
        by_key=_by_key(cells),
        trials=trials,
        together=_by_pair(counted),
        every=every,
        families=families_of(folder, cells),
        anchors=_anchors(cells, f"{prefix}cell-"),
        programs=found,
        published={item.run.machine: _numbers(item) for item in beside if item.run is not folder.run},
        limits=Limits(len(folder.trials)),
    )


def matrix_of(run: Run) -> Matrix | None:
    """Return the matrix that a run keeps verbatim; None if this version cannot read it."""
    try:
        return parse_matrix(run.matrix, defaults=TOOL_DATA, recorded=True)
    except BadInput:
        return None


def _programs(matrix: Matrix | None) -> Programs:
    found = programs(matrix) if matrix else ()
    return {(program.server, program.variant): (program, threads) for program, threads in found}


def _server_title(server: str, known: Programs) -> str:
    return known[server, None][0].title if (server, None) in known else server


def _titled(cell: CellInfo, known: Programs) -> CellInfo:
    """Return a cell whose title names its server, too."""
    return replace(cell, title=with_server(cell.title, _server_title(cell.server, known), cell.server))


def row_key(entry: str | TableRow) -> RowKey:
    """Return what an entry of a table's rows names."""
    return parse_row(entry if isinstance(entry, str) else entry.row)


def keys_of(table: Table) -> Iterator[CellKey]:
    """Yield what the rows of a matrix's table name, each with the table's mode of connections."""
    for entry in table.rows:
        if not isinstance(entry, Heading):
            key = row_key(entry)
            yield key.server, key.variant, key.threads, table.connection_mode


def key_of(trial: Trial) -> CellKey:
    """Return by what a table's row names a trial's cell."""
    return trial.server, trial.variant, trial.threads or 1, trial.mode


def cell_of(trial: Trial, kind: str = "measured") -> CellInfo:
    """Return the cell of a trial that is in no plan, as far as the trial tells; a count that it does not tell is 0.

    Only imported trials do not tell the threads: ours and published ones have one unless they say otherwise.
    """
    imported = kind == "imported"
    return CellInfo(
        id=trial.cell,
        slug=trial.slug,
        server=trial.server,
        variant=trial.variant,
        title=variant_name(trial.server, trial.variant),
        language=None,
        class_=kind if imported else "realistic",
        group="document",
        threads=trial.threads or (0 if imported else 1),
        connections=trial.connections or 0,
        mode=trial.mode,
        load=trial.load or "unknown",
        family="",
        status="planned",
        request=trial.request or "",
    )


def ok_trials(trials: Sequence[Trial]) -> tuple[Trial, ...]:
    """Return the trials whose numbers count."""
    return tuple(trial for trial in trials if trial.verdict == "ok" and (trial.requests_per_s or 0) > 0)


def is_solo(trial: Trial) -> bool:
    """Return whether a trial measured one cell alone and at full load; published trials have no design."""
    return trial.design in (None, "solo")


def _by_pair(trials: Iterable[Trial]) -> dict[tuple[str, str], tuple[Trial, ...]]:
    """Return the trials of each duet at full load."""
    found: defaultdict[tuple[str, str], list[Trial]] = defaultdict(list)
    for trial in trials:
        if trial.pair and trial.design not in PACED_DESIGNS:
            found[trial.pair].append(trial)
    return {pair: tuple(items) for pair, items in found.items()}


def _by_cell(trials: Iterable[Trial]) -> dict[str, tuple[Trial, ...]]:
    """Return each cell's trials; an interrupted one is left out once it was measured again."""
    trials = tuple(trials)
    done = {_place(trial) for trial in trials if trial.verdict != "not run"}
    found: defaultdict[str, list[Trial]] = defaultdict(list)
    for trial in trials:
        if trial.verdict != "not run" or _place(trial) not in done:
            found[trial.cell].append(trial)
    return {cell: tuple(items) for cell, items in found.items()}


def _place(trial: Trial) -> tuple[object, ...]:
    return trial.cell, trial.block, trial.pair, trial.design in PACED_DESIGNS


def _unmeasured(every: Mapping[str, tuple[Trial, ...]]) -> dict[str, tuple[Trial, ...]]:
    """Return the cells that have nothing but interrupted trials."""
    return {
        cell: of for cell, of in every.items() if all(trial.verdict == "not run" and is_solo(trial) for trial in of)
    }


def _by_key(cells: Iterable[CellInfo]) -> dict[CellKey, tuple[CellInfo, ...]]:
    found: defaultdict[CellKey, list[CellInfo]] = defaultdict(list)
    for cell in (cell for cell in cells if not cell.twin_of):
        found[cell.server, cell.variant, cell.threads, cell.mode].append(cell)
    return {key: tuple(items) for key, items in found.items()}


def _anchors(cells: Iterable[CellInfo], prefix: str) -> dict[str, str]:
    """Return an id for each cell that is unique, and safe in HTML and in links."""
    anchors: dict[str, str] = {}
    taken: set[str] = set()
    for number, cell in enumerate(cells):
        anchor = prefix + re.sub(r"[^A-Za-z0-9]+", "-", cell.id).strip("-")
        if anchor in taken:
            anchor = f"{anchor}-{number}"
        taken.add(anchor)
        anchors[cell.id] = anchor
    return anchors


def _numbers(published: Published) -> PublishedNumbers:
    trials = [trial for trial in ok_trials(published.trials) if is_solo(trial)]
    if published.run.kind == "imported":
        at = _medians(((key_of(each), each.connections, each.request or ""), each) for each in trials)
        return PublishedNumbers(published.run, {}, published.trials, at)
    return PublishedNumbers(published.run, _medians((key_of(each), each) for each in trials), published.trials)


def _medians(named: Iterable[tuple[Key, Trial]]) -> dict[Key, float]:
    found: defaultdict[Key, list[float]] = defaultdict(list)
    for key, trial in named:
        found[key].append(trial.requests_per_s or 0)
    return {key: statistics.median(values) for key, values in found.items()}
