"""Objectives, and the search for the highest rate that meets one."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.errors import BadInput
from runners.matrix.objective import Ask, highest_rate, most_questions, parse_objective
from tests.support.latency_matrix import matrix


@pytest.mark.parametrize(
    ("text", "percent", "most_us"),
    [("p99 < 2ms", 99, 1999), ("p99.9<=500us", 99.9, 500), (" p50  <  1s ", 50, 999_999)],
)
def test_an_objective_may_be_written_in_many_ways(text: str, percent: float, most_us: int) -> None:
    """With or without blanks, with < or <=, in any unit of time."""
    objective = parse_objective(text)
    assert (objective.percent, objective.most_us) == (percent, most_us)
    assert parse_objective(objective.text) == objective


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("p98 < 2ms", "unknown percentile 'p98'; known: p50, p75, p90, p95, p99, p99.9, p99.99"),
        ("p99 < 2", "write a number with its unit (us, ms, s, m, h), like '10s'"),
        ("p99 > 2ms", "'p99 > 2ms' is not an objective; write a percentile and its limit, such as 'p99 < 2ms'"),
        ("p99 < 1us", "no answer takes less than '1us'; latencies are whole microseconds"),
        ("mean < 2ms", "is not an objective"),
    ],
)
def test_a_wrong_objective_is_refused_with_its_place(text: str, why: str) -> None:
    """With file, line and what to write instead."""
    with pytest.raises(BadInput) as refused:
        matrix(f'slo = "{text}"')
    assert why in str(refused.value)
    assert "matrix.toml:24:" in str(refused.value)


@pytest.mark.parametrize(
    ("more", "mode", "why"),
    [
        ('slo = "p99 < 2ms"', "persistent", '"slo" and "fractions" require mode = "latency"'),
        ('fractions = ["50%"]', "persistent", '"slo" and "fractions" require mode = "latency"'),
        ('fractions = ["50%", "120%"]', "latency", "a fraction of the capacity must be above 0% and at most 100%"),
        ("fractions = [0.5]", "latency", "write a number with its unit (%), like '1%'"),
        ('design = "duet"', "latency", 'mode = "latency" measures each row alone'),
        ("slo = 3", "latency", "is not an objective"),
    ],
)
def test_keys_that_exclude_each_other_are_refused(more: str, mode: str, why: str) -> None:
    """Before anything runs."""
    with pytest.raises(BadInput) as refused:
        matrix(more, mode)
    assert why in str(refused.value)


def test_an_objective_is_met_by_the_share_it_names() -> None:
    """Exactly 99 % below the limit are enough; an empty histogram never meets it."""
    objective = parse_objective("p99 < 2ms")
    assert objective.met_by({1999: 99, 2000: 1})
    assert not objective.met_by({1999: 98, 2000: 2})
    assert not objective.met_by({})
    assert objective.samples == 1000


def ask_all(
    search: Generator[Ask, bool, float | None], oracle: Callable[[Ask], bool]
) -> tuple[float | None, list[Ask]]:
    """Answer every question of a search; return what it found and what it asked."""
    asked = [next(search)]
    try:
        while True:
            asked.append(search.send(oracle(asked[-1])))
    except StopIteration as end:
        return end.value, asked


shares = st.floats(1e-6, 4.0)
tolerances = st.floats(0.005, 0.5)


@given(shares, tolerances)
def test_the_search_finds_a_known_threshold(share: float, tolerance: float) -> None:
    """At most the tolerance below it; or the ceiling; or nothing if even the lowest rate fails."""
    ceiling, threshold = 1000.0, share * 1000
    found, asked = ask_all(highest_rate(ceiling / 16, ceiling, tolerance), lambda ask: ask.rate_per_s <= threshold)
    lowest = ceiling / 16 / 2**6
    if threshold < lowest:
        assert found is None
    elif threshold >= ceiling:
        assert found == ceiling
    else:
        assert found is not None
        assert found <= threshold < found * (1 + tolerance) * (1 + 1e-9)
        assert asked[-1] == Ask("confirm", found, 0)
    assert all(0 < ask.rate_per_s <= ceiling for ask in asked)


@given(st.integers(0, 2**32), st.floats(0, 1), tolerances, st.floats(1e-3, 1e3))
def test_the_search_ends_whatever_the_answers(seed: int, share: float, tolerance: float, start: float) -> None:
    """Random answers contradict each other, but the rate that is found was confirmed."""
    chance = random.Random(seed)  # noqa: S311 - a test's oracle
    told: list[bool] = []

    def oracle(_ask: Ask) -> bool:
        told.append(chance.random() < share)
        return told[-1]

    found, asked = ask_all(highest_rate(start, 1000.0, tolerance), oracle)
    assert len(asked) <= most_questions(start, 1000.0, tolerance)
    assert (found is not None) == (asked[-1].purpose == "confirm" and told[-1])
    assert found is None or found == asked[-1].rate_per_s


@given(st.integers(0, 2**32), st.floats(0.1, 0.9))
def test_noise_near_the_threshold_moves_the_answer_little(seed: int, share: float) -> None:
    """If answers are random within 10 % of the threshold, the result is in or just below that band."""
    chance = random.Random(seed)  # noqa: S311 - a test's oracle
    threshold = share * 1000

    def oracle(ask: Ask) -> bool:
        share = ask.rate_per_s / threshold
        return share <= 0.9 or (share < 1.1 and chance.random() < 0.5)

    found, _ = ask_all(highest_rate(1000 / 16, 1000.0, 0.02), oracle)
    assert found is None or threshold * 0.8 < found < threshold * 1.1


def test_a_rate_that_is_not_confirmed_is_lowered_a_few_times() -> None:
    """And in the end no rate is reported."""
    found, asked = ask_all(highest_rate(1000.0, 1000.0, 0.02), lambda ask: ask.purpose == "search")
    assert [ask.purpose for ask in asked] == ["search", "confirm", "confirm", "confirm"]
    assert [ask.rate_per_s for ask in asked[1:]] == pytest.approx([1000, 950, 902.5])
    assert found is None


def test_the_questions_of_each_purpose_are_numbered() -> None:
    """So that recorded answers are found again."""
    _, asked = ask_all(highest_rate(100.0, 1000.0, 0.1), lambda ask: ask.rate_per_s <= 300)
    steps = [ask.number for ask in asked if ask.purpose == "search"]
    assert steps == list(range(len(steps)))
