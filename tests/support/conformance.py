"""What every server under test must do, as clients see it over plain sockets: it is what it is timed as.

A module's own class inherits these tests for the servers that the module's fixture `program` names.
"""

from __future__ import annotations

import contextlib
import signal
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
    settled,
    within,
)

GARBAGE = {
    "no HTTP": b"garbage\r\n\r\n",
    "a TLS greeting": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "an endless header": b"GET / HTTP/1.1\r\nHost: test\r\nX: " + b"x" * 2_000_000,
    "a length that is no number": b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: x\r\n\r\n",
}


class Conformance:
    """What all of them must do."""

    def test_says_exactly_hello_world(self, wire: Wire, server: Started) -> None:
        """The answer has the body, the name and the date that it should have, and comes once, when it is asked for."""
        assert wire.unasked() == b""
        answer = wire.ask()

        assert (answer.status, answer.body) == (200, b"Hello World")
        assert answer.headers["content-type"] == "text/plain"
        assert answer.headers["server"].startswith(server.program.name)
        assert abs(parsedate_to_datetime(answer.headers["date"]).timestamp() - time.time()) < 3
        assert wire.unasked() == b""

    def test_the_date_moves_on(self, wire: Wire) -> None:
        """The date is not the one of the server's start."""
        first = wire.ask().headers["date"]

        assert within(5, lambda: wire.ask().headers["date"] != first)

    def test_waits_for_the_whole_request_wherever_it_is_split(self, wire: Wire) -> None:
        """A request in two pieces, cut at any byte, brings one answer and only after the second."""
        for cut in range(1, len(HELLO)):
            wire.send(HELLO[:cut])
            assert wire.unasked(0.004) == b"", f"answered after {cut} bytes"
            assert wire.ask(HELLO[cut:]).body == b"Hello World"
        assert wire.unasked() == b""

    def test_answers_pipelined_requests_split_oddly(self, wire: Wire) -> None:
        """Sixteen requests in pieces that are no multiples of a request bring sixteen answers."""
        data = HELLO * 16
        for at in range(0, len(data), 37):
            wire.send(data[at : at + 37])
            time.sleep(0.002)

        assert [wire.answer().body for _ in range(16)] == [b"Hello World"] * 16
        assert wire.unasked() == b""

    def test_closes_when_asked_to(self, server: Started) -> None:
        """`Connection: close` is answered by the header and a FIN, not by a reset, and so is HTTP/1.0."""
        with Wire(server.port) as wire:
            answer = wire.ask(HELLO_AND_CLOSE)
            assert (answer.body, answer.headers["connection"]) == (b"Hello World", "close")
            assert wire.rest() == b""
        with Wire(server.port) as wire:
            assert wire.ask(b"GET / HTTP/1.0\r\n\r\n").body == b"Hello World"
            assert wire.rest() == b""

    def test_keeps_an_old_connection_that_asks_for_it(self, wire: Wire) -> None:
        """HTTP/1.0 with `Connection: keep-alive` is told that its connection is kept, and it is."""
        for _ in range(3):
            answer = wire.ask(b"GET / HTTP/1.0\r\nHost: test\r\nConnection: keep-alive\r\n\r\n")
            assert (answer.body, answer.headers["connection"].lower()) == (b"Hello World", "keep-alive")

    def test_loses_nothing_to_a_slow_reader(self, server: Started) -> None:
        """20,000 answers arrive whole at a client that reads only when the server takes no more requests."""
        count = 20_000
        received = read_late(server.port, count)

        assert received.count(b"HTTP/1.1 200 OK\r\n") == count
        assert received.count(b"\r\n\r\nHello World") == count

    def test_serves_1100_connections(self, server: Started) -> None:
        """More connections than the usual limit of descriptors are all served, and leave nothing behind."""
        with Wire(server.port) as wire:
            wire.ask()  # What the server opens with its first request stays open.
        base = settled(lambda: descriptors(server.process.pid))
        assert all_of_1100_answers(server.port)
        assert within(5, lambda: descriptors(server.process.pid) <= base)

    @pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
    def test_refuses_garbage_and_lives(self, server: Started, garbage: bytes) -> None:
        """What is no request brings an error or the end of the connection, and hurts nobody else."""
        refuses(server, garbage)

    def test_says_in_one_line_that_its_port_is_taken(self, server: Started, shelf: Shelf) -> None:
        """A second server on the port ends at once, tells why, and does not take a share of the load."""
        if server.program.shares_ports:
            return
        status, errors = shelf.output_at_the_end(server.program, server.port)

        assert status not in {0, None}
        assert "Address already in use" in errors
        assert str(server.port) in errors
        assert len(errors.splitlines()) == 1

    def test_ends_when_told_to(self, program: ServerUnderTest, shelf: Shelf) -> None:
        """A signal ends the server, although a client is still connected."""
        for number in {program.stop, signal.SIGINT}:
            with shelf.running(program) as started, Wire(started.port) as wire:
                wire.ask()
                started.process.send_signal(number)
                started.process.wait(10)


class ReadingConformance(Conformance):
    """What those must do, too, that read what they are asked for."""

    def test_answers_pipelined_requests_in_order(self, wire: Wire) -> None:
        """Sixteen requests in one segment bring sixteen answers, each to its own question."""
        wire.send((HELLO + HELLO.replace(b"GET /", b"GET /other")) * 8)

        assert [wire.answer().status for _ in range(16)] == [200, 404] * 8
        assert wire.unasked() == b""


def refuses(server: Started, garbage: bytes, *, lenient: bool = False) -> None:
    """Send what is no request; a lenient server may answer it."""
    with Wire(server.port) as wire:
        with contextlib.suppress(ConnectionError):
            wire.send(garbage)
        with contextlib.suppress(EOFError, ConnectionError):
            assert 400 <= wire.answer().status < 600 or lenient
            if not server.program.continues_after_garbage:
                wire.rest()
    with Wire(server.port) as wire:
        assert wire.ask().body == b"Hello World"
