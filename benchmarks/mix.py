"""What a mix of requests costs wrk: its rate with a mix of eight paths, relative to its rate with one path.

    python -m benchmarks.mix
    python -m benchmarks.mix --blocks 40

Each block has a trial of one second of either, in turns, and a duet of both, against the fastest server of ours
(`floor`), so that wrk is the bottleneck and any cost of the script shows. This prints the median of the ratios of the
rates of the first two, and of wrk's CPU time per request in the duet, which both sides spent in the same moments, with
exact 95 % intervals. The exit code is 1 if a whole interval lies beyond a cost of 5 %.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path

from benchmarks.built import built_servers
from runners.matrix.cells import Cell, Selection
from runners.matrix.requests.mix import Mix
from runners.matrix.requests.request import Expect, Request
from runners.plan.order import Slot
from runners.records.trial import Trial
from runners.stats.statistics import Estimate, median
from runners.trial.trial import Rig, measure

ALLOWED = 0.05
FLOOR = Selection(only=("floor/t1/*/persistent",))
PATHS = tuple(Request(f"/{letter * 8}", expect=Expect(body="Hello World")) for letter in "abcdefgh")


@dataclass(frozen=True)
class Found:
    """The ratios of the mix to one path: of the rates in turns, and of wrk's CPU time per request in duets."""

    rates: list[float]
    costs: list[float]


def measured(cell: Cell, rig: Rig, blocks: int) -> Found:
    """Return the ratios of all blocks; in every second one, the mix comes first."""
    one = replace(cell, request=PATHS[0], load=replace(cell.load, warmup_s=0.1, duration_s=1.0))
    mixed = replace(one, mix=Mix("paths", PATHS, (1,) * len(PATHS)))
    found = Found([], [])
    for block in range(blocks):
        turns = [one, mixed] if block % 2 else [mixed, one]
        alone = [trial for each in turns for trial in measure([each], Slot((each.id,), "", block, 0, block), rig)]
        found.rates.extend(_ratio(alone, one, attrgetter("requests_per_s")))
        both = measure(turns, Slot(tuple(each.id for each in turns), "", block, 0, block), rig)
        found.costs.extend(_ratio(both, one, attrgetter("client_cpu_us_per_request")))
    return found


def _ratio(trials: Sequence[Trial], one: Cell, figure: Callable[[Trial], float | None]) -> Iterator[float]:
    """Yield the figure of the mix relative to that of one path, if both trials have it."""
    of_one, of_mix = sorted(trials, key=lambda trial: trial.cell != one.id)
    path, mix = figure(of_one), figure(of_mix)
    if path and mix:
        yield mix / path


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
        found = measured(plan.measurable[0], rig, options.blocks)
    rate, cost = median(found.rates), median(found.costs)
    print(shown("rate with a mix / with one path, in turns", rate))
    print(shown("CPU per request of wrk, likewise, at the same time", cost))
    slower = rate.interval is not None and rate.interval.high < 1 - ALLOWED
    return int(slower or (cost.interval is not None and cost.interval.low > 1 + ALLOWED))


if __name__ == "__main__":
    raise SystemExit(main())
