"""What a mix of requests costs wrk: its rate with a mix of eight paths, relative to its rate with one path.

    python -m benchmarks.mix
    python -m benchmarks.mix --blocks 40

Blocks of two trials of one second each, in turns, against the fastest server of ours (`floor`), so that wrk is the
bottleneck and any cost of the script shows. This prints the median of the ratios of the rates, and of wrk's CPU time
per request, with exact 95 % intervals. The exit code is 1 if the whole interval lies beyond a cost of 5 %.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.built import built_servers
from runners.matrix.cells import Cell, Selection
from runners.matrix.mix import Mix
from runners.matrix.request import Expect, Request
from runners.plan.order import Slot
from runners.records.trial import Trial
from runners.stats.statistics import Estimate, median
from runners.trial.trial import Rig, measure

ALLOWED = 0.05
FLOOR = Selection(only=("floor/t1/*/persistent",))
PATHS = tuple(Request(f"/{letter * 8}", expect=Expect(body="Hello World")) for letter in "abcdefgh")


@dataclass(frozen=True)
class Pair:
    """The trials of one block."""

    one: Trial
    mixed: Trial

    @property
    def rate(self) -> float:
        """Return the mix's rate, relative to that of one path."""
        return (self.mixed.requests_per_s or 0.0) / (self.one.requests_per_s or 1.0)

    @property
    def cost(self) -> float:
        """Return wrk's CPU time per request with the mix, relative to that with one path."""
        return (self.mixed.client_cpu_us_per_request or 0.0) / (self.one.client_cpu_us_per_request or 1.0)


def measured(cell: Cell, rig: Rig, blocks: int) -> list[Pair]:
    """Return the pairs, the two of each in turns first."""
    one = replace(cell, request=PATHS[0], load=replace(cell.load, warmup_s=0.1, duration_s=1.0))
    mixed = replace(one, mix=Mix("paths", PATHS, (1,) * len(PATHS)))
    pairs = []
    for block in range(blocks):
        turns = (one, mixed) if block % 2 else (mixed, one)
        trials = {each.id: measure([each], Slot((each.id,), "", block, 0, block), rig)[0] for each in turns}
        pairs.append(Pair(trials[one.id], trials[mixed.id]))
    return [pair for pair in pairs if pair.one.requests_per_s and pair.mixed.requests_per_s]


def shown(name: str, found: Estimate) -> str:
    """Return a line about a median ratio."""
    interval = f"{found.interval.low:.3f} to {found.interval.high:.3f}, " if found.interval else ""
    return f"{name}: {found.value:.3f} ({interval}{found.count} pairs)"


def main() -> int:
    """Measure, print and judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=int, default=30)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        plan, rig = built_servers(Path(folder), FLOOR)
        pairs = measured(plan.measurable[0], rig, options.blocks)
    rate = median([pair.rate for pair in pairs])
    print(shown("rate with a mix / with one path", rate))
    print(shown("CPU per request of wrk, likewise", median([pair.cost for pair in pairs])))
    return int(rate.interval is not None and rate.interval.high < 1 - ALLOWED)


if __name__ == "__main__":
    raise SystemExit(main())
