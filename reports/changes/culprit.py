"""What a bisection judges each commit by: one figure in one place, and how much slower than the good one is bad. Pure.

A commit is looked at after 12, 20 and 40 blocks, and no longer than necessary: as soon as its interval lies wholly
beyond the limit, or wholly within it. The intervals of all looks hold together at the gate's level.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from reports.changes.change import Change, FigureName, Line, Place
from reports.changes.slowdowns import FIGURES, LEVEL, Bound, slowdown_of
from runners.stats.rule import LOOKS, last_look
from runners.stats.statistics import Estimate, family_level

Outcome = Literal["slower", "within", "not resolved"]


@dataclass(frozen=True)
class Aim:
    """The figure that became slower, where, and the slowdown from which on a commit is bad, as a ratio above 1.

    `whole` is the slowdown of the bad revision.
    """

    figure: FigureName
    place: Place
    limit: float
    whole: Estimate


def level_of(lines: int) -> float:
    """Return the level of each interval, at which those of all lines and looks hold together."""
    return family_level(lines * len(LOOKS), LEVEL)


def aim_of(change: Change, figure: str, bound: Bound | None) -> Aim | None:
    """Return what to look for, from the bad revision against the good one; None if that is not slower for sure.

    Of all places and figures that are meant, the one counts that is slower by most for sure. Without a bound, a commit
    is bad from half of the whole slowdown on: that needs the fewest measurements.
    """
    meant = [line for line in change.lines if line.kind.name in FIGURES[figure]]
    found = [(line, slowdown) for line in meant if (slowdown := slowdown_of(line, level_of(len(meant))))]
    least = [(line, slowdown, _least_limit(line, bound)) for line, slowdown in found]
    slower = [each for each in least if outcome_of(each[1], each[2]) == "slower"]
    if not slower:
        return None
    line, slowdown, limit = max(slower, key=lambda each: each[1].interval.low if each[1].interval else 0.0)
    half = max(limit, math.sqrt(slowdown.value))
    return Aim(line.kind.name, line.place, limit if bound else half, slowdown)


def _least_limit(line: Line, bound: Bound | None) -> float:
    return 1 + max(bound.share if bound else 0.0, line.rule.margin)


def line_of(change: Change, aim: Aim) -> Line:
    """Return the line that is meant."""
    return next(line for line in change.lines if (line.kind.name, line.place) == (aim.figure, aim.place))


def outcome_of(slowdown: Estimate | None, limit: float) -> Outcome:
    """Return whether a slowdown is beyond a limit."""
    interval = slowdown.interval if slowdown else None
    if interval is None:
        return "not resolved"
    return "slower" if interval.low > limit else "within" if interval.high <= limit else "not resolved"


def together(outcomes: Sequence[Outcome]) -> Outcome:
    """Return what several builds say: slower only if all do, since memory layout alone moves a server."""
    return outcomes[0] if len(set(outcomes)) == 1 else "not resolved"


def is_look(blocks: int) -> bool:
    """Return whether it is decided after so many blocks whether they are enough."""
    return blocks > 0 and last_look(blocks, LOOKS) == blocks
