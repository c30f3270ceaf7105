"""A verdict as people say it."""

from __future__ import annotations

import pytest

from reports.claims.deciding import Decision
from reports.claims.verdicts import verdict_interval, verdict_words
from reports.view.families import Measure
from runners.stats.statistics import Answer, Estimate, Interval, Judgement


def decision(measure: Measure, value: float, answer: Answer, **more: float | None) -> Decision:
    """Return a decision from a ratio with an interval."""
    ratio = Estimate(value, 8, Interval(value * 0.95, value * 1.05, 0.95))
    judged = Judgement(answer, more.get("blocks"))  # type: ignore[arg-type]
    return Decision("duet", measure, ratio, None, judged, block_s=more.get("block_s"))


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (decision("cost", 0.4, "cheaper"), "60 % less CPU"),
        (decision("cost", 2.4, "costlier"), "2.40 times the CPU"),
        (decision("rate", 1.2, "faster"), "20 % more requests/s"),
        (decision("rate", 3.0, "faster"), "3.00 times as many requests/s"),
        (decision("rate", 0.7, "slower"), "30 % fewer requests/s"),
        (decision("cost", 1.0, "equivalent"), "no measurable difference"),
        (decision("cost", 1.0, "not resolved"), "not resolved"),
        (decision("cost", 1.0, "not resolved", blocks=12), "not resolved: about 12 more blocks"),
        (decision("cost", 1.0, "not resolved", blocks=12, block_s=2.0), "not resolved: about 24 more seconds"),
        (decision("cost", 1.0, "not resolved", blocks=12, block_s=10.0), "not resolved: about 2 more minutes"),
        (decision("cost", 1.0, "not resolved", blocks=400, block_s=30.0), "not resolved: about 3 more hours"),
        (decision("cost", 1.0, "not resolved", blocks=900), "not resolved: too noisy, over 500 more blocks"),
        (Decision("duet", "cost", why="not enough blocks yet"), "no verdict"),
        (Decision("solo", "rate", why="this machine cannot show it: shared"), "this machine cannot show it"),
    ],
)
def test_verdicts_are_words(found: Decision, said: str) -> None:
    """What is not resolved says how much longer to measure, as far as that is known."""
    assert verdict_words(found) == said


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (decision("cost", 0.4, "cheaper"), "95 % CI 58\u201362 %"),
        (decision("cost", 2.4, "costlier"), "95 % CI 2.28\u20132.52"),
        (decision("cost", 1.0, "equivalent"), "95 % CI 0.95\u20131.05"),
        (Decision("duet", "cost", Estimate(1.5, 2)), ""),
        (Decision("solo", "rate", why="this machine cannot show it: shared"), "shared"),
    ],
)
def test_a_verdict_stands_on_an_interval_or_says_why_there_is_none(found: Decision, said: str) -> None:
    """In the words of the verdict: percent or times."""
    assert verdict_interval(found) == said
