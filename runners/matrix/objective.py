"""Objectives such as "p99 < 2ms", and the search for the highest rate that meets one. Pure.

The search asks whether a rate meets the objective. It doubles the rate until one fails or the ceiling is reached,
bisects until neighbours are within the tolerance, and then asks once more, independently, about the rate that it found:
that answer is the one to report. The number of questions is bounded, whatever the answers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Literal

from runners.stats.histogram import SAMPLES_ABOVE
from runners.units import parse_duration_s

PERCENTILES = (50, 75, 90, 95, 99, 99.9, 99.99)
HALVINGS = 6  # below the start, before giving up
CONFIRMATIONS = 3
STEP_DOWN = 0.95  # after a rate that was not confirmed

_OBJECTIVE = re.compile(r"\s*p(?P<percent>\d+(?:\.\d+)?)\s*(?P<sign><=?)\s*(?P<limit>.+?)\s*")


@dataclass(frozen=True)
class Objective:
    """At least `percent` % of the answers take at most `most_us` microseconds; `text` is how it was written."""

    text: str
    percent: float
    most_us: int

    @property
    def samples(self) -> int:
        """Return how many requests it takes until enough samples lie above the percentile."""
        return math.ceil(SAMPLES_ABOVE / (1 - self.percent / 100))

    def met_by(self, latency: Mapping[int, int]) -> bool:
        """Return whether a histogram (microseconds -> requests) meets it; an empty one does not."""
        total = sum(latency.values())
        quick = sum(count for value, count in latency.items() if value <= self.most_us)
        return total > 0 and quick >= total * self.percent / 100


def parse_objective(text: object) -> Objective:
    """Parse an objective such as "p99 < 2ms"; ValueError says what is wrong with it."""
    match = _OBJECTIVE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"'{text}' is not an objective; write a percentile and its limit, such as 'p99 < 2ms'")
    percent = float(match["percent"])
    if percent not in PERCENTILES:
        known = ", ".join(f"p{known:g}" for known in PERCENTILES)
        raise ValueError(f"unknown percentile 'p{match['percent']}'; known: {known}")
    limit_us = round(parse_duration_s(match["limit"]) * 1e6)
    most_us = limit_us if match["sign"] == "<=" else limit_us - 1
    if most_us < 1:
        raise ValueError(f"no answer takes less than '{match['limit']}'; latencies are whole microseconds")
    return Objective(f"p{percent:g} {match['sign']} {match['limit']}", percent, most_us)


@dataclass(frozen=True)
class Ask:
    """A rate that the search asks about; `number` counts the questions with the same purpose."""

    purpose: Literal["search", "confirm"]
    rate_per_s: float
    number: int


Bracket = tuple[float | None, float | None]  # the highest rate that met it, the lowest that did not


def highest_rate(start: float, ceiling: float, tolerance: float) -> Generator[Ask, bool, float | None]:
    """Ask about rates up to `ceiling`; return the highest one that was confirmed, in requests per second, or None.

    `tolerance` is the share by which the rate found may lie below the lowest rate that failed. A rate that is not
    confirmed is lowered a little, a few times.
    """
    rate = yield from _numbered(_search(start, ceiling, tolerance))
    for number in range(CONFIRMATIONS if rate is not None else 0):
        if (yield Ask("confirm", rate or 0.0, number)):
            return rate
        rate = (rate or 0.0) * STEP_DOWN
    return None


def _numbered(search: Generator[float, bool, float | None]) -> Generator[Ask, bool, float | None]:
    """Turn the rates of a search into numbered questions."""
    number = 0
    try:
        rate = next(search)
        while True:
            met = yield Ask("search", rate, number)
            number += 1
            rate = search.send(met)
    except StopIteration as end:
        return None if end.value is None else float(end.value)


def _search(start: float, ceiling: float, tolerance: float) -> Generator[float, bool, float | None]:
    low, high = yield from _bracket(min(start, ceiling), ceiling)
    while low is not None and high is not None and high / low > 1 + tolerance:
        middle = math.sqrt(low * high)
        if (yield middle):
            low = middle
        else:
            high = middle
    return low


def _bracket(rate: float, ceiling: float) -> Generator[float, bool, Bracket]:
    """Double the rate until it fails, or halve it if even the start fails."""
    if not (yield rate):
        for _ in range(HALVINGS):
            if (yield rate / 2):
                return rate / 2, rate
            rate /= 2
        return None, rate
    while rate < ceiling:
        higher = min(2 * rate, ceiling)
        if not (yield higher):
            return rate, higher
        rate = higher
    return rate, None


def most_questions(start: float, ceiling: float, tolerance: float) -> int:
    """Return how many questions `highest_rate` asks at most."""
    doublings = max(0, math.ceil(math.log2(ceiling / start))) if start < ceiling else 0
    bisections = math.ceil(math.log2(math.log(2) / math.log1p(tolerance))) if tolerance < 1 else 0
    return 1 + max(doublings, HALVINGS) + max(0, bisections) + CONFIRMATIONS
