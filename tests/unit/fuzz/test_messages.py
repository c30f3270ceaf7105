"""Messages of fleets and answers of servers, mutated."""

from __future__ import annotations

import socket
import time
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runners.loads.fleet.master.members import Members
from runners.loads.fleet.wire.link import Incoming
from runners.loads.fleet.wire.messages import Malformed, Ready, Welcome, from_master, from_worker
from runners.loads.fleet.wire.seal import Seal
from runners.server.answers import Broken, parse_answer
from runners.server.probe import Connection, HungUp, Unanswered, read_answer
from tests.support.fleet_fakes import TOKEN, TRIAL, FakeLink, FakeWorker, order, result
from tests.support.mutation import fuzzed, mutations, without_hang

BODIES = tuple(
    message.model_dump_json().encode()
    for message in (Ready(trial=TRIAL), result(order()), order(), Welcome(to=TRIAL, nonce=TRIAL))
)
ANSWERS = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\nContent-Type: text/plain\r\n\r\nHello World",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nHello\r\n0\r\nX: y\r\n\r\n",
    b"HTTP/1.0 404 Not Found\r\nConnection: close\r\n\r\nnone",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
)


@fuzzed
@given(mutations(BODIES))
@example(b"[" * 100_000)
@example(b'{"kind": "pong", "number": 1, "read_us": ' + b"9" * 4000 + b"}")
def test_any_message_of_who_has_the_token_is_read_or_malformed(data: bytes) -> None:
    """A host of the fleet may be broken, too: the master goes on, and so does a worker."""
    text = data.decode("utf-8", "replace")
    with without_hang():
        for read in (from_worker, from_master):
            with suppress(Malformed):
                read(text)
        link = FakeLink()
        members, worker = Members(TOKEN, link), FakeWorker(link, "a")
        link.hear = lambda heard, _to: worker.heard_text(heard)
        members.hear("id-a", worker.hello())
        worker.body(text)
        with suppress(Malformed):
            members.hear("id-a", link.coming.pop().text)
        members.hear("stranger", Seal(TOKEN, "worker").wrap(text))
        link.close()


@fuzzed
@given(st.lists(mutations((Seal(TOKEN, "worker").wrap("x").encode(), b"x" * 9000)), max_size=3))
def test_any_message_of_a_stranger_is_dropped(texts: list[bytes]) -> None:
    """Nobody is let in."""
    link = FakeLink()
    members = Members("another token of the tests' own", link)
    with without_hang():
        for data in texts:
            incoming = Incoming("stranger", data.decode("utf-8", "replace"))
            assert members.hear(incoming.sender, incoming.text) is None
    assert members.alive() == []
    link.close()


@fuzzed
@given(data=mutations(ANSWERS), bodiless=st.booleans(), ended=st.sampled_from([None, True, False]))
@example(
    data=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 20_000, bodiless=False, ended=None
)
def test_any_answer_is_read_or_broken(data: bytes, bodiless: bool, ended: bool | None) -> None:  # noqa: FBT001
    """And what is read is not longer than what came."""
    with without_hang(), suppress(Broken):
        parsed = parse_answer(data, bodiless=bodiless, ended=ended)
        if parsed is not None:
            assert parsed[0].size_bytes + len(parsed[1]) == len(data)


@fuzzed
@given(mutations(ANSWERS), st.integers(1, 400))
def test_an_answer_that_comes_in_pieces_is_read_or_refused(data: bytes, size: int) -> None:
    """However it is cut; the server leaves afterwards."""
    one, theirs = socket.socketpair()
    with one, theirs, without_hang(), Connection(fileno=one.detach()) as ours:
        ours.deadline = time.monotonic() + 5
        size = max(size, len(data) // 100 + 1)  # more pieces would not fit into the socket, and nobody reads yet
        for start in range(0, len(data), size):
            theirs.sendall(data[start : start + size])
        theirs.close()
        with suppress(Unanswered, HungUp):
            read_answer(ours)


@pytest.mark.parametrize("answer", [ANSWERS[0], ANSWERS[2]])
def test_a_whole_answer_is_still_read(answer: bytes) -> None:
    """The mutations begin with answers that are right."""
    parsed = parse_answer(answer, ended=True)
    assert parsed is not None
    assert parsed[0].body in {b"Hello World", b"none"}
