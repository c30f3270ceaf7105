"""The servers, as clients see them over plain sockets: they are what they are timed as."""

from __future__ import annotations

import signal
import time

import pytest

from tests.support.conformance import ReadingConformance, refuses
from tests.support.shelf import ServerUnderTest, Shelf, Started, with_two_threads
from tests.support.wire import (
    HELLO,
    Wire,
    descriptors,
    settled,
    within,
)

ASYNCHTTP = ServerUnderTest(
    "asynchttp",
    lenient=frozenset({"no version"}),  # It answers 200 and closes.
    continues_after_garbage=True,  # It answers 400 and goes on with the next line.
)
EPOLL = ServerUnderTest("epoll")
PYTHON = ServerUnderTest("python_epoll")
GO = ServerUnderTest("go")
H2O = ServerUnderTest(
    "h2o",
    post=405,  # A file is served, which cannot be posted to.
    stop=signal.SIGINT,  # After SIGTERM it waits for its clients.
)
PROGRAMS = [ASYNCHTTP, EPOLL, PYTHON, GO, H2O, *with_two_threads(ASYNCHTTP, EPOLL, GO, H2O)]
# Where libraries may decide for themselves, the servers that parse by themselves are held to more.
OURS = [EPOLL, PYTHON, *with_two_threads(EPOLL)]

of_our_own = pytest.mark.parametrize("program", OURS, indirect=True, ids=str)


@pytest.fixture(scope="module", params=PROGRAMS, ids=str)
def program(request: pytest.FixtureRequest) -> ServerUnderTest:
    """Return each server in turn."""
    program: ServerUnderTest = request.param
    return program


class TestTheMainServers(ReadingConformance):
    """Those of the document's first table."""


def test_sends_nothing_before_it_is_asked(wire: Wire) -> None:
    """A connection alone brings no answer."""
    assert wire.unasked(0.2) == b""


def test_gives_one_answer_for_each_request(wire: Wire) -> None:
    """A hundred requests bring a hundred answers and not a byte more."""
    bodies = [wire.ask().body for _ in range(100)]

    assert bodies == [b"Hello World"] * 100
    assert wire.unasked() == b""


def test_reads_a_request_byte_by_byte(wire: Wire) -> None:
    """A request in as many segments as bytes is one request."""
    for byte in HELLO:
        wire.send(bytes([byte]))

    assert wire.answer().body == b"Hello World"
    assert wire.unasked() == b""


def test_does_not_know_other_paths(wire: Wire) -> None:
    """The target is read: another path is not found, and the connection stays."""
    assert wire.ask(HELLO.replace(b"GET /", b"GET /other")).status == 404
    assert wire.ask().status == 200


def test_ignores_the_query(wire: Wire) -> None:
    """A query does not make another path."""
    assert wire.ask(HELLO.replace(b"GET /", b"GET /?a=b")).status == 200


def test_answers_head_without_a_body(wire: Wire) -> None:
    """HEAD brings the headers of GET and no body, so that the next answer follows at once."""
    answer = wire.ask(HELLO.replace(b"GET", b"HEAD"), with_body=False)

    assert (answer.status, answer.headers["content-length"]) == (200, "11")
    assert wire.ask().body == b"Hello World"


@pytest.mark.parametrize("size", [0, 5, 300_000])
def test_consumes_a_body_of_known_length(wire: Wire, server: Started, size: int) -> None:
    """What is posted is not taken for the next request."""
    request = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n" % size

    assert wire.ask(request + b"G" * size).status == server.program.post
    assert wire.ask().body == b"Hello World"


def test_consumes_a_body_in_chunks(wire: Wire, server: Started) -> None:
    """Chunks, cut anywhere on their way, are not taken for requests either."""
    head = b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"5\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n"
    for cut in range(1, len(chunks)):
        wire.send(head + chunks[:cut])
        time.sleep(0.001)
        assert wire.ask(chunks[cut:]).status == server.program.post
    assert wire.ask().body == b"Hello World"


@of_our_own
def test_our_own_servers_skip_extensions_and_trailers(wire: Wire) -> None:
    """The rarer parts of a body in chunks are passed over as well."""
    head = b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"

    assert wire.ask(head + b"a;x=y\r\n0123456789\r\n0\r\nX: trailer\r\n\r\n").status == 200
    assert wire.ask().body == b"Hello World"


@pytest.mark.parametrize("leave", ["close", "reset", "close after a request", "reset in a request"])
def test_frees_the_descriptors_of_those_who_leave(server: Started, leave: str) -> None:
    """However a client leaves, nothing of it stays."""
    with Wire(server.port) as wire:
        wire.ask()  # What the server opens with its first request stays open.
    base = settled(lambda: descriptors(server.process.pid))
    wires = [Wire(server.port) for _ in range(50)]
    for wire in wires:
        if leave == "close after a request":
            wire.ask()
        elif leave == "reset in a request":
            wire.send(HELLO[:20])
        (wire.reset if "reset" in leave else wire.socket.close)()

    assert within(5, lambda: descriptors(server.process.pid) <= base)


def test_answers_a_client_that_has_closed_its_side(wire: Wire) -> None:
    """Requests and FIN may come together; the answers still come, then the server's FIN."""
    wire.send(HELLO * 2)
    wire.socket.shutdown(1)

    assert wire.rest().count(b"Hello World") == 2


ODDITIES = {
    "control characters": b"\x00\x01\x02\x03\r\n\r\n",
    "no version": b"GET /\r\nHost: test\r\n\r\n",
    "four words": b"GET / more HTTP/1.1\r\nHost: test\r\n\r\n",
}


@pytest.mark.parametrize("oddity", ODDITIES)
def test_refuses_oddities_and_lives(server: Started, oddity: str) -> None:
    """What is nearly a request is refused as well, unless a server is known to be lenient."""
    refuses(server, ODDITIES[oddity], lenient=oddity in server.program.lenient)


STRICT = {
    "a bare LF": b"GET / HTTP/1.1\nHost: test\n\n",
    "a bare CR": b"GET / HTTP/1.1\r\nHost: te\rst\r\n\r\n",
    "NUL in a header": b"GET / HTTP/1.1\r\nHost: test\r\nX: \0\r\n\r\n",
    "a folded header": b"GET / HTTP/1.1\r\nHost: test\r\nX: a\r\n b\r\n\r\n",
    "a blank before the colon": b"GET / HTTP/1.1\r\nHost : test\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "a negative length": b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: -1\r\n\r\n",
    "length and chunks": b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
    "a bad chunk": b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
}


@of_our_own
@pytest.mark.parametrize("request_", STRICT.values(), ids=STRICT)
def test_our_own_servers_refuse_what_is_ambiguous(server: Started, request_: bytes) -> None:
    """Where others are lenient, the servers that parse by themselves answer 400 and close with a FIN."""
    with Wire(server.port) as wire:
        assert wire.ask(request_).status == 400
        assert wire.rest() == b""


@of_our_own
def test_a_refusal_survives_unread_input(server: Started) -> None:
    """The 431 arrives although much more was on its way when it was sent."""
    with Wire(server.port) as wire:
        wire.send(b"GET / HTTP/1.1\r\nX: " + b"x" * 200_000)
        assert wire.answer().status == 431
        assert wire.rest() == b""


def test_prints_nothing_about_requests(program: ServerUnderTest, shelf: Shelf) -> None:
    """Standard output stays empty."""
    with shelf.running(program) as started:
        with Wire(started.port) as wire:
            wire.ask()
            wire.ask(HELLO.replace(b"GET /", b"GET /other"))
        started.process.send_signal(program.stop)
        output, _ = started.process.communicate(timeout=10)

    assert output == b""
