"""The two statistical cases: a server against itself, and against one that is slower by a known 3 %, both in duets.

The first case says how much 3 % is: its duets measure what a request costs here, and the second server spins for 3 % of
that. The duets need only report about that much, since the rest of a request's cost changes too, on some machines by
as much again: a slower server gets its events in other batches.
"""

from __future__ import annotations

import logging
import math
import random
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from runners.matrix.cells import LoadSettings
from runners.plan.order import Slot, starts
from runners.records.trial import Trial
from runners.selftest.case import CaseResult, Need
from runners.selftest.measuring import CaseRunner
from runners.stats.comparison import SERVER_COST, log_ratios
from runners.stats.statistics import Estimate, judge_cost, ratio
from runners.trial.trial import measure

log = logging.getLogger(__name__)

WANTED = 10
LOOKS = (10, 20, 40)  # valid duets after which the slowed pair has enough, if its interval is narrow by then
NARROW = 0.01  # half-width; only the width says whether there are more, as in a run
REPEATS = 1.4  # times as many duets at most, as some do not count
SLOWDOWN = 0.03
BASELINE_SPIN_NS = 2000  # both servers spin, so that the loop that watches the clock overshoots equally in both
FACTOR = 3  # by which the reported difference may deviate from the spin alone
LOAD = LoadSettings("wrk", 0.2, 1.0, None)
NEEDS: tuple[Need, ...] = ("wrk", "namespace")

SAME, SLOWED = "two identical servers", "a server slowed by 3 %"
NAMES = (SAME, SLOWED)


@dataclass(frozen=True)
class PairTrials:
    """The trials of one pair's duets: those of the row, and those of the baseline."""

    rows: tuple[Trial, ...]
    baselines: tuple[Trial, ...]

    @property
    def estimate(self) -> Estimate | None:
        """Return the ratio of the row's CPU time per request to the baseline's."""
        logs = log_ratios(self.rows, self.baselines, SERVER_COST)
        return ratio(logs) if logs else None

    @property
    def half_width(self) -> float:
        """Return the half-width of the ratio's interval, on the log scale; infinite without one."""
        found = self.estimate.interval if self.estimate else None
        return math.log(found.high / found.low) / 2 if found else math.inf

    @property
    def base_cost_us(self) -> float:
        """Return the baseline's CPU time per request in microseconds: the median of the duets."""
        return statistics.median(t.server_cpu_us_per_request or math.nan for t in self.baselines if t.verdict == "ok")

    @property
    def spoilt(self) -> tuple[Trial, ...]:
        """Return the trials that do not count."""
        return tuple(trial for trial in (*self.rows, *self.baselines) if trial.verdict != "ok")


def run_comparisons(names: Sequence[str], bench: CaseRunner) -> list[CaseResult]:
    """Run the chosen statistical cases and return their results."""
    missing = tuple(bench.lacks[need] for need in NEEDS if need in bench.lacks)
    if missing or not names:
        return [replace(_blank(name), why=missing) for name in names]
    began = time.monotonic()
    same = measure_pair(bench, more_ns=0)
    results = [replace(judge_same(same), seconds=time.monotonic() - began)] if SAME in names else []
    if SLOWED in names and len(same.baselines) > len(same.spoilt):
        began = time.monotonic()
        more_ns = round(SLOWDOWN * same.base_cost_us * 1000)
        slowed = measure_pair(bench, more_ns=more_ns, looks=LOOKS)
        results.append(replace(judge_slowed(slowed, more_ns), seconds=time.monotonic() - began))
    return [replace(result, seconds=round(result.seconds, 1)) for result in results]


def measure_pair(bench: CaseRunner, more_ns: int, looks: Sequence[int] = (WANTED,)) -> PairTrials:
    """Measure duets of a server and one that spins `more_ns` longer per request, until enough are valid.

    Enough is the first of the looks at which their interval is narrow, or the last.
    """
    baseline = bench.cell("plain", ("server.py", f"--spin-ns={BASELINE_SPIN_NS}"), LOAD)
    row = bench.cell("spinning", ("server.py", f"--spin-ns={BASELINE_SPIN_NS + more_ns}"), LOAD)
    series = PairTrials((), ())
    chance = random.Random(more_ns)  # noqa: S311 - an order, not a secret
    for block, cells in enumerate(starts((row, baseline), round(REPEATS * looks[-1]), chance)):
        slot = Slot(tuple(cell.id for cell in cells), f"{baseline.family}/duet", block, 0, block)
        records = {trial.cell: trial for trial in measure(cells, slot, bench.rig())}
        series = PairTrials((*series.rows, records[row.id]), (*series.baselines, records[baseline.id]))
        if series.spoilt and series.spoilt[-1].block == block:
            log.info(f"  a duet does not count: {series.spoilt[-1].reason}")
        valid = block + 1 - len({trial.block for trial in series.spoilt})
        if valid == looks[-1] or (valid in looks and series.half_width <= NARROW):
            break
    return series


def judge_same(series: PairTrials) -> CaseResult:
    """Return whether identical servers were left unresolved or called equivalent."""
    blank = _blank(SAME)
    estimate = series.estimate
    if estimate is None:
        return replace(blank, status="failed", why=_nothing(series))
    answer = judge_cost(estimate).answer
    why = () if answer in {"equivalent", "not resolved"} else (f"it was called {answer}",)
    return _result(blank, series, estimate, why)


def judge_slowed(series: PairTrials, more_ns: int) -> CaseResult:
    """Return whether the slower server was called costlier, by about the true amount."""
    estimate = series.estimate
    if estimate is None:
        return replace(_blank(SLOWED), status="failed", why=_nothing(series))
    truth = 1 + more_ns / 1000 / series.base_cost_us
    blank = replace(_blank(SLOWED), truth=f"{more_ns} ns more per request, a ratio of {truth:.3f}")
    answer, why = judge_cost(estimate).answer, []
    if answer != "costlier":
        why.append(f"it was called {answer}")
    if not (truth - 1) / FACTOR < estimate.value - 1 < (truth - 1) * FACTOR:
        why.append(f"it is off by more than a factor of {FACTOR}")
    return _result(blank, series, estimate, tuple(why))


def _blank(name: str) -> CaseResult:
    wanted = "not different" if name == SAME else "costlier"
    truth = "ratio 1" if name == SAME else "3 % more CPU time per request"
    return CaseResult(name, truth, "duets", wanted, "not run")


def _result(blank: CaseResult, series: PairTrials, estimate: Estimate, why: tuple[str, ...]) -> CaseResult:
    interval = estimate.interval
    between = f", {interval.low:.3f} to {interval.high:.3f}" if interval else ""
    answer = judge_cost(estimate).answer
    return replace(
        blank,
        status="failed" if why else "passed",
        verdict=answer,
        reported=(f"{answer}: {estimate.value:.3f}{between} in {estimate.count} duets",),
        why=why,
        retried=tuple(trial.reason or "" for trial in series.spoilt),
    )


def _nothing(series: PairTrials) -> tuple[str, ...]:
    reasons = {trial.reason or "" for trial in series.spoilt}
    return (f"no duet was valid: {'; '.join(sorted(reasons))}",)
