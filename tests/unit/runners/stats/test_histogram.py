"""Exact latency histograms: wrk's correction is undone, text reads back, sums lose nothing."""

from __future__ import annotations

import base64
import zlib
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runners.errors import BadInput
from runners.stats.histogram import MOST_BYTES, decode, encode, mean_us, merge, percentile_us, uncorrected

HISTOGRAMS = st.dictionaries(st.integers(0, 3000), st.integers(1, 50), max_size=40)


def wrk_corrects(measured: dict[int, int], expected: int) -> dict[int, int]:
    """Do to a histogram what wrk 4 does at exit, written again from its src/stats.c."""
    data = [0] * (max(measured, default=0) + 1)
    for value, count in measured.items():
        data[value] = count
    for n in range(expected * 2, len(data)):
        m = n - expected
        while data[n] and m > expected:
            data[m] += data[n]
            m -= expected
    return {value: count for value, count in enumerate(data) if count}


@settings(max_examples=200)
@given(measured=HISTOGRAMS, connections=st.integers(1, 64), extra=st.integers(0, 63), interval=st.integers(1, 800))
def test_undoing_wrk_s_correction_gives_what_was_measured(
    measured: dict[int, int], connections: int, extra: int, interval: int
) -> None:
    """For any histogram, number of connections and expected interval."""
    requests = sum(measured.values())
    rounds = requests // connections
    duration_us = rounds * interval + extra % max(1, rounds)
    corrected = wrk_corrects(measured, duration_us // rounds) if rounds else measured
    assert uncorrected(corrected, duration_us, requests, connections) == measured


def test_the_correction_really_adds_samples() -> None:
    """So that the test above tests something: one slow answer becomes many."""
    assert wrk_corrects({10: 5, 100: 1}, 20) == {10: 5, 40: 1, 60: 1, 80: 1, 100: 1}
    assert uncorrected({10: 5, 40: 1, 60: 1, 80: 1, 100: 1}, 20 * 6, 6, 1) == {10: 5, 100: 1}


def test_with_fewer_requests_than_connections_wrk_corrects_nothing() -> None:
    """Its expected interval would be a division by zero."""
    assert uncorrected({10: 1, 900: 2}, 1_000_000, 3, 64) == {10: 1, 900: 2}


def test_a_negative_count_is_kept_for_the_conservation_check() -> None:
    """What no correction can have made is not smoothed over."""
    assert uncorrected({40: 1, 60: 3}, 20 * 4, 4, 1)[40] == -2


@given(st.dictionaries(st.integers(0, 2**40), st.integers(0, 2**60), max_size=60))
def test_an_encoded_histogram_reads_back_exactly(histogram: dict[int, int]) -> None:
    """Whatever the values and counts are."""
    assert decode(encode(histogram)) == histogram


def test_an_encoded_histogram_is_small_and_plain_text() -> None:
    """Ten thousand values fit into a line of JSON."""
    text = encode({value: 1 + value % 7 for value in range(10_000)})
    assert text.isascii()
    assert len(text) < 2000


def test_equal_histograms_have_equal_text() -> None:
    """The order of insertion does not show."""
    assert encode({1: 2, 3: 4}) == encode({3: 4, 1: 2})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not base64!",
        "AAAA",
        base64.b64encode(zlib.compress(b"\x01")).decode(),
        base64.b64encode(zlib.compress(b"\x01\x81")).decode(),
        base64.b64encode(zlib.compress(b"\x01\x02")[:-3]).decode(),
        base64.b64encode(b"x").decode(),
        "é",
    ],
)
def test_what_is_no_histogram_is_bad_input(text: str) -> None:
    """A damaged record ends in a sentence, not in a traceback."""
    with pytest.raises(BadInput, match="not a latency histogram"):
        decode(text)


def test_a_text_that_inflates_without_end_is_refused_before_it_does() -> None:
    """A run folder may come by mail: a kilobyte could ask for gigabytes, and a number of a million digits for days."""
    for data in (b"\0" * (MOST_BYTES + 1), b"\x81" * (MOST_BYTES // 2)):
        with pytest.raises(BadInput, match=r"not a latency histogram: (it is larger|a number has more)"):
            decode(base64.b64encode(zlib.compress(data)).decode())


def test_the_largest_numbers_read_back() -> None:
    """Those that the text can hold."""
    largest = {2**63 - 1: 2**63 - 1}
    assert decode(encode(largest)) == largest


@given(st.lists(st.lists(st.integers(0, 500), max_size=30), max_size=5))
def test_merging_is_the_histogram_of_all_samples_together(samples: list[list[int]]) -> None:
    """Trials and hosts merge without any loss."""
    together = Counter(value for part in samples for value in part)
    assert merge(Counter(part) for part in samples) == dict(together)


@given(st.lists(st.integers(0, 10_000), min_size=20, max_size=300), st.floats(0, 100))
def test_a_percentile_is_the_smallest_value_that_so_many_did_not_exceed(samples: list[int], percent: float) -> None:
    """Compared with a count over the sorted samples."""
    value = percentile_us(Counter(samples), percent)
    if value is None:
        assert len(samples) * (1 - percent / 100) < 10
    else:
        need = len(samples) * percent / 100
        assert sum(sample <= value for sample in samples) >= need
        assert sum(sample < value for sample in samples) < need or value == min(samples)


def test_a_percentile_of_too_few_samples_is_unknown() -> None:
    """Fewer than ten above it would be luck."""
    assert percentile_us({10: 990, 20: 10}, 99) == 10
    assert percentile_us({10: 990, 20: 9}, 99.5) is None
    assert percentile_us({}, 50) is None


def test_the_mean_weighs_by_counts() -> None:
    """Without samples there is none."""
    assert mean_us({10: 3, 50: 1}) == 20
    assert mean_us({}) is None


@pytest.mark.parametrize(("percent", "requests"), [(90, 100), (99, 1_000), (99.9, 10_000), (99.99, 100_000)])
def test_exactly_ten_samples_above_are_enough_at_any_percentile(percent: float, requests: int) -> None:
    """Although 1 - 90 / 100 is a little less than a tenth where numbers are binary."""
    assert percentile_us({1: requests}, percent) == 1
    assert percentile_us({1: requests - 1}, percent) is None
