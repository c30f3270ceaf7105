"""The gate: whether a change is slower than a bound allows. Pure.

A slowdown is how many times worse a figure became: CPU time or latency new / old, requests per second old / new. It is
beyond the bound only if its whole interval is. All bounds together raise at most one false alarm in a hundred: the
intervals are one-sided at 99 %, shared among the lines that are judged.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from reports.changes.change import Change, FigureName, Line, hull
from reports.claims.phrases import inverse
from runners.stats.statistics import Estimate, blocks_for_level, family_level
from runners.units import parse_share

LEVEL = 0.98  # of two-sided intervals: 1 % at the end that alarms
FIGURES: dict[str, tuple[FigureName, ...]] = {
    "cpu": ("cpu",),
    "rate": ("rate",),
    "p50": ("p50", "p50_equal_rate", "p50_unloaded"),
    "p99": ("p99", "p99_equal_rate", "p99_unloaded"),
    "memory": ("memory",),
}
TITLES = {"cpu": "CPU per request", "rate": "requests/s", "p50": "p50", "p99": "p99", "memory": "memory"}
Outcome = Literal["slower", "within", "not resolved", "not measured"]


@dataclass(frozen=True)
class Bound:
    """How much slower a figure may become, as a share."""

    figure: str
    share: float

    @property
    def text(self) -> str:
        """Return it as it is typed."""
        return f"{self.figure}:{self.share * 100:.4g}%"


@dataclass(frozen=True)
class Judged:
    """A line against a bound: the slowdown, the outcome, and about how much longer it takes to resolve it."""

    bound: Bound
    line: Line
    slowdown: Estimate | None
    outcome: Outcome
    more_s: float | None = None


def parse_bound(text: str) -> Bound:
    """Return a bound such as "2%" (of CPU per request) or "p99:10%"; raise ValueError otherwise."""
    figure, colon, share = text.rpartition(":")
    figure = figure if colon else "cpu"
    if figure not in FIGURES:
        raise ValueError(f"'{figure}' is not a figure; write cpu, rate, p50, p99 or memory, as in p99:10%")
    return Bound(figure, parse_share(share))


def judged(change: Change, bounds: Sequence[Bound]) -> tuple[Judged, ...]:
    """Return every line that a bound is about, with its outcome."""
    pairs = [(bound, line) for bound in bounds for line in change.lines if line.kind.name in FIGURES[bound.figure]]
    level = family_level(len(pairs), LEVEL)
    return tuple(_judged(bound, line, level) for bound, line in pairs)


def _judged(bound: Bound, line: Line, level: float) -> Judged:
    needed = blocks_for_level(level)
    slowdown = slowdown_of(line, level)
    if slowdown is None:
        return Judged(bound, line, None, "not measured")
    interval = slowdown.interval
    if interval is None:
        return Judged(bound, line, slowdown, "not resolved", _time(line, needed - slowdown.count))
    limit = 1 + max(bound.share, line.rule.margin)
    if interval.low > limit:
        return Judged(bound, line, slowdown, "slower")
    if interval.high <= limit:
        return Judged(bound, line, slowdown, "within")
    half = math.log(interval.high / interval.low) / 2
    away = abs(math.log(slowdown.value / limit))
    more = math.ceil(slowdown.count * ((half / away) ** 2 - 1)) if away > half / 100 else None
    return Judged(bound, line, slowdown, "not resolved", _time(line, more))


def slowdown_of(line: Line, level: float) -> Estimate | None:
    """Return how many times worse a figure became in all builds, with its interval at a level; None: not measured."""
    if line.ratio is None:
        return None
    found = hull([each.ratio(level) for each in line.found])
    return inverse(found) if line.kind.more_is_better else found


def _time(line: Line, blocks: int | None) -> float | None:
    return blocks * line.block_s if blocks and blocks > 0 and line.block_s else None


def verdict(found: Sequence[Judged]) -> Outcome:
    """Return the outcome of all bounds: one resolved slowdown is enough, one open question leaves it open."""
    worst: tuple[Outcome, ...] = ("slower", "not measured", "not resolved")
    return next((outcome for outcome in worst if any(each.outcome == outcome for each in found)), "within")
