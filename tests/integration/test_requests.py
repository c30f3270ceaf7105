"""Requests as the matrix describes them, sent by real wrk; tests/acceptance has the other generators."""

from __future__ import annotations

import pytest

from tests.support.bench import ONCE, Bench
from tests.support.requests import MIX, PICKY, REQUESTS, assert_a_mix_is_sent, assert_each_is_sent

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


def test_a_mix_is_sent_and_its_answers_are_read_under_load(bench: Bench) -> None:
    """Each by its own expectation, in a trial apart; lengths alone would show nothing."""
    assert_a_mix_is_sent(bench, "wrk")


def test_wrong_answers_under_load_are_found(bench: Bench) -> None:
    """Every fifth one, from a server that is honest to the gates and probes."""
    liar = PICKY.replace('"{port}"', '"{port}", "5"')
    bench.write(modes=("persistent",), more=liar + REQUESTS + MIX)
    (bench.folder / "query").write_text("q=1", encoding="utf-8")
    bench.run("run", "--only", "picky", *ONCE)
    solo, checked = bench.read().trials
    assert solo.verdict == "ok"
    assert (checked.design, checked.verdict) == ("checked", "invalid")
    assert "answers under load were wrong; the first: it answers the body 'sometimes', not 'home'" in str(
        checked.reason
    )


def test_what_a_generator_cannot_mix_is_an_error_at_plan(bench: Bench) -> None:
    """h2load gives all requests of a command the same method, headers and body."""
    bench.write(more=PICKY + REQUESTS + MIX)
    (bench.folder / "query").write_text("q=1", encoding="utf-8")
    ended = bench.run("plan", "--load", "h2load")
    assert ended.code == 2
    assert "h2load cannot send the mix of the suite: it can mix only requests that differ in nothing but" in ended.err
