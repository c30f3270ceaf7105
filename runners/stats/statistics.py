"""Medians, ratios, their exact intervals, and the conclusions that these allow.

Pure, standard library only. Nothing here assumes a distribution: a median's interval comes from order statistics (the
sign test), a ratio's from Walsh averages (the signed-rank test) of log ratios paired by block. Both need at least six
values for 95 %; with fewer there is no interval, and so no verdict.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

LEVEL = 0.95  # confidence required of one comparison, or of all comparisons of a family together
MIN_VALUES = 6  # five values reach 93.75 % at most
DIFFERENT_BAND = 0.01  # an interval wholly outside 1 +- 1 % is faster or slower
EQUIVALENT_BAND = 0.02  # an interval wholly inside 1 +- 2 % is equivalent

Answer = Literal["faster", "slower", "cheaper", "costlier", "equivalent", "not resolved"]


@dataclass(frozen=True)
class Interval:
    """A confidence interval and its exact level, which is at least the level requested."""

    low: float
    high: float
    level: float


@dataclass(frozen=True)
class Estimate:
    """An estimate from `count` values; the interval is None if they are too few to give one."""

    value: float
    count: int
    interval: Interval | None = None


@dataclass(frozen=True)
class Judgement:
    """The conclusion about a ratio; about `more_blocks` more blocks would resolve it, None if that is not known."""

    answer: Answer
    more_blocks: int | None = None


def median(values: Sequence[float], level: float = LEVEL) -> Estimate:
    """Return the median with the exact interval between two order statistics; raise ValueError without values."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("a median needs at least one value")
    return Estimate(statistics.median(ordered), len(ordered), _interval(ordered, _sign_rank(len(ordered), level)))


def hodges_lehmann(differences: Sequence[float], level: float = LEVEL) -> Estimate:
    """Return the median of all Walsh averages with the exact signed-rank interval; raise ValueError without values."""
    count = len(differences)
    if not count:
        raise ValueError("a Hodges-Lehmann estimate needs at least one value")
    walsh = sorted([(one + other) / 2 for number, one in enumerate(differences) for other in differences[number:]])
    return Estimate(statistics.median(walsh), count, _interval(walsh, walsh_rank(count, level)))


def ratio(log_ratios: Sequence[float], level: float = LEVEL) -> Estimate:
    """Return the ratio estimated from the natural log ratios of blocks: exp of their Hodges-Lehmann estimate."""
    logs = hodges_lehmann(log_ratios, level)
    interval = logs.interval
    if interval is not None:
        interval = Interval(math.exp(interval.low), math.exp(interval.high), interval.level)
    return Estimate(math.exp(logs.value), logs.count, interval)


def ratio_apart(mine: Sequence[float], theirs: Sequence[float], level: float = LEVEL) -> Estimate:
    """Return the ratio mine / theirs of values that belong to no common blocks, from their natural logarithms.

    It is exp of the median of all differences, its interval that of the rank-sum test, which is exact if the two differ
    in nothing but a factor. Raise ValueError if either has no values.
    """
    differences = sorted([one - other for one in mine for other in theirs])
    if not differences:
        raise ValueError("a ratio needs at least one value on each side")
    found = _interval(differences, _apart_rank(len(mine), len(theirs), level))
    interval = Interval(math.exp(found.low), math.exp(found.high), found.level) if found else None
    return Estimate(math.exp(statistics.median(differences)), min(len(mine), len(theirs)), interval)


def family_level(comparisons: int, level: float = LEVEL) -> float:
    """Return the level that each of several intervals needs so that all hold together at `level` (Bonferroni)."""
    return 1 - (1 - level) / max(1, comparisons)


def joint_level(comparisons: int, level: float) -> float:
    """Return the least level at which several intervals of `level` hold together (Bonferroni)."""
    return max(0.0, 1 - comparisons * (1 - level))


def attainable_level(count: int, level: float) -> float:
    """Return `level`, or the highest that `count` values can give, at which both kinds of interval span all values."""
    return min(level, 1 - 2.0 ** (1 - count)) if count else 0.0


def blocks_for_level(level: float) -> int:
    """Return the smallest number of values that can give an interval of this level."""
    count = MIN_VALUES
    while attainable_level(count, level) < level:
        count += 1
    return count


def judge(
    estimate: Estimate,
    above: Answer = "faster",
    below: Answer = "slower",
    margin: float = DIFFERENT_BAND,
    bias: float = 0.0,
) -> Judgement:
    """Return the conclusion that a ratio's interval allows; a difference within the margin is never called one.

    The ratio itself may be off by `bias`, so that equivalence needs as much more.
    """
    interval = estimate.interval
    if interval is None:
        return Judgement("not resolved", max(1, MIN_VALUES - estimate.count))
    if interval.low > 1 + margin:
        return Judgement(above)
    if interval.high < 1 / (1 + margin):
        return Judgement(below)
    if max(interval.high, 1 / interval.low) * (1 + bias) < 1 + EQUIVALENT_BAND:
        return Judgement("equivalent")
    return Judgement("not resolved", more_blocks(estimate, margin))


def judge_cost(estimate: Estimate) -> Judgement:
    """Return the conclusion that the interval of a cost ratio allows: less is better."""
    return judge(estimate, "costlier", "cheaper")


def more_blocks(estimate: Estimate, margin: float = DIFFERENT_BAND) -> int | None:
    """Return about how many more blocks would resolve a ratio, as different or as equivalent, if it stays as it is.

    The width shrinks with the square root of the number of blocks: n' = n (h / target)^2. None if the interval is
    narrow enough already: it lies on an edge, and no formula says how many blocks would move it off.
    """
    interval = estimate.interval
    if interval is None or interval.low <= 0:
        return None
    half_width, away = math.log(interval.high / interval.low) / 2, abs(math.log(estimate.value))
    target = max(away - math.log1p(margin), math.log1p(EQUIVALENT_BAND) - away)
    needed = math.ceil(estimate.count * (half_width / target) ** 2) - estimate.count if target > 0 else 0
    return needed if needed > 0 else None


def tie_groups(names: Sequence[str], compare: Callable[[str, str], Answer]) -> tuple[tuple[str, ...], ...]:
    """Return `names`, given best first, in groups whose leaders differ: a name ties unless the leader is faster.

    `compare(leader, name)` judges the ratio of the leader to the name. Each name is compared only with its group's
    leader, so that a long chain of near neighbours cannot hide a real difference.
    """
    groups: list[list[str]] = []
    for name in names:
        if groups and compare(groups[-1][0], name) != "faster":
            groups[-1].append(name)
        else:
            groups.append([name])
    return tuple(tuple(group) for group in groups)


def _interval(ordered: Sequence[float], found: tuple[int, float] | None) -> Interval | None:
    """Return the interval between the rank-th values from both ends."""
    if found is None:
        return None
    rank, level = found
    return Interval(ordered[rank - 1], ordered[len(ordered) - rank], level)


@cache
def _sign_rank(count: int, level: float) -> tuple[int, float] | None:
    """Return the highest rank (from 1) whose order statistics cover a median at this level, and the exact level."""
    if count < MIN_VALUES:
        return None
    return _best_rank([math.comb(count, below) for below in range(count // 2 + 1)], 2**count, level)


@cache
def walsh_rank(count: int, level: float) -> tuple[int, float] | None:
    """Return the highest rank (from 1) of Walsh averages that covers at this level, and the exact level."""
    if count < MIN_VALUES:
        return None
    sums = [1] + [0] * (count * (count + 1) // 2)
    for value in range(1, count + 1):
        for total in range(len(sums) - 1, value - 1, -1):
            sums[total] += sums[total - value]
    return _best_rank(sums[: len(sums) // 2 + 1], 2**count, level)


@cache
def _apart_rank(mine: int, theirs: int, level: float) -> tuple[int, float] | None:
    """Return the highest rank (from 1) of all differences of two samples that covers at this level."""
    ways = [1]  # the coefficients of a Gaussian binomial: how many orders of all values have so many pairs reversed
    for step in range(1, theirs + 1):
        longer = ways + [0] * (mine + step)
        for at in range(len(longer) - 1, mine + step - 1, -1):
            longer[at] -= longer[at - mine - step]
        for at in range(step, len(longer)):
            longer[at] += longer[at - step]
        ways = longer[: mine * step + 1]
    return _best_rank(ways[: len(ways) // 2 + 1], math.comb(mine + theirs, mine), level)


def _best_rank(ways: Sequence[int], outcomes: int, level: float) -> tuple[int, float] | None:
    """Return the last rank whose two tails (of so many equally likely outcomes) are at most 1 - level."""
    outside, best = 0, None
    for rank, way in enumerate(ways, start=1):
        outside += way
        covered = 1 - 2 * outside / outcomes
        if covered < level:
            break
        best = (rank, covered)
    return best
