"""The servers, as clients see them over plain sockets: they are what they are timed as."""

from __future__ import annotations

import contextlib
import signal
import time
from email.utils import parsedate_to_datetime

import pytest

from tests.support.shelf import ServerUnderTest, Shelf, Started, with_two_threads
from tests.support.wire import (
    HELLO,
    HELLO_AND_CLOSE,
    Wire,
    accepts_connections,
    all_of_1100_answers,
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


def test_says_exactly_hello_world(wire: Wire) -> None:
    """The answer is what the table says that it is, with the headers of an ordinary server."""
    answer = wire.ask()

    assert (answer.status, answer.body) == (200, b"Hello World")
    assert answer.headers["content-length"] == "11"
    assert answer.headers["content-type"] == "text/plain"


def test_names_and_dates_its_answers(wire: Wire, server: Started) -> None:
    """Server and Date are there and the date is now's."""
    headers = wire.ask().headers

    assert headers["server"].startswith(server.program.name)
    assert abs(parsedate_to_datetime(headers["date"]).timestamp() - time.time()) < 3


def test_the_date_moves_on(wire: Wire) -> None:
    """The date is not the one of the server's start."""
    first = wire.ask().headers["date"]

    assert within(5, lambda: wire.ask().headers["date"] != first)


def test_sends_nothing_before_it_is_asked(wire: Wire) -> None:
    """A connection alone brings no answer."""
    assert wire.unasked(0.2) == b""


def test_gives_one_answer_for_each_request(wire: Wire) -> None:
    """A hundred requests bring a hundred answers and not a byte more."""
    bodies = [wire.ask().body for _ in range(100)]

    assert bodies == [b"Hello World"] * 100
    assert wire.unasked() == b""


def test_waits_for_the_whole_request_wherever_it_is_split(wire: Wire) -> None:
    """A request in two pieces, cut at any byte, brings one answer and only after the second."""
    for cut in range(1, len(HELLO)):
        wire.send(HELLO[:cut])
        assert wire.unasked(0.004) == b"", f"answered after {cut} bytes"
        assert wire.ask(HELLO[cut:]).body == b"Hello World"
    assert wire.unasked() == b""


def test_reads_a_request_byte_by_byte(wire: Wire) -> None:
    """A request in as many segments as bytes is one request."""
    for byte in HELLO:
        wire.send(bytes([byte]))

    assert wire.answer().body == b"Hello World"
    assert wire.unasked() == b""


def test_answers_pipelined_requests_in_order(wire: Wire) -> None:
    """Sixteen requests in one segment bring sixteen answers, each to its own question."""
    other = HELLO.replace(b"GET /", b"GET /other")
    wire.send((HELLO + other) * 8)

    assert [wire.answer().status for _ in range(16)] == [200, 404] * 8
    assert wire.unasked() == b""


def test_answers_pipelined_requests_split_oddly(wire: Wire) -> None:
    """Sixteen requests in pieces that are no multiples of a request bring sixteen answers."""
    data = HELLO * 16
    for at in range(0, len(data), 37):
        wire.send(data[at : at + 37])
        time.sleep(0.002)

    assert [wire.answer().body for _ in range(16)] == [b"Hello World"] * 16
    assert wire.unasked() == b""


def test_closes_when_asked_to(wire: Wire) -> None:
    """`Connection: close` is answered by the header and a FIN, not by a reset."""
    answer = wire.ask(HELLO_AND_CLOSE)

    assert (answer.body, answer.headers["connection"]) == (b"Hello World", "close")
    assert wire.rest() == b""


def test_closes_after_an_http_1_0_request(wire: Wire) -> None:
    """HTTP/1.0 clients see the end of an answer by the end of the connection."""
    assert wire.ask(b"GET / HTTP/1.0\r\n\r\n").body == b"Hello World"
    assert wire.rest() == b""


def test_keeps_an_http_1_0_connection_when_asked_to(wire: Wire) -> None:
    """An HTTP/1.0 client that asks to keep the connection is told so."""
    request = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"

    assert wire.ask(request).headers["connection"].lower() == "keep-alive"
    assert wire.ask(request).body == b"Hello World"


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


def test_loses_nothing_to_a_slow_reader(server: Started) -> None:
    """20,000 answers arrive intact at a client that first writes and only then reads."""
    count = 20_000
    with Wire(server.port, receive_buffer=4096) as wire:
        wire.socket.settimeout(0.3)
        unsent = memoryview(HELLO * count)
        with contextlib.suppress(TimeoutError):
            while unsent:
                unsent = unsent[wire.socket.send(unsent[:65536]) :]
        received = drain(wire, unsent)
    assert received.count(b"HTTP/1.1 200 OK\r\n") == count
    assert received.count(b"\r\n\r\nHello World") == count


def drain(wire: Wire, unsent: memoryview) -> bytes:
    """Writes what is left, reading at the same time, hangs up and reads to the end."""
    received = bytearray()
    wire.socket.settimeout(0)
    deadline = time.monotonic() + 30
    while unsent and time.monotonic() < deadline:
        with contextlib.suppress(BlockingIOError):
            unsent = unsent[wire.socket.send(unsent[:65536]) :]
        with contextlib.suppress(BlockingIOError):
            received += wire.socket.recv(1 << 20)
    wire.socket.settimeout(10)
    wire.send(HELLO_AND_CLOSE.replace(b"GET / ", b"GET /last "))
    received += wire.rest()
    return bytes(received)


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


def test_serves_1100_connections(server: Started) -> None:
    """More connections than the usual limit of descriptors are all served."""
    assert all_of_1100_answers(server.port)
    assert accepts_connections(server.port)


GARBAGE = {
    "no HTTP": b"garbage\r\n\r\n",
    "control characters": b"\x00\x01\x02\x03\r\n\r\n",
    "a TLS greeting": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "no version": b"GET /\r\nHost: test\r\n\r\n",
    "four words": b"GET / more HTTP/1.1\r\nHost: test\r\n\r\n",
    "an endless header": b"GET / HTTP/1.1\r\nHost: test\r\nX: " + b"x" * 2_000_000,
    "a length that is no number": b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: x\r\n\r\n",
}


@pytest.mark.parametrize("garbage", GARBAGE)
def test_refuses_garbage_and_lives(server: Started, garbage: str) -> None:
    """What is no request brings a 4xx or the end of the connection, and hurts nobody else."""
    with Wire(server.port) as wire:
        with contextlib.suppress(ConnectionError):
            wire.send(GARBAGE[garbage])
        with contextlib.suppress(EOFError, ConnectionError):
            assert 400 <= wire.answer().status < 600 or garbage in server.program.lenient
            if not server.program.continues_after_garbage:
                wire.rest()
    with Wire(server.port) as wire:
        assert wire.ask().body == b"Hello World"


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


def test_says_in_one_line_that_its_port_is_taken(server: Started, shelf: Shelf) -> None:
    """A second server on the port ends at once, tells why, and does not take a share of the load."""
    status, errors = shelf.output_at_the_end(server.program, server.port)

    assert status not in {0, None}
    assert "Address already in use" in errors
    assert str(server.port) in errors
    assert len(errors.splitlines()) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ends_when_told_to(program: ServerUnderTest, shelf: Shelf, number: signal.Signals) -> None:
    """A signal ends the server, although a client is still connected."""
    if number != program.stop != signal.SIGTERM:
        pytest.skip("after SIGTERM it waits for its clients")
    with shelf.running(program) as started, Wire(started.port) as wire:
        wire.ask()
        started.process.send_signal(number)
        started.process.wait(10)


def test_prints_nothing_about_requests(program: ServerUnderTest, shelf: Shelf) -> None:
    """Standard output stays empty."""
    with shelf.running(program) as started:
        with Wire(started.port) as wire:
            wire.ask()
            wire.ask(HELLO.replace(b"GET /", b"GET /other"))
        started.process.send_signal(program.stop)
        output, _ = started.process.communicate(timeout=10)

    assert output == b""
