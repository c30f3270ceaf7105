"""Does a server survive? A minute of load over 400 connections on each Nim variant, with each number of threads.

    python -m benchmarks.soak
    python -m benchmarks.soak --only 'asynchttp.boehm' --duration 300

Prints a line for each cell: whether it survived, how it ended, and how much its memory grew. A crash is a result: it is
printed with the signal's name, and the next cell follows. The exit code is 1 if a server died.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.built import built_servers
from runners.matrix.cells import Cell, Selection
from runners.plan.order import Slot
from runners.records.trial import Trial
from runners.trial.trial import Rig, measure


def soaked(cell: Cell, rig: Rig, number: int) -> Trial:
    """Put load on one server once; return its trial."""
    slot = Slot((cell.id,), "soak", 0, 0, number)
    (trial,) = measure([cell], slot, rig)
    return trial


def line_of(trial: Trial, cell: Cell) -> str:
    """Return what became of the server, in a line."""
    if trial.verdict == "failed":
        return f"{cell.slug:52} {trial.reason}"
    evidence = trial.evidence
    growth = evidence.rss_growth_bytes if evidence else None
    grew = "memory unknown" if growth is None else f"memory {growth / 2**20:+.1f} MiB"
    why = f"; {trial.reason}" if trial.reason else ""
    return f"{cell.slug:52} survived; {trial.requests} requests, {grew}{why}"


def cells_of(measurable: Sequence[Cell], options: argparse.Namespace) -> list[Cell]:
    """Return the Nim cells, with the connections and the duration from the options."""
    nim = [cell for cell in measurable if cell.program.language == "Nim" and not cell.twin]
    return [
        replace(cell, connections=options.connections, load=replace(cell.load, duration_s=options.duration))
        for cell in nim
        if cell.mode == options.mode
    ]


def main() -> int:
    """Put load on one server after another, and print what became of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[], metavar="GLOB", help="only cells like 'asynchttp.*'")
    parser.add_argument("--connections", type=int, default=400)
    parser.add_argument("--duration", type=int, default=60, help="seconds of load on each cell")
    parser.add_argument("--mode", choices=["persistent", "non-persistent"], default="persistent")
    options = parser.parse_args()
    died = False
    with tempfile.TemporaryDirectory() as name:
        plan, rig = built_servers(Path(name), Selection(only=tuple(options.only), group=("*",)))
        for number, cell in enumerate(cells_of(plan.measurable, options)):
            trial = soaked(cell, rig, number)
            died |= trial.verdict == "failed"
            print(line_of(trial, cell), flush=True)
    return 1 if died else 0


if __name__ == "__main__":
    sys.exit(main())
