"""Messages of a fleet: each is read as it was written, and whatever else comes is Malformed and nothing worse."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runners.loads.fleet.wire.messages import (
    Hello,
    Malformed,
    Message,
    Ping,
    Pong,
    Ready,
    Refusal,
    Stop,
    Welcome,
    from_master,
    from_worker,
    name_of,
)
from tests.support.fleet_fakes import TRIAL, facts, order, result
from tests.unit.runners.loads.fleet.test_seal import ANY_JSON, ANY_TEXT

NONCE = "ab" * 16
FROM_WORKER = (
    Hello(name="client-1", nonce=NONCE, facts=facts()),
    Pong(number=1, read_us=-5),
    Ready(trial=TRIAL),
    result(order()),
    result(order(), failure="wrk ended with exit status 1", thread_share=None, wait_share=None, host_share=None),
)
FROM_MASTER = (
    Welcome(to=NONCE, nonce=NONCE),
    Refusal(to=NONCE, reason="no"),
    Ping(number=2**53),
    Stop(),
    order(),
    order(threads=3, duration_s=2),
)


@pytest.mark.parametrize("message", FROM_WORKER, ids=["hello", "pong", "ready", "result", "failure"])
def test_a_worker_s_message_is_read_as_it_was_written(message: Message) -> None:
    """Through JSON; and the master never says such a thing."""
    assert from_worker(message.model_dump_json()) == message
    with pytest.raises(Malformed):
        from_master(message.model_dump_json())


@pytest.mark.parametrize("message", FROM_MASTER, ids=["welcome", "refusal", "ping", "stop", "order", "more"])
def test_the_master_s_message_is_read_as_it_was_written(message: Message) -> None:
    """Through JSON; and a worker never says such a thing."""
    assert from_master(message.model_dump_json()) == message
    with pytest.raises(Malformed):
        from_worker(message.model_dump_json())


INF, NAN = float("inf"), float("nan")


@pytest.mark.parametrize(
    "changes",
    [
        {"odd": 1}, {"trial": None}, {"trial": "0" * 31}, {"trial": TRIAL + "\n"}, {"trial": "../../etc/x"},
        {"started_us": "1"}, {"started_us": 1.5}, {"started_us": NAN}, {"threads": -1}, {"threads": 2**40},
        {"threads": True}, {"failure": "x" * 2001}, {"output": "x" * (12 * 2**20 + 1)}, {"output": 3},
        {"tcp": {"RetransSegs": -1}}, {"tcp": {"RetransSegs": 2**53 + 1}}, {"tcp": {"a b": 1}}, {"tcp": []},
        {"samples": [{"at_us": 1, "segments": -1}]}, {"samples": [{"at_us": 1}]}, {"samples": [[1, 2]]},
        {"samples": [{"at_us": 1, "segments": 1}] * 100_001}, {"thread_share": NAN}, {"thread_share": INF},
        {"thread_share": -0.1}, {"wait_share": NAN}, {"wait_share": INF}, {"host_share": NAN}, {"host_share": 1.2},
        {"kind": "hello"}, {"kind": "odd"}, {"kind": None}, {"kind": ["result"]},
    ],
    ids=lambda changes: re.sub(r"\W+", " ", repr(changes))[:60],
)  # fmt: skip
def test_a_result_outside_the_schema_is_malformed(changes: dict[str, Any]) -> None:
    """Nothing unknown, nothing coerced, nothing without a bound."""
    body = json.dumps({**result(order()).model_dump(mode="json"), **changes})
    with pytest.raises(Malformed):
        from_worker(body)


@pytest.mark.parametrize(
    "changes",
    [
        {"generator": "sh"}, {"host": "a b"}, {"host": "$(id)"}, {"host": ""}, {"port": 0}, {"port": 65536},
        {"path": "x"}, {"path": "/a b"}, {"path": "/\n"}, {"path": "/" + "x" * 2000}, {"mode": "odd"},
        {"connections": 0}, {"connections": 10**7}, {"threads": 0}, {"duration_s": 0}, {"duration_s": INF},
        {"duration_s": NAN}, {"duration_s": "1"}, {"warmup_s": -1}, {"measured": 1}, {"argv": ["sh"]},
        {"start_us": 1e300}, {"start_us": INF},
    ],
    ids=lambda changes: re.sub(r"\W+", " ", repr(changes))[:60],
)  # fmt: skip
def test_an_order_outside_the_schema_is_malformed(changes: dict[str, Any]) -> None:
    """A worker is told what to load, and in no other words."""
    body = json.dumps({**order().model_dump(mode="json"), **changes})
    with pytest.raises(Malformed):
        from_master(body)


@pytest.mark.parametrize("number", ["9" * 5000, "-" + "9" * 5000, "1e400", "9" * 30])
def test_numbers_beyond_all_measure_are_malformed(number: str) -> None:
    """Whatever becomes of them in the reader of JSON."""
    with pytest.raises(Malformed):
        from_worker(f'{{"kind": "pong", "number": {number}, "read_us": 1}}')


@given(ANY_TEXT | ANY_JSON.map(json.dumps))
@example("[" * 100_000)
@example('{"kind": ' * 10_000)
@example('{"kind": "pong", "number": 1, "read_us": ' + "[" * 10_000)
@example('{"kind": "hello", "name": "\\ud800"}')
@example("\ud800")
def test_any_other_text_is_malformed(text: str) -> None:
    """And no other error, which would end its reader."""
    for read in (from_worker, from_master):
        with pytest.raises(Malformed):
            read(text)


@given(
    kind=st.sampled_from(["hello", "pong", "ready", "result", "welcome", "refusal", "ping", "order"]),
    parts=st.dictionaries(st.sampled_from(["name", "nonce", "facts", "number", "trial", "odd", "to"]), ANY_JSON),
)
def test_any_parts_under_right_names_are_malformed(kind: str, parts: dict[str, Any]) -> None:
    """Of the wrong types."""
    for read in (from_worker, from_master):
        with pytest.raises(Malformed):
            read(json.dumps({**parts, "kind": kind, "odd": 1}))


def test_what_is_said_of_a_malformed_message_is_short() -> None:
    """It goes to a log and into records, and a peer chooses its words."""
    with pytest.raises(Malformed) as refused:
        from_worker(json.dumps({"kind": "ready", "trial": TRIAL, "\n" * 10**6: 1}))
    assert len(str(refused.value)) < 500
    assert "\n" not in str(refused.value)


@given(ANY_TEXT)
def test_any_text_becomes_a_name_of_a_client(text: str) -> None:
    """Such as a host's."""
    assert Hello(name=name_of(text), nonce=NONCE, facts=facts()).name == name_of(text)


def test_a_host_s_name_stays_as_it_is() -> None:
    """Where it can."""
    assert name_of("client-1.example.org") == "client-1.example.org"
    assert name_of("_odd name") == "odd-name"
    assert name_of("...") == "client"
