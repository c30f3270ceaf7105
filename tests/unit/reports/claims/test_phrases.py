"""How differences are said."""

from __future__ import annotations

import pytest

from reports.claims.phrases import cost_difference, inverse, rate_difference
from runners.stats.statistics import Estimate, Interval


def ratio(value: float, low: float, high: float) -> Estimate:
    """Return a ratio with a 95 % interval."""
    return Estimate(value, 8, Interval(low, high, 0.95))


@pytest.mark.parametrize(
    ("estimate", "said"),
    [
        (ratio(2.5, 2.48, 2.57), "a answers 2.50 times as many requests per second as b (95 % CI 2.48\u20132.57)"),
        (ratio(1.12, 1.08, 1.17), "a answers 12 % more requests per second than b (95 % CI 8\u201317 %)"),
        (ratio(1.012, 1.01, 1.02), "a answers 1.2 % more requests per second than b (95 % CI 1.0\u20132.0 %)"),
        (ratio(0.7, 0.65, 0.8), "a answers 30 % fewer requests per second than b (95 % CI 20\u201335 %)"),
        (ratio(1.0, 0.99, 1.02), "no measurable difference between a and b (ratio 1.00, 95 % CI 0.99\u20131.02)"),
        (Estimate(3.0, 2), "a answers 3.00 times as many requests per second as b (no interval: too few blocks)"),
    ],
)
def test_rates_are_told_in_times_or_percent(estimate: Estimate, said: str) -> None:
    """As people say them, and never as different where the interval includes equal."""
    assert rate_difference("a", "b", estimate) == said


@pytest.mark.parametrize(
    ("estimate", "said"),
    [
        (ratio(0.4, 0.389, 0.404), "b needs 2.50 times the CPU of a per request (95 % CI 2.48\u20132.57)"),
        (ratio(0.84, 0.8, 0.88), "a needs 16 % less CPU per request than b (95 % CI 12\u201320 %)"),
        (ratio(1.05, 1.04, 1.06), "a needs 5.0 % more CPU per request than b (95 % CI 4.0\u20136.0 %)"),
        (ratio(3.0, 2.9, 3.2), "a needs 3.00 times the CPU of b per request (95 % CI 2.90\u20133.20)"),
        (ratio(0.99, 0.98, 1.0), "no measurable difference between a and b (ratio 0.99, 95 % CI 0.98\u20131.00)"),
    ],
)
def test_costs_are_told_from_the_side_that_needs_more(estimate: Estimate, said: str) -> None:
    """Nobody says "0.4 times the CPU"."""
    assert cost_difference("a", "b", estimate) == said


def test_the_inverse_of_the_inverse_is_the_ratio() -> None:
    """With its interval, whose ends change places."""
    assert inverse(ratio(0.5, 0.4, 0.8)) == ratio(2.0, 1.25, 2.5)
    assert inverse(inverse(ratio(0.5, 0.25, 0.8))) == ratio(0.5, 0.25, 0.8)
