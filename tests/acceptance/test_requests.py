"""Requests as the matrix describes them, sent by real h2load and Locust."""

from __future__ import annotations

import pytest

from tests.support.bench import Bench
from tests.support.requests import assert_each_is_sent

pytestmark = pytest.mark.measures


@pytest.mark.parametrize("load", ["h2load", "locust"])
def test_each_request_is_sent_as_it_is_described(bench: Bench, load: str) -> None:
    """Method, path, headers and body."""
    assert_each_is_sent(bench, load)
