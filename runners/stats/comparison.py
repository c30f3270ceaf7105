"""Decides which trials count, and compares cells with their family's baseline. Pure.

A block with an invalid trial is repeated whole, so that pairing by block holds; one attempt at each block counts. Solo
trials are compared by rate, duets by the server's CPU time per request. Check V23 compares each family's baseline with
its A/A twin, the same cell under another name: any difference between the two is noise.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from runners.records.trial import Check, Outcome, Trial
from runners.stats.statistics import LEVEL, MIN_VALUES, Estimate, attainable_level, family_level, judge, ratio

SERVER_COST = "server_cpu_us_per_request"

Pair = tuple[str, str] | None
Key = tuple[str | None, int | None]  # a family's name, and a block


def counting(trials: Iterable[Trial]) -> tuple[Trial, ...]:
    """Return the trials of the best attempt at each block of each family: the one with the most valid trials.

    Of equally good attempts the first one counts, so that no trial is chosen by its value. An attempt that was
    interrupted, and so has fewer trials than another, counts only when it is completed.
    """
    attempts: dict[Key, dict[int, dict[tuple[str, Pair], Trial]]] = {}
    for trial in trials:
        if trial.verdict != "not run":
            of_block = attempts.setdefault((trial.family, trial.block), {})
            of_block.setdefault(trial.attempt, {})[trial.cell, trial.pair] = trial
    best = (max(of_block.items(), key=_worth)[1] for of_block in attempts.values())
    return tuple(trial for found in best for trial in found.values())


def _worth(attempt: tuple[int, Mapping[tuple[str, Pair], Trial]]) -> tuple[int, int, int]:
    number, trials = attempt
    return len(trials), sum(trial.verdict == "ok" for trial in trials.values()), -number


def log_ratios(row: Iterable[Trial], baseline: Iterable[Trial], value: str) -> list[float]:
    """Return the natural log of row / baseline for each block in which both are valid; `value` names the figure.

    For the server's cost in a duet, this is the log ratio that `runners.trial.duets` computed from the two trials.
    """
    baselines = {trial.block: trial for trial in baseline if trial.verdict == "ok"}
    pairs = ((trial, baselines[trial.block]) for trial in row if trial.verdict == "ok" and trial.block in baselines)
    found = (_log_ratio(mine, theirs, value) for mine, theirs in pairs)
    return [log_ratio for log_ratio in found if log_ratio is not None]


def _log_ratio(mine: Trial, theirs: Trial, value: str) -> float | None:
    if value == SERVER_COST and mine.cost_log_ratio is not None and mine.pair == theirs.pair:
        return mine.cost_log_ratio
    numbers = getattr(mine, value), getattr(theirs, value)
    return math.log(numbers[0] / numbers[1]) if numbers[0] and numbers[1] else None


@dataclass(frozen=True)
class Compared:
    """A cell compared with its baseline: by which figure, and the ratio's estimate (None without a common block)."""

    cell: str
    baseline: str
    value: str
    estimate: Estimate | None

    @property
    def half_width(self) -> float:
        """Return half the interval's width on the log scale; infinite while there is no interval."""
        if self.estimate is None or self.estimate.interval is None:
            return math.inf
        interval = self.estimate.interval
        return math.log(interval.high / interval.low) / 2


def compare_family(trials: Sequence[Trial], baseline: str) -> tuple[Compared, ...]:
    """Compare every cell of a solo family with its baseline, at the family's joint level."""
    by_cell: dict[str, list[Trial]] = {}
    for trial in trials:
        by_cell.setdefault(trial.cell, []).append(trial)
    rows = [cell for cell in by_cell if cell != baseline]
    value = "requests_per_s"
    return tuple(
        Compared(
            cell, baseline, value, _estimate(log_ratios(by_cell[cell], by_cell.get(baseline, ()), value), len(rows))
        )
        for cell in rows
    )


def compare_duets(trials: Sequence[Trial], baseline: str) -> tuple[Compared, ...]:
    """Compare the CPU time per request within every pair of a duet family, at the family's joint level."""
    pairs: dict[tuple[str, str], list[Trial]] = {}
    for trial in trials:
        if trial.pair is not None:
            pairs.setdefault(trial.pair, []).append(trial)
    value = "server_cpu_us_per_request"
    return tuple(
        Compared(row, baseline, value, _estimate(_duet_ratios(members, row, value), len(pairs)))
        for pair, members in pairs.items()
        for row in (duet_row(pair, baseline),)
    )


def duet_row(pair: tuple[str, str], baseline: str) -> str:
    """Return the cell of a pair that is compared with `baseline`."""
    first, second = pair
    return second if first == baseline else first


def _duet_ratios(members: Sequence[Trial], row: str, value: str) -> list[float]:
    rows = [trial for trial in members if trial.cell == row]
    return log_ratios(rows, [trial for trial in members if trial.cell != row], value)


def _estimate(logs: Sequence[float], comparisons: int) -> Estimate | None:
    return ratio(logs, family_level(comparisons)) if logs else None


@dataclass(frozen=True)
class Floor:
    """How a baseline compares with its own twin; if check V23 fails, nothing in the family may be ranked."""

    estimate: Estimate | None
    check: Check

    @property
    def ranks(self) -> bool:
        """Return whether the family may be ranked."""
        return self.check.outcome != "fail"

    @property
    def reach(self) -> float | None:
        """Return the noise floor: how far from 1 the interval reaches, as a share; None without an interval."""
        interval = self.estimate.interval if self.estimate else None
        return max(interval.high, 1 / interval.low) - 1 if interval else None


def twin_floor(logs: Sequence[float], limit: float) -> Floor:
    """Return check V23 from the log ratios of twin / baseline; a family is ranked up to a half-width of `limit`."""
    if not logs:
        return Floor(None, Check("V23", "twin", "unknown", "no twin was measured", _twin_limit(limit)))
    estimate = ratio(logs, attainable_level(len(logs), LEVEL))
    interval, seen = estimate.interval, f"{estimate.value:.3f} in {len(logs)} blocks"
    if interval is None:
        few = f"{seen}: no interval from fewer than {MIN_VALUES}"
        return Floor(estimate, Check("V23", "twin", "unknown", few, _twin_limit(limit)))
    floor = Floor(estimate, Check("V23", "twin", "pass", "", _twin_limit(limit)))
    saw = f"{seen}, {interval.low:.3f} to {interval.high:.3f}: noise floor ±{(floor.reach or 0) * 100:.2g} %"
    why = _why_noise(estimate, limit)
    advice = "a quieter machine, more blocks, or duets" if why else ""
    outcome: Outcome = "fail" if why else "pass"
    return replace(floor, check=replace(floor.check, outcome=outcome, saw=saw + why, advice=advice))


def _twin_limit(limit: float) -> str:
    return f"no difference from itself, and an interval of at most ±{limit * 100:g} %"


def _why_noise(estimate: Estimate, limit: float) -> str:
    """Return why a family is not ranked; its twin differs by the same rule as any two cells."""
    if judge(estimate).answer in ("faster", "slower"):
        return "; the baseline differs from itself"
    interval = estimate.interval
    wide = interval is not None and math.log(interval.high / interval.low) / 2 > limit
    return "; the interval is wider than allowed" if wide else ""


def widest(compared: Iterable[Compared]) -> float:
    """Return the largest half-width of a family's ratios; 0 for a family without a comparison."""
    return max((item.half_width for item in compared), default=0.0)


def by_family(trials: Iterable[Trial]) -> Mapping[str, list[Trial]]:
    """Return the trials of each family."""
    families: dict[str, list[Trial]] = {}
    for trial in trials:
        families.setdefault(trial.family or "", []).append(trial)
    return families
