"""HdrHistogram's percentile distribution, read back by its documented columns."""

from __future__ import annotations

import math
import statistics

from hypothesis import given
from hypothesis import strategies as st

from reports.exports.numbers import Numbers
from reports.exports.percentiles import distribution, to_hgrm

HISTOGRAMS = st.dictionaries(st.integers(0, 10**8), st.integers(1, 10**6), min_size=1, max_size=50)


def counts(text: str) -> dict[int, int]:
    """Return the histogram in a distribution: each line counts the requests up to its value."""
    rows = [line.split() for line in text.splitlines()[2:] if not line.startswith("#")]
    found, before = {}, 0
    for value, _, total, _ in rows:
        found[int(value)], before = int(total) - before, int(total)
    return found


@given(HISTOGRAMS)
def test_the_exact_counts_read_back(histogram: dict[int, int]) -> None:
    """Nothing is grouped."""
    assert counts(distribution(histogram)) == histogram


@given(HISTOGRAMS)
def test_percentiles_grow_to_one_and_their_last_column_follows(histogram: dict[int, int]) -> None:
    """Plotters take 1 / (1 - percentile) as their axis."""
    rows = [line.split() for line in distribution(histogram).splitlines()[2:] if not line.startswith("#")]
    shares = [float(share) for _, share, _, _ in rows]
    assert shares == sorted(shares)
    assert (shares[-1], rows[-1][3]) == (1.0, "inf")
    for _, share, _, beyond in rows[:-1]:
        assert math.isclose(float(beyond), 1 / (1 - float(share)), rel_tol=0.01, abs_tol=0.01) or float(share) > 0.9999


def test_the_footer_has_mean_deviation_maximum_and_count() -> None:
    """As the standard library computes them."""
    values = [100, 100, 300]
    footer = distribution({100: 2, 300: 1}).splitlines()[-3:]
    assert f"{statistics.fmean(values):.3f}" in footer[0]
    assert f"{statistics.pstdev(values):.3f}" in footer[0]
    assert footer[1].split() == ["#[Max", "=", "300,", "Total", "count", "=", "3]"]


def test_each_cell_has_a_file_with_a_plain_name(numbers: Numbers) -> None:
    """A slug has slashes."""
    files = to_hgrm(numbers)
    assert "go-t1-c64-persistent.hgrm" in files
    assert len(files) == len(numbers.histograms)
    assert [name for name in files if "/" in name or name.startswith(".")] == []
