"""Starts each server once, before anything is timed, and runs the honesty gates against it from outside."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from runners import resources
from runners.honesty import gates
from runners.honesty.gates import Target
from runners.honesty.gates.__main__ import words
from runners.matrix.cells import Cell
from runners.records.folder import LOGS, replace_file, to_json
from runners.records.run import Gate, Honesty
from runners.server.probe import wait_until_listening
from runners.server.process import HOST, READY_TIMEOUT_S, Logs, Programs, ServerProcess, TrialFailed, free_port, tail_of
from runners.server.sources import source_hash
from runners.system.machine import Layout
from runners.system.processes import describe_exit, start, stop, wait

AT_ONCE = 4  # most of a gate is waiting
FIRST_PORT = 400  # beyond those that trials take
PORTS_APART = 8
PATIENCE_S = 240.0  # more than all gates may take together
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
        chosen_cells = chosen(cells)
        found = {cell: honesty for cell in chosen_cells if (honesty := self._remembered(cell))}
        for honesty in found.values():
            said(honesty)
        unknown = [(number, cell) for number, cell in enumerate(chosen_cells) if cell not in found]
        for first in range(0, len(unknown), AT_ONCE):
            for cell, honesty in self._asked(unknown[first : first + AT_ONCE]):
                self._remember(cell, honesty)
                found[cell] = honesty
                said(honesty)
        return tuple(found[cell] for cell in chosen_cells)

    def _asked(self, cells: Iterable[tuple[int, Cell]]) -> list[tuple[Cell, Honesty]]:
        """Start some servers, run the gates against all of them at the same time, and stop them."""
        with ExitStack() as begun:
            examinations = []
            for number, cell in cells:
                port = free_port(FIRST_PORT + PORTS_APART * number)
                examinations.append(Examination(cell, port, self._logs(cell)))
                begun.callback(examinations[-1].stop)
                examinations[-1].start(self.layouts[cell.threads], self.programs)
            for examination in examinations:
                examination.ask()
            return [(each.cell, each.honesty()) for each in examinations]

    def _logs(self, cell: Cell) -> Logs:
        logs = Logs(self.folder, self.folder / LOGS / f"honesty-{cell.program.name}", f"t{cell.threads}")
        logs.folder.mkdir(parents=True, exist_ok=True)
        return logs

    def _file(self, cell: Cell) -> Path | None:
        return self.cache and self.cache / f"{cell.program.name}-{self._digest(cell)}.json"

    def _remembered(self, cell: Cell) -> Honesty | None:
        file = self._file(cell)
        if file is None or not file.exists():
            return None
        try:
            return _HONESTY.validate_json(file.read_bytes())
        except (OSError, ValidationError):
            return None

    def _remember(self, cell: Cell, honesty: Honesty) -> None:
        """Cache the result of a server that passes; one that fails, or is unknown, is examined again next time."""
        file = self._file(cell)
        if file and all(gate.outcome == "pass" for gate in honesty.gates if gate.required):
            file.parent.mkdir(parents=True, exist_ok=True)
            replace_file(file, to_json(honesty))

    def _digest(self, cell: Cell) -> str:
        """Return a hash of everything that the gates' results depend on."""
        facts = asdict(replace(cell, connections=0)) | {
            "tools": {name: self.tool_versions.get(name) for name in cell.program.needs},
            "gates": source_hash(GATES),
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


class Examination:
    """One server, started to be examined, and the process that runs the gates against it."""

    def __init__(self, cell: Cell, port: int, logs: Logs) -> None:
        self.cell, self.port, self.logs = cell, port, logs
        self.server: ServerProcess | None = None
        self.asker: subprocess.Popen[bytes] | None = None
        self.why_not = ""

    def start(self, layout: Layout, programs: Programs) -> None:
        """Start the server; `why_not` says why that failed."""
        try:
            self.server = ServerProcess(self.cell, layout, programs, self.logs, self.port)
        except TrialFailed as failure:
            self.why_not = str(failure)

    def ask(self) -> None:
        """Wait until the server listens, and start the gates."""
        if self.server is None:
            return
        process, cell = self.server.process, self.cell
        if not wait_until_listening(HOST, self.port, lambda: process.poll() is None, READY_TIMEOUT_S):
            self.why_not = self.server.why_silent()
            return
        target = Target(HOST, self.port, cell.path, cell.body.encode(), process.pid, keeps=cell.mode == "persistent")
        argv = [sys.executable, "-m", "runners.honesty.gates", words(target, cell.program.class_)]
        with self.logs.file("gates").open("wb") as output:
            self.asker = start(argv, output=output, cwd=resources.code())

    def honesty(self) -> Honesty:
        """Wait for the gates' results and return them."""
        return Honesty(self.cell.program.name, self.cell.threads, self.cell.program.class_, self._gates())

    def _gates(self) -> tuple[Gate, ...]:
        if self.server is None or self.asker is None:
            return (Gate("start", "It starts and listens.", required=True, outcome="fail", saw=self.why_not),)
        wait(self.asker, PATIENCE_S)
        found, code = self._read(), self.server.process.poll()
        return found if code is None else (*found, _died(code))

    def _read(self) -> tuple[Gate, ...]:
        """Return the results that the gates' process printed; if there are none, the server is not to blame."""
        file = self.logs.file("gates")
        try:
            return _GATES.validate_json(file.read_bytes())
        except ValidationError:
            saw = f"the process that runs the gates ended without a result: {tail_of(file)}"
            return (Gate("gates", "All gates can be run.", required=True, outcome="unknown", saw=saw),)

    def stop(self) -> None:
        """Stop both processes."""
        if self.asker is not None:
            stop(self.asker)
        if self.server is not None:
            self.server.stop()


def chosen(cells: Iterable[Cell]) -> tuple[Cell, ...]:
    """Return one cell for each variant: one with persistent connections if there is one, with the most threads."""
    best: dict[str, Cell] = {}
    for cell in cells:
        now = best.get(cell.program.name)
        if not cell.twin and (now is None or _rank(cell) > _rank(now)):
            best[cell.program.name] = cell
    return tuple(best.values())


def _rank(cell: Cell) -> tuple[bool, int]:
    return cell.mode == "persistent", cell.threads


def _died(code: int) -> Gate:
    return Gate(
        "alive", "It survives all gates.", required=True, outcome="fail", saw=f"it ended: {describe_exit(code)}"
    )
