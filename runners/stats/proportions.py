"""How often something happens, from counts: exact bounds of Clopper and Pearson. Pure."""

from __future__ import annotations

import math

SURE = 0.95
STEPS = 60  # of a bisection: far more exact than any number of tries


def at_least(hits: int, tries: int, level: float = SURE) -> float:
    """Return the share that it happens in at least, one-sided at a level; 0 without tries."""
    return 1 - at_most(tries - hits, tries, level)


def at_most(hits: int, tries: int, level: float = SURE) -> float:
    """Return the share that it happens in at most, one-sided at a level: more would make so few hits too rare."""
    if hits >= tries:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if _so_few(hits, tries, middle) > 1 - level else (low, middle)
    return (low + high) / 2


def _so_few(hits: int, tries: int, share: float) -> float:
    """Return the probability of at most so many hits."""
    return sum(math.comb(tries, count) * share**count * (1 - share) ** (tries - count) for count in range(hits + 1))
