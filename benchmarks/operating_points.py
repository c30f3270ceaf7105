"""Does a server's cost differ between duets and trials alone, and between full load and a fixed rate? A study.

    python -m benchmarks.operating_points --pairs epoll:asynchttp h2o:epoll --rate 12000 --blocks 6

For each pair of variants of the default matrix, the ratio of server CPU time per request is measured in four ways: both
at the same time or one after the other (in turns), each at full load (wrk) or at the same fixed rate (h2load). It
prints the median ratio and the standard deviation of its logarithm. The four ways give different results if servers
differ in how they handle many events at once.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.built import built_servers
from runners.matrix.cells import Cell, Selection
from runners.plan.order import Offer, Slot
from runners.plan.planning import Plan
from runners.records.trial import Trial
from runners.trial.trial import Rig, measure


@dataclass
class Study:
    """The built servers, and ways to measure two of them."""

    plan: Plan
    rig: Rig
    rate_per_s: float
    count: int = 0

    def _slot(self, cells: tuple[Cell, ...], block: int, *, paced: bool) -> Slot:
        self.count += 1
        offer = Offer("paced", self.rate_per_s, self.rate_per_s, 1.0) if paced else None
        return Slot(tuple(cell.id for cell in cells), "study", block, 0, self.count, offer)

    def duet(self, row: Cell, baseline: Cell, block: int, *, paced: bool) -> float | None:
        """Return the log cost ratio of both at the same time; which one starts first alternates."""
        cells = (row, baseline) if block % 2 else (baseline, row)
        trials = measure(cells, self._slot(cells, block, paced=paced), self.rig)
        return next(trial.cost_log_ratio for trial in trials if trial.cell == row.id)

    def apart(self, row: Cell, baseline: Cell, block: int, *, paced: bool) -> float | None:
        """Return the log cost ratio of both, one after the other."""
        cells = (row, baseline) if block % 2 else (baseline, row)
        costs = {trial.cell: _cost(trial) for cell in cells for trial in self._alone(cell, block, paced=paced)}
        mine, theirs = costs[row.id], costs[baseline.id]
        return math.log(mine / theirs) if mine and theirs else None

    def _alone(self, cell: Cell, block: int, *, paced: bool) -> tuple[Trial, ...]:
        return measure((cell,), self._slot((cell,), block, paced=paced), self.rig)


def _cost(trial: Trial) -> float | None:
    return trial.server_cpu_us_per_request


def cell_of(plan: Plan, name: str) -> Cell:
    """Return a variant's cell with one thread and persistent connections."""
    return next(
        replace(cell, connections=32)
        for cell in plan.measurable
        if (cell.program.name, cell.threads, cell.mode, cell.twin) == (name, 1, "persistent", False)
    )


def ways(study: Study, row: Cell, baseline: Cell, blocks: int) -> Iterator[tuple[str, list[float]]]:
    """Yield each way to measure, with the log ratios of its blocks."""
    for paced in (False, True):
        for name, way in (("in a duet", study.duet), ("alone", study.apart)):
            found = [way(row, baseline, block, paced=paced) for block in range(blocks)]
            pace = f"at {study.rate_per_s:,.0f} req/s" if paced else "at full load"
            yield f"{name}, {pace}", [value for value in found if value is not None]


def main() -> None:
    """Measure the pairs and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", nargs="+", default=["epoll:asynchttp", "h2o:epoll", "go:asynchttp"])
    parser.add_argument("--rate", type=float, default=12000, help="requests per second to each server when paced")
    parser.add_argument("--blocks", type=int, default=6)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        study = Study(*built_servers(Path(name), Selection()), options.rate)
        for pair in options.pairs:
            row, baseline = (cell_of(study.plan, part) for part in pair.split(":"))
            for way, logs in ways(study, row, baseline, options.blocks):
                spread = statistics.stdev(logs) if len(logs) > 1 else math.nan
                ratio = math.exp(statistics.median(logs)) if logs else math.nan
                print(f"{pair:28}{way:26}{ratio:8.3f}  sd {spread:6.2%}  n {len(logs)}", flush=True)


if __name__ == "__main__":
    main()
