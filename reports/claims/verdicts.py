"""A row's verdict in a few words: "60 % less CPU", "not resolved: about 2 more minutes". Pure."""

from __future__ import annotations

from reports.claims.deciding import Decision
from reports.claims.phrases import TWICE, change_interval, interval_text, percent_change, times
from reports.view.families import Measure
from reports.view.words import MOST_BLOCKS
from runners.stats.statistics import Estimate
from runners.units import plural

MORE = {"rate": "as many requests/s", "cost": "the CPU"}
SOME = {"rate": "requests/s", "cost": "CPU"}
LESS = {"rate": "fewer", "cost": "less"}
EQUAL = "no measurable difference"


def verdict_words(found: Decision) -> str:
    """Return what a decision says of a row against its baseline."""
    if found.why:
        return found.unsaid[0]
    if found.judgement is None or found.estimate is None:
        return "no verdict"
    if found.answer == "equivalent":
        return EQUAL
    if found.answer == "not resolved":
        return f"not resolved{_more(found)}"
    return change_words(found.estimate, found.measure)


def verdict_interval(found: Decision) -> str:
    """Return the interval that a verdict rests on, empty where it still has none; the reason if there is no verdict."""
    if found.why:
        return found.unsaid[1]
    if found.estimate is None or found.estimate.interval is None:
        return ""
    called = found.answer not in ("equivalent", "not resolved")
    return change_interval(found.estimate) if called and found.estimate.value < TWICE else interval_text(found.estimate)


def change_words(ratio: Estimate, measure: Measure) -> str:
    """Return a ratio as people say it: "2.40 times the CPU", "60 % less CPU"."""
    if ratio.value >= TWICE:
        return f"{times(ratio)} {MORE[measure]}"
    return f"{percent_change(ratio, LESS[measure])} {SOME[measure]}"


def _more(found: Decision) -> str:
    """Return how much longer to measure, in time where a block's time is known."""
    more = found.judgement.more_blocks if found.judgement else None
    if more is None:
        return ""
    if more > MOST_BLOCKS:
        return f": too noisy, over {MOST_BLOCKS} more blocks"
    if not found.block_s:
        return f": about {plural(more, 'more block')}"
    return f": about {_time(more * found.block_s)}"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{plural(max(1, round(seconds)), 'more second')}"
    if seconds < 5400:
        return f"{plural(round(seconds / 60), 'more minute')}"
    return f"{plural(round(seconds / 3600), 'more hour')}"
