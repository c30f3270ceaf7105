"""Requests as the matrix describes them, sent by real wrk; tests/acceptance has the other generators."""

from __future__ import annotations

import pytest

from tests.support.bench import Bench
from tests.support.requests import PICKY, REQUESTS, assert_each_is_sent

pytestmark = pytest.mark.measures


def test_each_request_has_a_cell_and_is_sent_as_it_is_described(bench: Bench) -> None:
    """Method, path, headers and body; an expected status from 400 on is no error."""
    assert_each_is_sent(bench, "wrk")


def test_a_wrong_answer_to_any_request_is_refused(bench: Bench) -> None:
    """By the gate that counts right answers, with the request's fault."""
    bench.write(more=PICKY + REQUESTS.replace("found = true", "found = false"))
    (bench.folder / "query").write_text("q=1", encoding="utf-8")
    ended = bench.run("check")
    assert ended.code == 1
    assert "answers JSON that differs from what is expected at .found" in ended.out
