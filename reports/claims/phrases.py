"""How a difference is said: "2.50 times the CPU", "16 % less", with its interval and that interval's level. Pure."""

from __future__ import annotations

from reports.view.words import digits, level_text
from runners.stats.statistics import Estimate, Interval

TWICE = 1.995  # what rounds to 2.00: from here on people say "times", below it "% more"
FINE = 0.03  # a narrower interval deserves a decimal of a percent
NO_INTERVAL = "no interval: too few blocks"


def rate_difference(row: str, baseline: str, ratio: Estimate) -> str:
    """Return in a clause how many more requests one answers than the other; `ratio` is row / baseline."""
    if _includes_one(ratio):
        return no_difference(row, baseline, ratio)
    if ratio.value >= TWICE:
        return f"{row} answers {times(ratio)} as many requests per second as {baseline} ({interval_text(ratio)})"
    return (
        f"{row} answers {percent_change(ratio, 'fewer')} requests per second than {baseline} ({change_interval(ratio)})"
    )


def cost_difference(row: str, baseline: str, ratio: Estimate) -> str:
    """Return in a clause how much CPU one needs per request relative to the other; the costlier one in times."""
    if _includes_one(ratio):
        return no_difference(row, baseline, ratio)
    if ratio.value <= 1 / TWICE:
        return cost_difference(baseline, row, inverse(ratio))
    if ratio.value >= TWICE:
        return f"{row} needs {times(ratio)} the CPU of {baseline} per request ({interval_text(ratio)})"
    return f"{row} needs {percent_change(ratio, 'less')} CPU per request than {baseline} ({change_interval(ratio)})"


def no_difference(row: str, baseline: str, ratio: Estimate | None) -> str:
    """Return in a clause that two cannot be told apart, and their ratio."""
    said = f" (ratio {_number(ratio.value, ratio)}, {interval_text(ratio)})" if ratio else ""
    return f"no measurable difference between {row} and {baseline}{said}"


def capital(clause: str) -> str:
    """Return a clause as the beginning of a sentence; names keep their first letter."""
    return f"N{clause[1:]}" if clause.startswith("no measurable ") else clause


def inverse(ratio: Estimate) -> Estimate:
    """Return a ratio seen from its other side."""
    found = ratio.interval
    turned = Interval(1 / found.high, 1 / found.low, found.level) if found else None
    return Estimate(1 / ratio.value, ratio.count, turned)


def times(ratio: Estimate) -> str:
    """Return "2.50 times"."""
    return f"{_number(ratio.value, ratio)} times"


def interval_text(ratio: Estimate) -> str:
    """Return a ratio's interval with its level: "95 % CI 2.48-2.57"."""
    found = ratio.interval
    return f"{_level(found)} {_number(found.low, ratio)}\u2013{_number(found.high, ratio)}" if found else NO_INTERVAL


def percent_change(ratio: Estimate, less: str) -> str:
    """Return "16 % more", or with the word for it "16 % less"."""
    return f"{_points(ratio.value, ratio)} % {'more' if ratio.value >= 1 else less}"


def change_interval(ratio: Estimate) -> str:
    """Return the interval of a change with its level: "95 % CI 14-18 %"; the change has one sign."""
    found = ratio.interval
    if found is None:
        return NO_INTERVAL
    low, high = sorted((found.low, found.high), key=lambda end: abs(end - 1))
    return f"{_level(found)} {_points(low, ratio)}\u2013{_points(high, ratio)} %"


def _includes_one(ratio: Estimate) -> bool:
    return ratio.interval is not None and ratio.interval.low <= 1 <= ratio.interval.high


def _level(found: Interval) -> str:
    return f"{level_text(found.level)} CI"


def _number(value: float, ratio: Estimate) -> str:
    return f"{value:.{digits(ratio.value)}f}"


def _points(value: float, ratio: Estimate) -> str:
    fine = ratio.interval is not None and ratio.interval.high - ratio.interval.low < FINE
    return f"{abs(value - 1) * 100:.{int(fine)}f}"
