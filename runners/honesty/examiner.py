"""Starts each server once, before anything is timed, and runs the honesty gates against it from outside."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from runners import resources
from runners.errors import SpeedupError
from runners.honesty import gates
from runners.honesty.gates import Target
from runners.honesty.gates.__main__ import words
from runners.matrix.cells import Cell
from runners.matrix.model import MODES, Mode
from runners.matrix.requests.request import Request
from runners.records.files import replace_file
from runners.records.folder import LOGS, to_json
from runners.records.run import Gate, Honesty
from runners.server.limits import LOOK_S
from runners.server.process import HOST, Logs, Programs, ServerProcess, TrialFailed, free_port, tail_of
from runners.server.sources import source_hash
from runners.server.unisolated import server_process
from runners.system.machine import Layout
from runners.system.processes import start, stop, wait

AT_ONCE = 4  # most of a gate is waiting
FIRST_PORT = 400  # beyond those that trials take
PORTS_APART = 8
PATIENCE_S = 600.0  # more than all gates may take together
MOST_CONNECTIONS = 1100  # a larger crowd tells no more
UNSURE = {"start", "gates"}  # may be for reasons that lie outside the server
GATES = Path(gates.__file__).parent
_HONESTY = TypeAdapter(Honesty)
_GATES = TypeAdapter(tuple[Gate, ...])

Said = Callable[[Honesty], object]


@dataclass(frozen=True)
class Examiner:
    """What it takes to examine servers: where they are, where their output goes, and where passes are cached.

    Without a `cache`, every server is examined again.
    """

    programs: Programs
    layouts: Mapping[int, Layout]
    folder: Path
    tool_versions: Mapping[str, str]
    cache: Path | None

    def examine(self, cells: Iterable[Cell], said: Said) -> tuple[Honesty, ...]:
        """Examine each variant among the cells, several at a time, and pass each result to `said` at once."""
        subjects = subjects_of(cells)
        found = {subject: honesty for subject in subjects if (honesty := self._remembered(subject))}
        for honesty in found.values():
            said(honesty)
        unknown = [(number, subject) for number, subject in enumerate(subjects) if subject not in found]
        at_once = 1 if any(subject.cell.program.port for _, subject in unknown) else AT_ONCE  # it may be the same port
        for first in range(0, len(unknown), at_once):
            for subject, honesty in self._asked(unknown[first : first + at_once]):
                self._remember(subject, honesty)
                found[subject] = honesty
                said(honesty)
        return tuple(found[subject] for subject in subjects)

    def _asked(self, subjects: Iterable[tuple[int, Subject]]) -> list[tuple[Subject, Honesty]]:
        """Start some servers, run the gates against all of them at the same time, and stop them."""
        with ExitStack() as begun:
            examinations = []
            for number, subject in subjects:
                port = subject.cell.program.port or free_port(FIRST_PORT + PORTS_APART * number)
                examinations.append(Examination(subject, port, self._logs(subject.cell)))
                begun.callback(examinations[-1].stop)
                examinations[-1].start(self.layouts[subject.cell.threads], self.programs)
            for examination in examinations:
                examination.ask()
            return [(each.subject, each.honesty()) for each in examinations]

    def _logs(self, cell: Cell) -> Logs:
        logs = Logs(self.folder, self.folder / LOGS / f"honesty-{cell.program.name}", f"t{cell.threads}")
        logs.folder.mkdir(parents=True, exist_ok=True)
        return logs

    def _file(self, subject: Subject) -> Path | None:
        return self.cache and self.cache / f"{subject.cell.program.name}-{self._digest(subject)}.json"

    def _remembered(self, subject: Subject) -> Honesty | None:
        file = self._file(subject)
        if file is None or not file.exists():
            return None
        try:
            return _HONESTY.validate_json(file.read_bytes())
        except (OSError, ValidationError):
            return None

    def _remember(self, subject: Subject, honesty: Honesty) -> None:
        """Cache the result until something about the server changes, unless a gate of its class could not be judged."""
        file = self._file(subject)
        unsure = any(gate.id in UNSURE or (gate.required and gate.outcome == "unknown") for gate in honesty.gates)
        if file and not unsure:
            with suppress(OSError, SpeedupError):  # it is then examined again next time
                file.parent.mkdir(parents=True, exist_ok=True)
                replace_file(file, to_json(honesty))

    def _digest(self, subject: Subject) -> str:
        """Return a hash of everything that the gates' results depend on."""
        facts = asdict(subject) | {
            "tools": {name: self.tool_versions.get(name) for name in subject.cell.program.needs},
            "gates": source_hash(GATES),
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True, default=bytes.hex).encode()).hexdigest()[:16]


class Examination:
    """One server, started to be examined, and the process that runs the gates against it."""

    def __init__(self, subject: Subject, port: int, logs: Logs) -> None:
        self.subject, self.cell, self.port, self.logs = subject, subject.cell, port, logs
        self.server: ServerProcess | None = None
        self.asker: subprocess.Popen[bytes] | None = None
        self.why_not = ""

    def start(self, layout: Layout, programs: Programs) -> None:
        """Start the server; `why_not` says why that failed."""
        try:
            self.server = server_process(self.cell, layout, programs, self.logs, self.port)
        except TrialFailed as failure:
            self.why_not = str(failure)

    def ask(self) -> None:
        """Wait until the server answers, rightly or not, and start the gates."""
        if self.server is None:
            return
        self.why_not = self.server.why_unready() or ""
        if self.why_not:
            return
        target = self.subject.target(self.port, self.server.pid)
        file = self.logs.write("target", words(target, self.cell.program.class_).encode())
        argv = [sys.executable, "-m", "runners.honesty.gates", str(file)]
        with self.logs.create("gates") as output:
            self.asker = start(argv, output=output, cwd=resources.code())

    def honesty(self) -> Honesty:
        """Wait for the gates' results and return them."""
        return Honesty(self.cell.program.name, self.cell.threads, self.cell.program.class_, self._gates())

    def _gates(self) -> tuple[Gate, ...]:
        if self.server is None or self.asker is None:
            return (Gate("start", "It starts and listens.", required=True, outcome="fail", saw=self.why_not),)
        breach = self._wait_within_limits(self.asker, self.server)
        if breach:
            return (Gate("limits", "It stays within the matrix's limits.", required=True, outcome="fail", saw=breach),)
        found, end = self._read(), self.server.end()
        return found if end is None else (*found, _died(end, self.cell.program.class_))

    @staticmethod
    def _wait_within_limits(asker: subprocess.Popen[bytes], server: ServerProcess) -> str | None:
        """Wait for the end of the gates, or until the server exceeds a limit; return which one, in a sentence."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and not wait(asker, LOOK_S):
            if breach := server.exceeds():
                return breach
        return None

    def _read(self) -> tuple[Gate, ...]:
        """Return the results that the gates' process printed; if there are none, the server is not to blame."""
        try:
            return _GATES.validate_json(self.logs.read("gates"))
        except ValidationError:
            saw = f"the process that runs the gates ended without a result: {tail_of(self.logs.file('gates'))}"
            return (Gate("gates", "All gates can be run.", required=True, outcome="unknown", saw=saw),)

    def stop(self) -> None:
        """Stop both processes."""
        if self.asker is not None:
            stop(self.asker)
        if self.server is not None:
            self.server.stop()


@dataclass(frozen=True)
class Subject:
    """A variant to examine: one of its cells, and how it is measured in all of them."""

    cell: Cell
    modes: tuple[Mode, ...]
    connections: int
    others: tuple[Request, ...] = ()

    def target(self, port: int, pid: int) -> Target:
        """Return it as what the gates visit."""
        keeps, closes = ("persistent" in self.modes), ("non-persistent" in self.modes)
        most = min(self.connections, MOST_CONNECTIONS)
        return Target(HOST, port, self.cell.request, pid, keeps, closes, most, self.others)


def subjects_of(cells: Iterable[Cell]) -> tuple[Subject, ...]:
    """Return what to examine of each variant, in a cell with persistent connections if possible, and many threads."""
    by_variant: dict[str, list[Cell]] = {}
    for cell in cells:
        if not cell.twin:
            by_variant.setdefault(cell.program.name, []).append(cell)
    return tuple(map(_subject, by_variant.values()))


def _subject(cells: Sequence[Cell]) -> Subject:
    best = max(cells, key=_rank)
    modes = tuple(mode for mode in MODES if any(cell.mode == mode for cell in cells))
    first = replace(best.request, name=best.requests[0].name)
    requests = dict.fromkeys(request for cell in cells for request in cell.requests)
    others = tuple(request for request in requests if request != first)
    return Subject(replace(best, connections=0), modes, max(cell.connections for cell in cells), others)


def _rank(cell: Cell) -> tuple[bool, int]:
    return cell.mode == "persistent", cell.threads


def _died(end: str, class_: str) -> Gate:
    return Gate(
        "alive",
        "It survives all gates.",
        required=class_ != "application",
        outcome="fail",
        saw=f"it ended: {end}",
        kind="robustness",
    )
