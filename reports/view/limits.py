"""How much of a run one file can hold: the more trials a run has, the less the page shows of each.

A report is sent by mail and read on telephones, so its size is kept near 1 MB for a usual run and 2 MB for 250 cells.
The page says what it leaves out; the run folder has it. Pure, except that `read_for_report` reads.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import from_json

from runners.records.folder import TRIALS_FILE, read_folder
from runners.records.run import RunFolder
from runners.records.trial import TRIAL_SCHEMA, Check, Trial

MOST_FOLDED = 5000  # trials: of more, no cell can be unfolded, and only what tables need is read
MOST_DETAILED = 600  # trials: of more, their rows and checks are short
MOST_OUTPUTS = 80  # trials: of more, only each cell's first and so many that do not count have their output
MOST_WATCHED = 100  # cells: of more, only a detailed page shows counters over time
WRITTEN_ENDS = tuple(f',"schema":"{schema}"}}\n'.encode() for schema in (TRIAL_SCHEMA, "speedup.trial/1"))
CHECK = re.compile(rb'\{"id":"([^"\\]*)","name":"([^"\\]*)","outcome":"([a-z]*)"')
CHECKS = TypeAdapter(Check)
MOST_ORDER = 20_000  # characters of the planned order


@dataclass(frozen=True)
class Limits:
    """What the page shows of a run with so many trials."""

    trials: int

    @property
    def folds(self) -> bool:
        """Return whether the page has cells to unfold, and more than the matrix's own tables."""
        return self.trials <= MOST_FOLDED

    @property
    def details(self) -> bool:
        """Return whether every trial and every check is shown in full."""
        return self.trials <= MOST_DETAILED

    @property
    def all_outputs(self) -> bool:
        """Return whether the commands and output of every trial are shown."""
        return self.trials <= MOST_OUTPUTS

    @property
    def outputs(self) -> str:
        """Return which trials' commands and output are shown, as a part of a sentence."""
        if self.all_outputs:
            return "every trial"
        return f"each cell's first trial and of up to {MOST_OUTPUTS} trials that do not count"

    @property
    def left_out(self) -> str:
        """Return what the page leaves out, in words; empty where it has everything."""
        if not self.folds:
            return (
                f"{self.trials} trials are too many for one page: plots, CPU times, modes, scaling, latency and cells"
                " are left out. The run folder has everything; a run of fewer cells (--only) has a full report."
            )
        if not self.details:
            return (
                f"This run has {self.trials} trials. The page shows a short row for each, and only the checks that"
                f" failed or warned. It shows the commands and output of {self.outputs}; the file of outputs under Data"
                " has those of every trial, and the run folder has the rest."
            )
        if not self.all_outputs:
            return (
                f"This run has {self.trials} trials. The page shows the commands and output of {self.outputs};"
                " the file of outputs under Data has those of every trial."
            )
        return ""


def read_for_report(path: Path) -> RunFolder:
    """Read a run folder; if it is very large, only what its tables show of each trial."""
    if not _is_long(path / TRIALS_FILE):
        return read_folder(path)
    return read_folder(path, _LeanTrials().parse)


def _is_long(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            return next(itertools.islice(stream, MOST_FOLDED, None), None) is not None
    except OSError:  # none, or none that can be read: whoever reads it says so
        return False


class _LeanTrials:
    """Parses trials without evidence, latency and commands; like checks are kept once, without what they saw.

    Most of the time would go into JSON of which nothing is kept, so lines in the form that we write are cut before they
    are parsed. Quotes are escaped within a JSON string, so bytes like `,"checks":[` can only be a field's name.
    """

    def __init__(self) -> None:
        self.adapter = TypeAdapter(Trial)
        self.checks: dict[tuple[tuple[bytes, ...], ...], tuple[Check, ...]] = {}

    def parse(self, line: bytes) -> Trial:
        """Return a line's trial; ValueError, TypeError or LookupError if it holds none."""
        head, checks, tail = line.partition(b',"checks":[')
        inside, commands, tail = tail.partition(b'],"commands":[')
        _, end, tail = tail.partition(b'],"server_exit":')
        between, evidence, _ = tail.partition(b',"evidence":')
        found = CHECK.findall(inside)
        ours = checks and commands and end and evidence and line.endswith(WRITTEN_ENDS)
        if not ours or len(found) != inside.count(b'"outcome":'):
            return self.whole(line)
        record = from_json(b"".join((head, b',"server_exit":', between, b"}")))
        return self.trial(record, self.shared(tuple(found)))

    def whole(self, line: bytes) -> Trial:
        """Return the trial of a line in any other form."""
        record = from_json(line)
        if not isinstance(record, dict):
            raise TypeError("not a record")
        found = ((check["id"], check["name"], check["outcome"]) for check in record.get("checks", ()))
        return self.trial(record, self.shared(tuple(tuple(word.encode() for word in check) for check in found)))

    def trial(self, record: dict[str, Any], checks: tuple[Check, ...]) -> Trial:
        """Return a record's trial with these checks."""
        record |= {"evidence": None, "latency": None, "commands": (), "checks": checks}
        return self.adapter.validate_python(record)

    def shared(self, found: tuple[tuple[bytes, ...], ...]) -> tuple[Check, ...]:
        """Return the checks by id, name and outcome."""
        if found not in self.checks:
            words = [[word.decode() for word in check] for check in found]
            self.checks[found] = tuple(
                CHECKS.validate_python({"id": id_, "name": name, "outcome": outcome, "saw": ""})
                for id_, name, outcome in words
            )
        return self.checks[found]
