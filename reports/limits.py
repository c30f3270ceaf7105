"""How much of a run one file can hold: everything of a usual run, less and less of each cell of a large one.

A report is sent by mail and read on telephones, so its size is kept near 1 MB for a usual run and 2 MB for 250 cells.
What is left out is said in the page, and is in the run folder. Pure, except that `read_for_report` reads.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import from_json

from runners.folder import TRIALS_FILE, read_folder, read_run, read_trials
from runners.records import TRIAL_SCHEMA, Check, RunFolder, Trial

MOST_FOLDED = 5000  # trials; of more, no cell can be unfolded, and only what tables need is read
MOST_DETAILED = 600  # trials; of more, their rows and checks are short
MOST_OUTPUTS = 300  # trials whose command lines and outputs are shown
WRITTEN_END = f',"schema":"{TRIAL_SCHEMA}"}}\n'.encode()  # behind the evidence
MOST_ORDER = 20_000  # characters of the planned order


@dataclass(frozen=True)
class Limits:
    """What the page shows of a run of so many trials."""

    trials: int

    @property
    def folds(self) -> bool:
        """Return whether cells unfold, and tables beyond the matrix's own are shown."""
        return self.trials <= MOST_FOLDED

    @property
    def details(self) -> bool:
        """Return whether each trial and each check is shown with all that is known of it."""
        return self.trials <= MOST_DETAILED

    @property
    def said(self) -> str:
        """Return what is left out, in a sentence; empty where nothing is."""
        if not self.folds:
            return (
                f"{self.trials} trials are too many for one page: CPU times, modes, scaling, latency and single cells"
                " are left out. The run folder has everything; so has the report of a run with fewer cells (--only)."
            )
        if not self.details:
            return (
                f"{self.trials} trials: of each, the page shows a short row; of checks, those that failed or warned;"
                f" commands and output of {MOST_OUTPUTS} trials. The run folder has the rest: trials.jsonl, logs."
            )
        if self.trials > MOST_OUTPUTS:
            return (
                f"Of {self.trials} trials, the page shows the commands and output of {MOST_OUTPUTS}; the run folder's"
                " logs have all."
            )
        return ""


def read_for_report(path: Path) -> RunFolder:
    """Read a run folder; of a very large one, of each trial only what its tables show."""
    if not _is_long(path / TRIALS_FILE):
        return read_folder(path)
    return RunFolder(path=path, run=read_run(path), trials=read_trials(path, _LeanTrials().parse))


def _is_long(file: Path) -> bool:
    if not file.exists():
        return False
    with file.open("rb") as stream:
        return next(itertools.islice(stream, MOST_FOLDED, None), None) is not None


class _LeanTrials:
    """Parses trials without evidence, latency and commands; checks that came out alike are kept once, unseen."""

    def __init__(self) -> None:
        self.adapter = TypeAdapter(Trial)
        self.checks: dict[tuple[tuple[str, str], ...], tuple[Check, ...]] = {}

    def parse(self, line: bytes) -> Trial:
        """Return a line's trial; ValueError, TypeError or LookupError where it is none."""
        record: Any = from_json(_without_evidence(line))
        if not isinstance(record, dict):
            raise TypeError("not a record")
        record |= {"evidence": None, "latency": None, "commands": (), "checks": self.shared(record.get("checks", ()))}
        return self.adapter.validate_python(record)

    def shared(self, checks: Iterable[dict[str, Any]]) -> tuple[Check, ...]:
        """Return the checks by name and outcome."""
        key = tuple((check["id"], check["outcome"]) for check in checks)
        if key not in self.checks:
            self.checks[key] = tuple(Check(check["id"], check["name"], check["outcome"], "") for check in checks)
        return self.checks[key]


def _without_evidence(line: bytes) -> bytes:
    """Return a line as we write it, cut before its evidence, a third of its length; any other line as it is.

    Within a string of JSON the quotes would be escaped, so these bytes are the field's name.
    """
    if not line.endswith(WRITTEN_END):
        return line
    head, found, _ = line.partition(b',"evidence":')
    return head + b"}" if found else line
