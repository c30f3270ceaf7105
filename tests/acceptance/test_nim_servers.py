"""The servers on one part of Nim's standard library each, and those that answer as in 2015."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.conformance import ReadingConformance
from tests.support.shelf import ServerUnderTest, Shelf, Started
from tests.support.wire import HELLO, HELLO_AND_CLOSE, Wire, all_of_1100_answers, descriptors, settled, within

KEEPING = [
    *map(ServerUnderTest, ("asyncnet", "selectors", "epoll.accept", "epoll.accept4", "epoll.edge-first")),
    *(ServerUnderTest(variant, threads=4) for variant in ("epoll_parallel", "epoll_parallel.reuseport")),
]
CLOSING = ServerUnderTest("rawsockets")
HISTORIC = [ServerUnderTest(f"{way}-2015") for way in ("asyncnet", "selectors", "epoll")]

pytestmark = pytest.mark.timeout(300)  # whichever test comes first waits for all builds


@pytest.fixture(scope="module", autouse=True)
def _all_built_at_once(shelf: Shelf) -> None:
    shelf.build(*(each.variant for each in (*KEEPING, CLOSING, *HISTORIC)))


@pytest.fixture(scope="module", params=KEEPING, ids=str)
def program(request: pytest.FixtureRequest) -> ServerUnderTest:
    """Return each server that keeps connections, in turn."""
    program: ServerUnderTest = request.param
    return program


class TestTheServersThatKeepConnections(ReadingConformance):
    """Each on its own part of the library."""


@pytest.fixture(scope="module")
def closing(shelf: Shelf) -> Iterator[Started]:
    """Return the server that serves one request for each connection, running."""
    with shelf.running(CLOSING) as started:
        yield started
        assert started.process.poll() is None


def test_knows_paths_and_methods(server: Started) -> None:
    """Another path is not found, HEAD brings no body, and what is posted is read to its end."""
    knows_paths_and_methods(server.port)


def test_one_request_per_connection_knows_paths_and_methods(closing: Started) -> None:
    """The same as the others."""
    knows_paths_and_methods(closing.port)


def knows_paths_and_methods(port: int) -> None:
    """Ask each over a connection of its own."""
    posted = b"POST / HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: 300000\r\n\r\n" + b"G" * 300_000
    with Wire(port) as wire:
        assert wire.ask(HELLO_AND_CLOSE.replace(b"GET /", b"GET /other")).status == 404
    with Wire(port) as wire:
        assert wire.ask(HELLO_AND_CLOSE.replace(b"GET", b"HEAD"), with_body=False).headers["content-length"] == "11"
        assert wire.rest() == b""
    with Wire(port) as wire:
        assert wire.ask(posted).body == b"Hello World"
        assert wire.rest() == b""


def test_a_refusal_survives_unread_input(wire: Wire) -> None:
    """The 431 arrives although much more was on its way, and then a FIN."""
    wire.send(b"GET / HTTP/1.1\r\nX: " + b"x" * 200_000)

    assert wire.answer().status == 431
    assert wire.rest() == b""


def test_one_request_per_connection_is_answered_when_it_is_whole(closing: Started) -> None:
    """Once, by its name, and the connection ends."""
    with Wire(closing.port) as wire:
        wire.send(HELLO[:-1])
        assert wire.unasked() == b""
        answer = wire.ask(HELLO[-1:])
        assert (answer.status, answer.body, answer.headers["server"]) == (200, b"Hello World", "rawsockets")
        assert wire.rest() == b""


def test_one_request_per_connection_serves_1100_connections(closing: Started) -> None:
    """More connections than the usual limit of descriptors are all served, and leave nothing behind."""
    base = settled(lambda: descriptors(closing.process.pid))
    assert all_of_1100_answers(closing.port)
    assert within(5, lambda: descriptors(closing.process.pid) <= base)


@pytest.mark.parametrize("historic", HISTORIC, ids=str)
def test_the_servers_of_2015_answer_unasked(historic: ServerUnderTest, shelf: Shelf) -> None:
    """They are what they are shown for: bytes come although no request was sent."""
    with shelf.running(historic) as started, Wire(started.port) as wire:
        assert wire.unasked(1).startswith(b"HTTP/1.1 200 OK\nContent-Length: 11\n\nHello World")
