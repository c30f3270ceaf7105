"""Decides which trials count, and compares cells with their family's baseline. Pure.

A block with an invalid trial is repeated whole, so that pairing by block holds; one attempt at each block counts. Solo
trials are compared by rate, duets by the server's CPU time per request. Check V23 compares each family's baseline with
its A/A twin, the same cell under another name: what they differ by beyond their noise is bias.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from runners.records.trial import PACED_DESIGNS, Check, Outcome, Trial
from runners.stats.rule import Design, Rule, bias_of, twin_estimate
from runners.stats.statistics import MIN_VALUES, Estimate

SERVER_COST = "server_cpu_us_per_request"
TWIN_MARK = "~twin"  # in the name of a cell that is measured again under another name

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
    return list(block_ratios(row, baseline, value).values())


def block_ratios(row: Iterable[Trial], baseline: Iterable[Trial], value: str) -> dict[int, float]:
    """Return the same by block."""
    baselines = {trial.block: trial for trial in baseline if trial.verdict == "ok"}
    pairs = ((trial, baselines[trial.block]) for trial in row if trial.verdict == "ok" and trial.block in baselines)
    found = {mine.block or 0: _log_ratio(mine, theirs, value) for mine, theirs in pairs}
    return {block: log_ratio for block, log_ratio in found.items() if log_ratio is not None}


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


def compare_family(trials: Sequence[Trial], baseline: str, looks: int = 1) -> tuple[Compared, ...]:
    """Compare every cell of a solo family with its baseline, but for the twin, by the rule for so many looks."""
    by_cell: dict[str, list[Trial]] = {}
    for trial in trials:
        by_cell.setdefault(trial.cell, []).append(trial)
    value = "requests_per_s"
    logs = {
        cell: log_ratios(of, by_cell.get(baseline, ()), value)
        for cell, of in by_cell.items()
        if cell != baseline and not is_twin(cell)
    }
    return _compared(logs, baseline, value, "solo", looks)


def compare_duets(trials: Sequence[Trial], baseline: str, looks: int = 1) -> tuple[Compared, ...]:
    """Compare the CPU time per request at full load within every pair of a duet family, but the twin's, by the rule."""
    pairs: dict[tuple[str, str], list[Trial]] = {}
    for trial in trials:
        if trial.pair is not None and trial.design not in PACED_DESIGNS and not any(map(is_twin, trial.pair)):
            pairs.setdefault(trial.pair, []).append(trial)
    rows = {duet_row(pair, baseline): members for pair, members in pairs.items()}
    logs = {row: _duet_ratios(members, row, SERVER_COST) for row, members in rows.items()}
    return _compared(logs, baseline, SERVER_COST, "duet", looks)


def _compared(
    logs: Mapping[str, Sequence[float]], baseline: str, value: str, design: Design, looks: int
) -> tuple[Compared, ...]:
    rule = Rule(design, len(logs), looks)
    return tuple(Compared(row, baseline, value, rule.estimate(of)) for row, of in logs.items())


def is_twin(cell: str) -> bool:
    """Return whether a cell's id is that of an A/A twin."""
    return TWIN_MARK in cell.partition("/")[0]


def duet_row(pair: tuple[str, str], baseline: str) -> str:
    """Return the cell of a pair that is compared with `baseline`."""
    first, second = pair
    return second if first == baseline else first


def _duet_ratios(members: Sequence[Trial], row: str, value: str) -> list[float]:
    rows = [trial for trial in members if trial.cell == row]
    return log_ratios(rows, [trial for trial in members if trial.cell != row], value)


@dataclass(frozen=True)
class Floor:
    """How a baseline compares with its own twin: a check of bias (V23), which raises the margin of all verdicts."""

    estimate: Estimate | None
    check: Check
    bias: float = 0.0

    @property
    def reach(self) -> float | None:
        """Return the noise floor: how far from 1 the interval reaches, as a share; None without an interval."""
        interval = self.estimate.interval if self.estimate else None
        return max(interval.high, 1 / interval.low) - 1 if interval else None


def twin_floor(logs: Sequence[float]) -> Floor:
    """Return check V23 from the log ratios of twin / baseline: it passes at any width if the interval contains 1."""
    estimate = twin_estimate(logs)
    if estimate is None:
        return _floor(None, "unknown", "no twin was measured")
    interval, seen = estimate.interval, f"{estimate.value:.3f} in {len(logs)} blocks"
    if interval is None:
        return _floor(estimate, "unknown", f"{seen}: no interval from fewer than {MIN_VALUES}")
    bias, saw = bias_of(logs), f"{seen}, {interval.low:.3f} to {interval.high:.3f}"
    if not bias:
        return _floor(estimate, "pass", saw)
    return _floor(estimate, "warn", f"{saw}: only what differs by more than {bias * 100:.2g} % is called", bias)


def _floor(estimate: Estimate | None, outcome: Outcome, saw: str, bias: float = 0.0) -> Floor:
    advice = "a quieter machine" if bias else ""
    return Floor(estimate, Check("V23", "twin", outcome, saw, "an interval that contains 1", advice), bias)


def widest(compared: Iterable[Compared]) -> float:
    """Return the largest half-width of a family's ratios; 0 for a family without a comparison."""
    return max((item.half_width for item in compared), default=0.0)


def by_family(trials: Iterable[Trial]) -> Mapping[str, list[Trial]]:
    """Return the trials of each family."""
    families: dict[str, list[Trial]] = {}
    for trial in trials:
        families.setdefault(trial.family or "", []).append(trial)
    return families
