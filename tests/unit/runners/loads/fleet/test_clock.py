"""Clocks of a fleet: the offset is right within what is said of it, however the messages were delayed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.loads.fleet.wire.clock import Exchange, Offset, estimate, now_us

DELAYS = st.integers(0, 10**7)


@st.composite
def exchanges(draw: st.DrawFn, offset_us: int) -> list[Exchange]:
    """Return questions to a clock that is so much ahead, each way as slow as it likes."""
    made = []
    for asked_us in draw(st.lists(st.integers(0, 10**12), min_size=1, max_size=8)):
        there_us, back_us = draw(DELAYS), draw(DELAYS)
        made.append(Exchange(asked_us, asked_us + there_us + offset_us, asked_us + there_us + back_us))
    return made


@given(data=st.data(), offset_us=st.integers(-(10**15), 10**15))
def test_the_offset_is_known_within_its_uncertainty(data: st.DataObject, offset_us: int) -> None:
    """Whatever the delays of both ways were."""
    found = estimate(data.draw(exchanges(offset_us)))
    assert abs(found.offset_us - offset_us) <= found.uncertainty_us


@given(data=st.data(), offset_us=st.integers(-(10**15), 10**15))
def test_more_questions_never_make_it_less_certain(data: st.DataObject, offset_us: int) -> None:
    """The quickest exchange decides."""
    asked = data.draw(exchanges(offset_us))
    each = [estimate([exchange]).uncertainty_us for exchange in asked]
    assert estimate(asked).uncertainty_us == min(each)


def test_the_quickest_exchange_wins() -> None:
    """A slow one in which the question was quick and the answer was not would mislead."""
    slow, quick = Exchange(0, 5_000, 10_100), Exchange(20_000, 20_060, 20_100)
    assert estimate([slow, quick]) == estimate([quick, slow]) == Offset(10, 50)


def test_without_an_exchange_nothing_is_known() -> None:
    """An offset of 0 would be a lie."""
    with pytest.raises(ValueError, match="empty"):
        estimate([])


@given(offset_us=st.integers(-(10**15), 10**15), moment_us=st.integers(0, 10**15))
def test_times_are_translated_there_and_back(offset_us: int, moment_us: int) -> None:
    """Exactly."""
    offset = Offset(offset_us, 1)
    assert offset.of_master(offset.of_worker(moment_us)) == moment_us
    assert offset.of_worker(moment_us) - moment_us == offset_us


def test_the_clock_never_goes_back() -> None:
    """It is the monotonic one."""
    assert now_us() <= now_us()
