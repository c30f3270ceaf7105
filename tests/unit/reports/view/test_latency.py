"""Percentile curves from exact histograms."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reports.view.latency import curve
from runners.stats.histogram import percentile_us

HISTOGRAMS = st.dictionaries(st.integers(1, 10**6), st.integers(1, 5000), max_size=40)


@given(HISTOGRAMS)
def test_a_curve_rises_and_agrees_with_the_percentiles(histogram: dict[int, int]) -> None:
    """At one in ten it is p90, at one in a hundred p99; where too few requests were slower it ends."""
    points = curve(histogram)

    assert [value for _, value in points] == sorted(value for _, value in points)
    for one_in, value in points:
        if one_in in (10.0, 100.0):
            assert value == percentile_us(histogram, 100 - 100 / one_in)
    assert all(sum(histogram.values()) / one_in >= 10 for one_in, _ in points)


def test_nothing_measured_has_no_curve() -> None:
    """Nor do nine requests."""
    assert curve({}) == curve({1000: 9}) == ()
