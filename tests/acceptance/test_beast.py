"""The server in C++ that tables compare with: its compiler and its library take long to install and to build."""

from __future__ import annotations

import pytest

from tests.support.conformance import ReadingConformance
from tests.support.shelf import ServerUnderTest, with_two_threads
from tests.support.wire import HELLO, Wire

BEAST = ServerUnderTest("beast")


@pytest.fixture(scope="module", params=[BEAST, *with_two_threads(BEAST)], ids=str)
def program(request: pytest.FixtureRequest) -> ServerUnderTest:
    """Return it with one thread, and with two."""
    program: ServerUnderTest = request.param
    return program


class TestBeast(ReadingConformance):
    """The same as all others."""


def test_reads_what_is_posted_to_its_end(wire: Wire) -> None:
    """Of known length or in chunks, it is not taken for the next request."""
    post = b"POST / HTTP/1.1\r\nHost: test\r\n"

    assert wire.ask(HELLO.replace(b"GET", b"HEAD"), with_body=False).headers["content-length"] == "11"
    assert wire.ask(post + b"Content-Length: 300000\r\n\r\n" + b"G" * 300_000).body == b"Hello World"
    assert wire.ask(post + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n").body == b"Hello World"
    assert wire.ask().body == b"Hello World"
