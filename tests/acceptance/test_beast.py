"""The server in C++ that tables compare with: its compiler and its library take long to install and to build."""

from __future__ import annotations

import pytest

from tests.support.conformance import (  # noqa: F401 - tests of these servers, too
    test_answers_pipelined_requests_in_order,
    test_answers_pipelined_requests_split_oddly,
    test_closes_when_asked_to,
    test_ends_when_told_to,
    test_keeps_an_old_connection_that_asks_for_it,
    test_loses_nothing_to_a_slow_reader,
    test_refuses_garbage_and_lives,
    test_says_exactly_hello_world,
    test_says_in_one_line_that_its_port_is_taken,
    test_serves_1100_connections,
    test_the_date_moves_on,
    test_waits_for_the_whole_request_wherever_it_is_split,
)
from tests.support.shelf import ServerUnderTest, with_two_threads
from tests.support.wire import HELLO, Wire

BEAST = ServerUnderTest("beast")


@pytest.fixture(scope="module", params=[BEAST, *with_two_threads(BEAST)], ids=str)
def program(request: pytest.FixtureRequest) -> ServerUnderTest:
    """Return it with one thread, and with two."""
    program: ServerUnderTest = request.param
    return program


def test_reads_what_is_posted_to_its_end(wire: Wire) -> None:
    """Of known length or in chunks, it is not taken for the next request."""
    post = b"POST / HTTP/1.1\r\nHost: test\r\n"

    assert wire.ask(HELLO.replace(b"GET", b"HEAD"), with_body=False).headers["content-length"] == "11"
    assert wire.ask(post + b"Content-Length: 300000\r\n\r\n" + b"G" * 300_000).body == b"Hello World"
    assert wire.ask(post + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n").body == b"Hello World"
    assert wire.ask().body == b"Hello World"
