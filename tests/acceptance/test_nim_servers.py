"""The servers on one part of Nim's standard library each, and those that answer as in 2015."""

from __future__ import annotations

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import pytest

from tests.support.wire import (
    HELLO,
    HELLO_AND_CLOSE,
    NIM,
    OPTIONS,
    ServerUnderTest,
    Started,
    Wire,
    all_of_1100_answers,
    built,
    descriptors,
    read_late,
    running,
    within,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("nim") is None, reason="nim is not installed"),
]


def nim(name: str, source: str, *flags: str, threads: int = 1) -> ServerUnderTest:
    """A server as matrix.toml builds it; behind a dot stands the variant."""
    server = name.partition(".")[0]
    build = [*NIM, f"-d:server={server}", *flags, f"{{dir}}/{source}.nim"]
    return ServerUnderTest(name, "nim", build=build, run=["{out}", *OPTIONS], threads=threads, sources="nim")


KEEPING = [
    nim("asyncnet", "asyncnet_hello"),
    nim("selectors", "selectors_hello"),
    nim("epoll.accept", "epoll", "-d:accepting=accept"),
    nim("epoll.accept4", "epoll", "-d:accepting=accept4"),
    nim("epoll.edge-first", "epoll", "-d:accepting=edgeFirst"),
    nim("epoll_parallel", "epoll", "-d:shared", threads=4),
    nim("epoll_parallel.reuseport", "epoll", "-d:shared", "-d:shared=false", threads=4),
]
HONEST = [nim("rawsockets", "rawsockets"), *KEEPING]
HISTORIC = [nim(f"{way}-2015", "historic") for way in ("asyncnet", "selectors", "epoll")]


def label(program: ServerUnderTest) -> str:
    """How the test report names it."""
    return program.name


honest = pytest.mark.parametrize("server", HONEST, indirect=True, ids=label)
keeping = pytest.mark.parametrize("server", KEEPING, indirect=True, ids=label)
historic = pytest.mark.parametrize("server", HISTORIC, indirect=True, ids=label)


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Where the programs are, all built at once."""
    builds = {"": tmp_path_factory.mktemp("nim")}
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(lambda program: built(program, builds), [*HONEST, *HISTORIC]))
    return builds


@pytest.fixture
def server(request: pytest.FixtureRequest, builds: dict[str, Path]) -> Iterator[Started]:
    """A server, running. At the end of the test it must still be alive."""
    with running(request.param, builds) as started:
        yield started
        assert started.process.poll() is None


@pytest.fixture
def wire(server: Started) -> Iterator[Wire]:
    """A connection to the server."""
    with Wire(server.port) as wire:
        yield wire


@honest
def test_says_exactly_hello_world(wire: Wire, server: Started) -> None:
    """The answer has the body, the name and the date that it should have, and comes once."""
    answer = wire.ask()

    assert (answer.status, answer.body) == (200, b"Hello World")
    assert answer.headers["content-type"] == "text/plain"
    assert answer.headers["server"] == server.program.name.partition(".")[0]
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
