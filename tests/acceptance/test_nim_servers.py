"""The servers on one part of Nim's standard library each, and those that answer as in 2015."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime

import pytest

from tests.support.shelf import ServerUnderTest, Shelf, Started
from tests.support.wire import (
    HELLO,
    HELLO_AND_CLOSE,
    Wire,
    all_of_1100_answers,
    descriptors,
    read_late,
    within,
)

KEEPING = [
    *map(ServerUnderTest, ("asyncnet", "selectors", "epoll.accept", "epoll.accept4", "epoll.edge-first")),
    *(ServerUnderTest(variant, threads=4) for variant in ("epoll_parallel", "epoll_parallel.reuseport")),
]
HONEST = [ServerUnderTest("rawsockets"), *KEEPING]
HISTORIC = [ServerUnderTest(f"{way}-2015") for way in ("asyncnet", "selectors", "epoll")]

honest = pytest.mark.parametrize("program", HONEST, indirect=True, ids=str)
keeping = pytest.mark.parametrize("program", KEEPING, indirect=True, ids=str)
historic = pytest.mark.parametrize("program", HISTORIC, indirect=True, ids=str)

pytestmark = pytest.mark.timeout(300)  # whichever test comes first waits for all builds


@pytest.fixture(scope="module")
def program(request: pytest.FixtureRequest, shelf: Shelf) -> ServerUnderTest:
    """Return each server in turn, all built at once."""
    shelf.build(*(each.variant for each in (*HONEST, *HISTORIC)))
    program: ServerUnderTest = request.param
    return program


@honest
def test_says_exactly_hello_world(wire: Wire, server: Started) -> None:
    """The answer has the body, the name and the date that it should have, and comes once."""
    answer = wire.ask()

    assert (answer.status, answer.body) == (200, b"Hello World")
    assert answer.headers["content-type"] == "text/plain"
    assert answer.headers["server"] == server.program.name
    assert abs(parsedate_to_datetime(answer.headers["date"]).timestamp() - time.time()) < 3
    assert wire.unasked() == b""


@honest
def test_waits_for_the_whole_request(wire: Wire) -> None:
    """Nothing is sent before there is a request, nor before it is complete."""
    assert wire.unasked() == b""
    wire.send(HELLO[:-1])
    assert wire.unasked() == b""
    assert wire.ask(HELLO[-1:]).body == b"Hello World"


@honest
def test_closes_when_asked_to(wire: Wire) -> None:
    """`Connection: close` is answered by the header and a FIN."""
    assert wire.ask(HELLO_AND_CLOSE).headers["connection"] == "close"
    assert wire.rest() == b""


@honest
def test_knows_paths_and_methods(server: Started) -> None:
    """Another path is not found, HEAD brings no body, and what is posted is read to its end."""
    posted = b"POST / HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: 300000\r\n\r\n" + b"G" * 300_000
    with Wire(server.port) as wire:
        assert wire.ask(HELLO_AND_CLOSE.replace(b"GET /", b"GET /other")).status == 404
    with Wire(server.port) as wire:
        assert wire.ask(HELLO_AND_CLOSE.replace(b"GET", b"HEAD"), with_body=False).headers["content-length"] == "11"
        assert wire.rest() == b""
    with Wire(server.port) as wire:
        assert wire.ask(posted).body == b"Hello World"
        assert wire.rest() == b""


@honest
def test_a_refusal_survives_unread_input(wire: Wire) -> None:
    """The 431 arrives although much more was on its way, and then a FIN."""
    wire.send(b"GET / HTTP/1.1\r\nX: " + b"x" * 200_000)

    assert wire.answer().status == 431
    assert wire.rest() == b""


@honest
def test_serves_1100_connections(server: Started) -> None:
    """More connections than the usual limit of descriptors are all served, and leave nothing behind."""
    with Wire(server.port) as wire:
        wire.ask()  # What the server opens with its first request stays open.
    base = descriptors(server.process.pid)
    assert all_of_1100_answers(server.port)
    assert within(5, lambda: descriptors(server.process.pid) <= base)


@keeping
def test_answers_pipelined_requests_in_order(wire: Wire) -> None:
    """Sixteen requests in one segment bring sixteen answers, each to its own question."""
    wire.send((HELLO + HELLO.replace(b"GET /", b"GET /other")) * 8)

    assert [wire.answer().status for _ in range(16)] == [200, 404] * 8
    assert wire.unasked() == b""


@keeping
def test_loses_nothing_to_a_slow_reader(server: Started) -> None:
    """20,000 answers arrive whole at a client that reads only when the server takes no more requests."""
    count = 20_000
    received = read_late(server.port, count)

    assert received.count(b"\r\n\r\nHello World") == count
    assert received.count(b"HTTP/1.1 200 OK\r\n") == count


@historic
def test_the_servers_of_2015_answer_unasked(wire: Wire) -> None:
    """They are what they are shown for: bytes come although no request was sent."""
    assert wire.unasked(1).startswith(b"HTTP/1.1 200 OK\nContent-Length: 11\n\nHello World")
