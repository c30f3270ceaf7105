"""The statistics against scipy, against their own promises, and by simulation."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence
from typing import Any

import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as some

from runners.stats.statistics import (
    DIFFERENT_BAND,
    EQUIVALENT_BAND,
    Answer,
    Estimate,
    Interval,
    Judgement,
    attainable_level,
    blocks_for_level,
    family_level,
    hodges_lehmann,
    joint_level,
    judge,
    median,
    more_blocks,
    ratio,
    ratio_apart,
    tie_groups,
)

NUMBERS = some.floats(min_value=-1e6, max_value=1e6)
SAMPLES = some.lists(NUMBERS, min_size=6, max_size=20)


def inside(value: float, interval: Interval | None) -> bool:
    """Return whether a value lies in an interval that must exist."""
    assert interval is not None
    return interval.low <= value <= interval.high


def noise(seed: int, count: int) -> list[float]:
    """Return log ratios as two like servers give: normal, standard deviation 2 %."""
    chance = random.Random(seed)  # noqa: S311 - a simulation that must repeat
    return [chance.gauss(0, 0.02) for _ in range(count)]


@pytest.mark.parametrize("count", range(6, 31))
def test_the_interval_of_a_median_is_that_of_scipy(count: int) -> None:
    """scipy's quantile_test is the reference."""
    values = noise(count, count)
    expected: Any = scipy.stats.quantile_test(values, p=0.5).confidence_interval(0.95)

    interval = median(values).interval

    assert interval is not None
    assert (interval.low, interval.high) == (expected.low, expected.high)


@pytest.mark.parametrize("count", [6, 7, 8, 10, 12, 15, 20])
def test_the_signed_rank_interval_holds_just_the_shifts_that_scipy_does_not_reject(count: int) -> None:
    """An interval is the set of shifts whose exact test has p above 1 - level."""
    values = noise(count + 100, count)
    interval = hodges_lehmann(values).interval
    assert interval is not None
    step = 1e-9

    def p_value(shift: float) -> float:
        return float(scipy.stats.wilcoxon([value - shift for value in values], method="exact").pvalue)

    assert p_value(interval.low + step) > 0.05
    assert p_value(interval.low - step) == pytest.approx(1 - interval.level)
    assert p_value(interval.high - step) > 0.05
    assert p_value(interval.high + step) == pytest.approx(1 - interval.level)


@pytest.mark.parametrize(("count", "ranks"), [(6, (0, 5)), (8, (0, 7)), (9, (1, 7)), (10, (1, 8)), (20, (5, 14))])
def test_a_medians_interval_ends_at_the_order_statistics_of_the_textbook(count: int, ranks: tuple[int, int]) -> None:
    """Known ranks, counted from nought."""
    interval = median([float(value) for value in range(count)]).interval

    assert interval is not None
    assert (interval.low, interval.high) == ranks


@pytest.mark.parametrize("count", range(1, 6))
def test_under_six_values_there_is_no_interval(count: int) -> None:
    """Five values reach 93.75 % at most."""
    assert median(noise(1, count)).interval is None
    assert ratio(noise(1, count)).interval is None


def test_no_value_at_all_is_a_mistake() -> None:
    """An estimate of nothing would be an invention."""
    with pytest.raises(ValueError, match="at least one"):
        median([])
    with pytest.raises(ValueError, match="at least one"):
        hodges_lehmann([])


@given(SAMPLES)
def test_an_estimate_lies_in_its_interval_and_the_interval_among_the_values(values: Sequence[float]) -> None:
    """True of both estimators, whatever the values."""
    for estimate in (median(values), hodges_lehmann(values)):
        assert inside(estimate.value, estimate.interval)
        assert estimate.interval is not None
        assert min(values) <= estimate.interval.low <= estimate.interval.high <= max(values)
        assert estimate.interval.level >= 0.95


@given(SAMPLES)
def test_order_does_not_matter_and_signs_mirror(values: Sequence[float]) -> None:
    """Blocks have no order that an estimate may see, and a ratio turned round is the ratio turned round."""
    forward, mirrored = hodges_lehmann(values), hodges_lehmann([-value for value in reversed(values)])

    assert forward.interval is not None
    assert mirrored.interval is not None
    assert mirrored.value == pytest.approx(-forward.value)
    assert mirrored.interval.low == pytest.approx(-forward.interval.high)


@given(some.integers(6, 40), some.floats(0.5, 0.999))
def test_a_higher_level_never_gives_a_narrower_interval(count: int, level: float) -> None:
    """Where the level is out of reach there is no interval rather than a false one."""
    values = noise(7, count)
    wide, narrow = hodges_lehmann(values, max(level, 0.95)).interval, hodges_lehmann(values, 0.5).interval

    assert narrow is not None
    if wide is not None:
        assert wide.low <= narrow.low <= narrow.high <= wide.high
        assert wide.level >= level


@pytest.mark.parametrize(("count", "level"), [(6, 0.96875), (7, 0.984375), (10, 0.998046875)])
def test_the_highest_level_spans_all_values(count: int, level: float) -> None:
    """Both intervals reach 1 - 2/2^n, and no more."""
    values = noise(3, count)

    assert attainable_level(count, 1.0) == level
    interval = hodges_lehmann(values, level).interval
    assert interval == Interval(min(values), max(values), level)
    assert hodges_lehmann(values, level + 1e-9).interval is None


def test_levels_of_a_family_add_up() -> None:
    """Bonferroni: ten comparisons at 99.5 % hold together with 95 %."""
    assert family_level(10) == pytest.approx(0.995)
    assert joint_level(10, 0.995) == pytest.approx(0.95)
    assert joint_level(50, 0.96875) == 0
    assert family_level(0) == family_level(1) == 0.95
    assert attainable_level(0, 0.95) == 0


@pytest.mark.parametrize(("comparisons", "blocks"), [(1, 6), (2, 7), (5, 8), (12, 9), (20, 10)])
def test_blocks_for_a_level_are_just_enough(comparisons: int, blocks: int) -> None:
    """One block less could not give the interval."""
    level = family_level(comparisons)

    assert blocks_for_level(level) == blocks
    assert attainable_level(blocks, level) == level
    assert blocks == 6 or attainable_level(blocks - 1, level) < level


@pytest.mark.parametrize(("count", "least"), [(6, 0.95), (10, 0.94)])
def test_intervals_cover_the_truth_as_often_as_they_say(count: int, least: float) -> None:
    """Two thousand simulated comparisons of a server with itself (method: nominal 95 %)."""
    covered = sum(inside(1.0, ratio(noise(seed, count)).interval) for seed in range(2000))

    assert covered / 2000 >= least


def test_a_server_against_its_twin_is_rarely_called_different() -> None:
    """Two thousand simulated comparisons of six blocks: far fewer than 5 % are false, since 1 % counts as equal."""
    answers = [judge(ratio(noise(seed, 6))).answer for seed in range(2000)]

    assert (answers.count("faster") + answers.count("slower")) / 2000 < 0.02


@pytest.mark.parametrize(
    ("low", "high", "answer"),
    [
        (1.011, 1.3, "faster"),
        (1.0, 1.3, "not resolved"),
        (0.7, 0.989, "slower"),
        (0.7, 0.995, "not resolved"),
        (0.985, 1.015, "equivalent"),
        (0.985, 1.025, "not resolved"),
        (1.0101, 1.0190, "faster"),
    ],
)
def test_an_answer_follows_from_where_the_interval_lies(low: float, high: float, answer: Answer) -> None:
    """Wholly outside 1 %: different; wholly inside 2 %: equivalent; else not resolved."""
    assert judge(Estimate((low + high) / 2, 10, Interval(low, high, 0.95))).answer == answer


@given(some.floats(0.5, 2), some.floats(0, 0.5))
def test_an_answer_never_contradicts_its_interval(low: float, width: float) -> None:
    """Equivalent never holds a difference of 2 %, faster never one under 1 %."""
    interval = Interval(low, low + width, 0.95)
    answer = judge(Estimate(low, 10, interval)).answer

    if answer == "equivalent":
        assert max(abs(interval.low - 1), abs(interval.high - 1)) < EQUIVALENT_BAND
    if answer in ("faster", "slower"):
        assert min(abs(math.log(interval.low)), abs(math.log(interval.high))) > math.log1p(DIFFERENT_BAND)


def test_blocks_that_are_missing_are_foretold_from_the_width() -> None:
    """Twice too wide to be equivalent needs four times the blocks: 10 become 40."""
    estimate = Estimate(1.0, 10, Interval(1.02**-2, 1.02**2, 0.95))

    assert more_blocks(estimate) in (30, 31)
    assert judge(estimate).more_blocks in (30, 31)


def test_a_likely_difference_needs_blocks_until_its_interval_leaves_the_margin() -> None:
    """6 % away from 1, with a half-width of 10 %: it has to come down to 5 %, which takes four times the blocks."""
    estimate = Estimate(math.exp(0.06), 10, Interval(math.exp(-0.04), math.exp(0.16), 0.95))

    assert more_blocks(estimate, math.expm1(0.01)) in (30, 31)


def test_a_narrow_interval_on_an_edge_promises_nothing() -> None:
    """More blocks may move it off the edge, but no formula says how many."""
    judgement = judge(Estimate(1.0105, 10, Interval(1.0095, 1.0115, 0.95)))
    wide = Estimate(1.015, 10, Interval(1.0095, 1.0205, 0.95))

    assert judgement.answer == "equivalent"
    assert judge(wide) == Judgement("not resolved", 3)
    assert more_blocks(Estimate(1.025, 10, Interval(1.02, 1.03, 0.95)), 0.03) is None


def test_few_blocks_need_at_least_six() -> None:
    """Two values need four more."""
    assert judge(ratio([0.1, 0.2])).more_blocks == 4


def test_ties_share_a_group_and_differences_part_them() -> None:
    """Compared is with the group's leader, so that neighbours cannot chain."""
    speeds = {"a": 1.0, "b": 0.995, "c": 0.98, "d": 0.5}

    def compare(leader: str, name: str) -> Answer:
        return "faster" if speeds[leader] / speeds[name] > 1.01 else "not resolved"

    assert tie_groups(list(speeds), compare) == (("a", "b"), ("c",), ("d",))
    assert tie_groups([], compare) == ()


def test_walsh_averages_count_every_pair_once() -> None:
    """The estimate is the median over all pairs, each value with itself too."""
    values = [0.0, 1.0, 10.0]
    pairs = [(a + b) / 2 for a, b in itertools.combinations_with_replacement(values, 2)]

    assert hodges_lehmann(values).value == sorted(pairs)[2] / 2 + sorted(pairs)[3] / 2


@pytest.mark.parametrize(("mine", "theirs"), [(4, 4), (5, 7), (8, 6), (10, 12)])
def test_the_interval_of_values_apart_is_that_of_the_exact_rank_sum_test(mine: int, theirs: int) -> None:
    """A factor lies inside if and only if the test does not reject it."""
    chance = random.Random(mine * theirs)  # noqa: S311 - invented numbers, the same every time
    ones, others = ([chance.gauss(0, 1) for _ in range(count)] for count in (mine, theirs))
    found = ratio_apart(ones, others).interval
    assert found is not None
    for end in (found.low, found.high):
        for inwards in (False, True):
            shift = math.log(end) + (1e-9 if (end == found.low) == inwards else -1e-9)
            tested = scipy.stats.mannwhitneyu([one - shift for one in ones], others, method="exact")
            assert (tested.pvalue > 0.05) == inwards


def test_too_few_values_apart_give_no_interval() -> None:
    """Three against four reach 94 %."""
    assert ratio_apart([1.0, 1.1, 1.2], [0.1, 0.2, 0.3, 0.4]).interval is None
    with pytest.raises(ValueError, match="at least one value"):
        ratio_apart([], [1.0])
