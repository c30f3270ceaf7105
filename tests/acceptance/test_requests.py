"""Requests as the matrix describes them, sent by real h2load and Locust."""

from __future__ import annotations

import pytest

from tests.support.bench import Bench
from tests.support.requests import assert_a_mix_is_sent, assert_each_is_sent

pytestmark = pytest.mark.measures


@pytest.mark.parametrize("load", ["h2load", "locust"])
def test_each_request_is_sent_as_it_is_described(bench: Bench, load: str) -> None:
    """Method, path, headers and body."""
    assert_each_is_sent(bench, load)


def test_locust_tells_the_requests_of_a_mix_apart(bench: Bench) -> None:
    """Its users send each as often as its weight says, give or take chance."""
    counts = assert_a_mix_is_sent(bench, "locust")
    assert counts.keys() == {"home", "search", "gone"}
    assert counts["home"] / sum(counts.values()) == pytest.approx(3 / 5, abs=0.1)
