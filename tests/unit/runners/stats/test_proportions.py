"""Exact bounds of how often something happens, against scipy."""

from __future__ import annotations

import pytest
import scipy.stats

from runners.stats.proportions import at_least, at_most


def test_all_of_ten_and_none_of_ten_have_the_bounds_that_people_know() -> None:
    """The twentieth root, so to say."""
    assert at_least(10, 10) == pytest.approx(0.05**0.1)
    assert at_most(0, 10) == pytest.approx(1 - 0.05**0.1)


@pytest.mark.parametrize(("hits", "tries"), [(0, 1), (1, 1), (3, 10), (38, 40), (36, 40), (1, 100)])
def test_bounds_are_those_of_clopper_and_pearson(hits: int, tries: int) -> None:
    """One-sided at 95 %."""
    test = scipy.stats.binomtest(hits, tries)
    two_sided = test.proportion_ci(confidence_level=0.90, method="exact")
    assert at_least(hits, tries) == pytest.approx(two_sided.low, abs=1e-9)
    assert at_most(hits, tries) == pytest.approx(two_sided.high, abs=1e-9)


def test_nothing_is_known_without_tries() -> None:
    """Anything between never and always."""
    assert (at_least(0, 0), at_most(0, 0)) == (0.0, 1.0)
