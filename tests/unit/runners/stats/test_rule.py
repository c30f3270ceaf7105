"""The rule: when a row is said to differ, when not, and how often that is wrong."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
import scipy.stats

from benchmarks.rule import BLOCKS, MOST_FALSE, PROCESSES, ROWS, Process, duet_orders, intervals, simulate
from runners.plan.order import starts
from runners.stats.rule import LOOKS, MARGINS, Design, Rule, bias_of, last_look, looks_of
from runners.stats.statistics import Answer, hodges_lehmann, ratio

CLAIMED = [process for process in PROCESSES if process.claimed]


def spread(center: float, half: float, blocks: int) -> list[float]:
    """Return log ratios around a ratio, evenly spread."""
    return [math.log(center) + half * (2 * block / (blocks - 1) - 1) for block in range(blocks)]


def answer(rule: Rule, logs: list[float]) -> Answer:
    """Return the verdict on the cost ratio of these blocks."""
    estimate = rule.estimate(logs)
    assert estimate is not None
    return rule.judge(estimate, "costlier", "cheaper").answer


@pytest.mark.parametrize(
    ("least", "most", "looks"),
    [(12, 40, (12, 20, 40)), (20, 20, (20,)), (6, 6, (6,)), (10, 30, (10, 12, 20, 30)), (1, 1, (1,)), (9, 3, (3,))],
)
def test_the_plan_fixes_when_it_is_looked(least: int, most: int, looks: tuple[int, ...]) -> None:
    """At the least and the most, and at 12, 20 and 40 in between."""
    assert looks_of(least, most) == looks


def test_blocks_since_the_last_look_wait_for_the_next() -> None:
    """Fifteen blocks say what twelve said."""
    assert [last_look(done, LOOKS) for done in (0, 11, 12, 15, 20, 39, 40)] == [0, 0, 12, 12, 20, 20, 40]


def test_the_level_holds_for_all_rows_and_looks_together() -> None:
    """1 - 0.05 / (m L); twelve blocks are enough for 34 rows and three looks, and for no more."""
    assert Rule("duet", 10, 3).level == pytest.approx(1 - 0.05 / 30)
    assert [Rule("duet", rows, 3).blocks for rows in (1, 10, 34, 35)] == [7, 11, 12, 13]


def test_too_few_blocks_give_no_verdict_and_no_lower_level() -> None:
    """Six blocks of a family of ten stay without an interval, however clear the difference; the rest is foretold."""
    rule = Rule("solo", 10, 1)
    estimate = rule.estimate(spread(2.0, 0.001, 6))

    assert estimate is not None
    assert estimate.interval is None
    judgement = rule.judge(estimate, "faster", "slower")
    assert (judgement.answer, judgement.more_blocks) == ("not resolved", 3)


@pytest.mark.parametrize(("design", "margin"), [("duet", 0.002), ("solo", 0.01)])
def test_only_what_lies_wholly_outside_the_margin_is_called(design: Design, margin: float) -> None:
    """On either side; equal distances in both directions."""
    rule = Rule(design, 1, 1)
    assert MARGINS[design] == margin
    far, near = 1 + 2 * margin, 1 + margin
    width = 0.9 * (math.log(far) - math.log(near))
    assert [answer(rule, spread(center, width, 12)) for center in (far, 1 / far)] == ["costlier", "cheaper"]
    assert "costlier" != answer(rule, spread(near, width, 12)) != "cheaper"


def test_a_twin_that_contains_1_passes_at_any_width() -> None:
    """It is a check of bias, not of noise: each row's own interval holds the noise."""
    assert bias_of(spread(1.0, 0.5, 12)) == 0
    assert answer(Rule("duet", 1, 3, bias_of(spread(1.0, 0.5, 12))), spread(1.05, 0.01, 12)) == "costlier"


def test_a_twin_that_differs_raises_the_margin_to_its_far_end() -> None:
    """Rows beyond that are still called, rows within it are not."""
    twin = spread(1.02, 0.01, 12)
    found = ratio(twin).interval
    assert found is not None
    assert bias_of(twin) == pytest.approx(found.high - 1)
    assert bias_of([-value for value in twin]) == pytest.approx(found.high - 1)
    rule = Rule("duet", 1, 3, bias_of(twin))
    assert [answer(rule, spread(center, 0.005, 12)) for center in (1.02, 1.05, 0.98, 0.94)] == [
        "not resolved", "costlier", "not resolved", "cheaper",
    ]  # fmt: skip


def test_what_could_be_resolved_is_half_the_interval_and_the_margin() -> None:
    """At ratio 1, with the interval 0.99 to 1.0101, and 0.2 %."""
    rule = Rule("duet", 1, 1)
    estimate = rule.estimate(spread(1.0, 0.01, 8))

    assert estimate is not None
    assert estimate.interval is not None
    half = math.log(estimate.interval.high / estimate.interval.low) / 2
    assert rule.resolves(estimate) == pytest.approx(math.expm1(half) + 0.002)


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("rows", ROWS)
def test_the_simulated_intervals_are_those_of_the_report_and_of_scipy(look: int, rows: int) -> None:
    """The same numbers as one by one; and outside the interval, scipy's exact test rejects at that level."""
    level = Rule("duet", rows, 3).level
    logs = np.random.default_rng(look).normal(0, 0.02, (3, look))
    low, high = intervals(logs, level)

    for number, values in enumerate(logs):
        interval = hodges_lehmann(list(values), level).interval
        assert interval is not None
        assert (low[number], high[number]) == pytest.approx((interval.low, interval.high))
        inside, outside = (
            scipy.stats.wilcoxon(values - interval.low - step, method="exact").pvalue for step in (1e-12, -1e-12)
        )
        assert outside == pytest.approx(1 - interval.level)
        assert outside <= 1 - level < inside


def test_the_simulation_starts_pairs_as_a_run_does() -> None:
    """Each side first in one of every two blocks."""
    drawn = starts((0.5, -0.5), BLOCKS, random.Random(1))  # noqa: S311
    assert {one[0] + other[0] for one, other in zip(drawn[::2], drawn[1::2], strict=True)} == {0}
    assert np.all(duet_orders()[:, ::2] + duet_orders()[:, 1::2] == 0)


@pytest.mark.parametrize("half", [False, True], ids=["all alike", "half alike"])
@pytest.mark.parametrize("process", CLAIMED, ids=lambda process: process.name)
def test_false_verdicts_are_within_five_percent(process: Process, half: bool) -> None:  # noqa: FBT001 - a parameter
    """400 seeded families of 1, 5 and 20 rows, in duets and alone: the exact 99 % lower bound stays below 5 %."""
    for design in ("duet", "solo"):
        for rows in ROWS:
            outcome = simulate(process, design, rows, 400, half=half)
            assert outcome.lower <= MOST_FALSE, outcome


def test_what_sticks_to_one_server_for_many_blocks_is_beyond_the_claim() -> None:
    """No order helps against it; and the simulation can fail."""
    sticky = next(process for process in PROCESSES if not process.claimed)

    assert simulate(sticky, "duet", 5, 400, half=False).fails
