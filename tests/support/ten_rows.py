"""A run of ten rows: ties, one that is not resolved, one that is excluded, and a warning of each kind."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from runners.records.run import BuildInfo, CellInfo, Run, RunFolder
from runners.records.trial import Trial
from tests.support.example_run import write_folder
from tests.support.small_run import small_run

SPEEDS = {
    "first": 1.0, "twice": 2.0, "twice_too": 2.0, "thrice": 3.0, "half": 0.5, "tenth_more": 1.1, "restless": 1.03,
    "sevenfold": 7.0, "fourfold": 4.0, "missing": 1.0,
}  # fmt: skip
RESTLESS, MISSING, INVALID = "restless", "missing", "half"


def ten_rows(blocks: int = 12) -> RunFolder:
    """Return the run."""
    folder = small_run(SPEEDS, blocks=blocks)
    cells = tuple(
        dataclasses.replace(cell, status="unavailable", reason="its compiler is missing")
        if cell.server == MISSING
        else cell
        for cell in folder.run.cells
    )
    trials = tuple(_changed(trial) for trial in folder.trials if trial.server != MISSING)
    return RunFolder(folder.path, _head(folder.run, cells), trials)


def _head(run: Run, cells: tuple[CellInfo, ...]) -> Run:
    family = run.families[0]
    blocks = tuple(tuple(item for item in block if MISSING not in item[0]) for block in family.blocks)
    return dataclasses.replace(
        run,
        cells=cells,
        families=(dataclasses.replace(family, blocks=blocks),),
        machine_title="Invented machine",
        started_at="2026-11-24T18:00:00Z",
        notes=("The CPU frequency governor is unknown.",),
        builds=(BuildInfo(MISSING, "failed", ("make",), 1.0, None, "no compiler"),),
    )


def _changed(trial: Trial) -> Trial:
    """Return a trial that wobbles if it is the restless server's, and does not count if it is another's third."""
    if trial.server == RESTLESS and trial.requests_per_s:
        return dataclasses.replace(trial, requests_per_s=trial.requests_per_s * 1.06 ** (-1) ** (trial.block or 0))
    if trial.server == INVALID and trial.block == 2:
        return dataclasses.replace(trial, verdict="invalid", reason="V1 errors: 3 timeouts")
    return trial


def write_ten_rows(folder: Path) -> Path:
    """Write the run folder and return it."""
    made = ten_rows()
    return write_folder(folder, made.run, made.trials, {})
