"""Quantities with their units: what people write is read exactly, what is printed reads well."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.units import (
    DURATIONS_S,
    SIZES_BYTES,
    format_duration,
    format_size,
    parse_duration_s,
    parse_quantity,
    parse_share,
)

NUMBERS = st.decimals(min_value=0, max_value=100_000, places=3, allow_nan=False, allow_infinity=False)


@given(number=NUMBERS, unit=st.sampled_from(sorted(DURATIONS_S)), space=st.sampled_from(["", " "]))
def test_a_written_duration_is_read_in_seconds(number: object, unit: str, space: str) -> None:
    """A number with a unit of time is that many of those units."""
    assert math.isclose(parse_duration_s(f"{number}{space}{unit}"), float(str(number)) * DURATIONS_S[unit])


@given(st.floats(min_value=1e-6, max_value=59.9))
def test_a_printed_duration_under_a_minute_reads_back_to_three_digits(seconds: float) -> None:
    """What is printed may be written into a matrix again."""
    assert math.isclose(parse_duration_s(format_duration(seconds)), seconds, rel_tol=0.006)


@given(st.floats(min_value=1, max_value=1e14))
def test_a_printed_size_reads_back_to_three_digits(size: float) -> None:
    """Sizes are parsed and printed alike."""
    assert math.isclose(parse_quantity(format_size(size), SIZES_BYTES, "1 MiB"), size, rel_tol=0.006, abs_tol=0.5)


@given(st.floats(min_value=0, max_value=1e6))
def test_no_duration_is_printed_with_an_exponent(seconds: float) -> None:
    """People do not say 1e+03ms."""
    assert "e+" not in format_duration(seconds)


@given(st.floats(min_value=0, max_value=1e15))
def test_no_size_is_printed_with_an_exponent(size: float) -> None:
    """People do not say 1.02e+03 KiB."""
    assert "e+" not in format_size(size)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0ms"), (0.3, "300ms"), (0.9996, "1s"), (1.5, "1.5s"), (59.9, "59.9s"), (59.97, "1m00s"), (250, "4m10s"),
        (3599.6, "1h00m"), (7500, "2h05m"),
    ],
)  # fmt: skip
def test_durations_read_as_people_say_them(seconds: float, text: str) -> None:
    """The unit grows with the number."""
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (1023, "1023 B"), (1024, "1 KiB"), (3.2 * 2**20, "3.2 MiB")]
)
def test_sizes_are_printed_in_the_largest_unit_that_fits(size: float, text: str) -> None:
    """1024 bytes are a KiB."""
    assert format_size(size) == text


def test_a_share_is_a_fraction() -> None:
    """One percent is a hundredth."""
    assert parse_share("1%") == pytest.approx(0.01)
    assert parse_share("12.5 %") == pytest.approx(0.125)


@pytest.mark.parametrize("wrong", ["10", "s", "", "10 parsecs", "-1s", "1e3s", "1.s", "1s 2m", 11, 1.5, None, True, []])
def test_what_is_no_duration_is_refused_with_the_units_there_are(wrong: object) -> None:
    """The message holds every unit and an example."""
    with pytest.raises(ValueError, match=r"us, ms, s, m, h.*'10s'"):
        parse_duration_s(wrong)


def test_a_unit_of_another_family_is_refused() -> None:
    """A duration cannot be given in percent."""
    with pytest.raises(ValueError, match="us, ms, s, m, h"):
        parse_duration_s("3%")
