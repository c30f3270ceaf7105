"""The servers in C and C++ that tables compare with, as clients see them over plain sockets."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import ROOT
from tests.support.shelf import ServerUnderTest, Shelf, Started, with_two_threads
from tests.support.wire import (
    HELLO,
    HELLO_AND_CLOSE,
    Wire,
    all_of_1100_answers,
    descriptors,
    read_late,
    within,
)

if TYPE_CHECKING:
    from collections.abc import Callable

FLOOR, FLOOR_URING, BEAST, NGINX = map(ServerUnderTest, ("floor", "floor_uring", "beast", "nginx"))
RULERS = [FLOOR, FLOOR_URING]
REALISTIC = [BEAST, NGINX]

# The rulers answer every request alike, which is why their class is "stripped"; they close on what has a body.
realistic = pytest.mark.parametrize("program", [*REALISTIC, *with_two_threads(*REALISTIC)], indirect=True, ids=str)
rulers = pytest.mark.parametrize("program", RULERS, indirect=True, ids=str)
# nginx shares a taken port, since another nginx's sockets have SO_REUSEPORT too.
guarding = [*RULERS, BEAST, *with_two_threads(*RULERS, BEAST)]
port_guarding = pytest.mark.parametrize("program", guarding, indirect=True, ids=str)


@pytest.fixture(scope="module", params=[*RULERS, *REALISTIC, *with_two_threads(*RULERS, *REALISTIC)], ids=str)
def program(request: pytest.FixtureRequest) -> ServerUnderTest:
    """Return each server in turn."""
    program: ServerUnderTest = request.param
    return program


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed: speedup doctor --install --for tests")
@pytest.mark.parametrize("source", ["floor.c", "floor_uring.c"])
def test_the_rulers_compile_without_a_warning(source: str) -> None:
    """They are read more often than others."""
    file = ROOT / "servers/floor" / source
    if "#include <liburing.h>" in file.read_text(encoding="utf-8") and not Path("/usr/include/liburing.h").exists():
        pytest.skip("liburing is not installed: speedup doctor --install --for tests")
    checked = ["gcc", "-std=gnu11", "-O2", "-Wall", "-Werror", "-fsyntax-only", str(file)]
    subprocess.run(checked, check=True)


def test_says_exactly_hello_world(wire: Wire, server: Started) -> None:
    """The answer has the body, the name and the date that it should have, and comes once."""
    assert wire.unasked() == b""
    answer = wire.ask()

    assert (answer.status, answer.body) == (200, b"Hello World")
    assert answer.headers["content-type"] == "text/plain"
    assert answer.headers["server"].startswith(server.program.name)
    assert abs(parsedate_to_datetime(answer.headers["date"]).timestamp() - time.time()) < 3
    assert wire.unasked() == b""


def test_the_date_moves_on(wire: Wire) -> None:
    """The date is not the one of the server's start."""
    first = wire.ask().headers["date"]

    assert within(5, lambda: wire.ask().headers["date"] != first)


def test_waits_for_the_whole_request_wherever_it_is_split(wire: Wire) -> None:
    """A request in two pieces, cut at any byte, brings one answer and only after the second."""
    for cut in range(1, len(HELLO)):
        wire.send(HELLO[:cut])
        assert wire.unasked(0.004) == b"", f"answered after {cut} bytes"
        assert wire.ask(HELLO[cut:]).body == b"Hello World"


def test_answers_pipelined_requests_split_oddly(wire: Wire) -> None:
    """Sixteen requests in pieces that are no multiples of a request bring sixteen answers."""
    data = HELLO * 16
    for at in range(0, len(data), 37):
        wire.send(data[at : at + 37])
        time.sleep(0.002)

    assert [wire.answer().body for _ in range(16)] == [b"Hello World"] * 16
    assert wire.unasked() == b""


def test_closes_when_asked_to(server: Started) -> None:
    """`Connection: close` is answered by the header and a FIN, and so is HTTP/1.0."""
    with Wire(server.port) as wire:
        assert wire.ask(HELLO_AND_CLOSE).headers["connection"] == "close"
        assert wire.rest() == b""
    with Wire(server.port) as wire:
        assert wire.ask(b"GET / HTTP/1.0\r\n\r\n").body == b"Hello World"
        assert wire.rest() == b""


def test_closes_in_whatever_case_it_is_asked(server: Started) -> None:
    """Names and options of headers have no case."""
    with Wire(server.port) as wire:
        assert wire.ask(HELLO_AND_CLOSE.replace(b"Connection: close", b"cOnnection: CLOSE")).body == b"Hello World"
        assert wire.rest() == b""


def test_keeps_an_old_connection_that_asks_for_it(wire: Wire) -> None:
    """HTTP/1.0 with `Connection: keep-alive` is told that its connection is kept, and it is."""
    for _ in range(3):
        answer = wire.ask(b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")
        assert (answer.body, answer.headers["connection"]) == (b"Hello World", "keep-alive")


@realistic
def test_knows_paths_and_methods(wire: Wire) -> None:
    """Another path is not found, HEAD brings no body, and what is posted is read to its end."""
    post = b"POST / HTTP/1.1\r\nHost: test\r\n"

    assert wire.ask(HELLO.replace(b"GET /", b"GET /other")).status == 404
    assert wire.ask(HELLO.replace(b"GET", b"HEAD"), with_body=False).headers["content-length"] == "11"
    assert wire.ask(post + b"Content-Length: 300000\r\n\r\n" + b"G" * 300_000).body == b"Hello World"
    assert wire.ask(post + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n").body == b"Hello World"
    assert wire.ask().body == b"Hello World"


def test_loses_nothing_to_a_slow_reader(server: Started) -> None:
    """20,000 answers arrive whole at a client that reads only when the server takes no more requests."""
    count = 20_000
    received = read_late(server.port, count)

    assert received.count(b"HTTP/1.1 200 OK\r\n") == count
    assert received.count(b"\r\n\r\nHello World") == count


def test_serves_1100_connections(server: Started) -> None:
    """More connections than the usual limit of descriptors are all served, and leave nothing behind."""
    base = descriptors(server.process.pid)
    assert all_of_1100_answers(server.port)
    assert within(5, lambda: descriptors(server.process.pid) <= base)


GARBAGE = {
    "no HTTP": b"garbage\r\n\r\n",
    "a TLS greeting": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
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
            assert 400 <= wire.answer().status < 500
            wire.rest()
    with Wire(server.port) as wire:
        assert wire.ask().body == b"Hello World"


@port_guarding
def test_says_in_one_line_that_its_port_is_taken(server: Started, shelf: Shelf) -> None:
    """A second server on the port ends at once, tells why, and does not take a share of the load."""
    status, errors = shelf.output_at_the_end(server.program, server.port)

    assert status not in {0, None}
    assert "Address already in use" in errors
    assert str(server.port) in errors
    assert len(errors.splitlines()) == 1


@rulers
@pytest.mark.parametrize("threads", [0, -1, 1_000_000])
def test_says_in_one_line_how_many_threads_there_can_be(program: ServerUnderTest, shelf: Shelf, threads: int) -> None:
    """A number of threads that cannot be ends the server before it listens."""
    status, errors = shelf.output_at_the_end(replace(program, threads=threads))

    assert status == 2
    assert errors.startswith(f"usage: {program.name} HOST PORT THREADS")
    assert len(errors.splitlines()) == 1


@pytest.mark.parametrize("program", [FLOOR_URING], indirect=True, ids=str)
@pytest.mark.parametrize("error", [errno.EPERM, errno.ENOSYS], ids=errno.errorcode.get)
def test_says_in_one_line_that_there_is_no_io_uring(program: ServerUnderTest, shelf: Shelf, error: int) -> None:
    """Where a sandbox forbids io_uring, or the kernel has none, it ends and tells that."""
    status, errors = shelf.output_at_the_end(replace(program, before=without_io_uring(error)))

    assert status == 1
    assert errors.startswith(f"floor_uring: cannot use io_uring: {os.strerror(error)}.")
    assert len(errors.splitlines()) == 1


def leave_after_half_a_request(wire: Wire) -> None:
    """Half a request, and a FIN."""
    wire.send(HELLO[:10])


def leave_by_a_reset(wire: Wire) -> None:
    """A request, and a RST."""
    wire.ask()
    wire.reset()


def leave_when_told_to(wire: Wire) -> None:
    """The last request, and the server's FIN."""
    wire.ask(HELLO_AND_CLOSE)
    assert wire.rest() == b""


def leave_with_more_to_say(wire: Wire) -> None:
    """Requests behind the last one, which nobody answers."""
    wire.ask(HELLO_AND_CLOSE + HELLO * 10)
    assert wire.rest() == b""


def leave_after_garbage(wire: Wire) -> None:
    """What is no request, after one that is."""
    wire.ask(HELLO + b"garbage\r\n\r\n")
    assert wire.rest() == b""


LEAVING = (
    leave_after_half_a_request,
    leave_by_a_reset,
    leave_when_told_to,
    leave_with_more_to_say,
    leave_after_garbage,
)


@rulers
@pytest.mark.parametrize("leave", LEAVING, ids=[leave.__name__ for leave in LEAVING])
def test_can_use_again_what_a_client_leaves(
    program: ServerUnderTest, shelf: Shelf, leave: Callable[[Wire], None]
) -> None:
    """More clients than there can be at once are served in turn; a ring's sockets are not in /proc to be counted."""
    limited = replace(program, before=("sh", "-c", 'ulimit -n 64; exec "$@"', "sh"))
    with shelf.running(limited) as started:
        for _ in range(150):
            with Wire(started.port) as wire:
                leave(wire)
        with Wire(started.port) as wire:
            assert wire.ask().body == b"Hello World"


FORBIDDING = """
import ctypes, os, struct, sys
LOAD, EQUALS, RETURN, ALLOW, ERROR = 0x20, 0x15, 0x06, 0x7FFF0000, 0x00050000
rules = [(LOAD, 0, 0, 0), (EQUALS, 0, 1, 425), (RETURN, 0, 0, ERROR | int(sys.argv[1])), (RETURN, 0, 0, ALLOW)]
packed = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *rule) for rule in rules))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(rules), ctypes.addressof(packed)))
libc = ctypes.CDLL(None, use_errno=True)
NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2
if libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) or libc.prctl(SECCOMP, FILTER, program, 0, 0):
    raise OSError(ctypes.get_errno(), "cannot forbid io_uring")
os.execv(sys.argv[2], sys.argv[2:])
"""


def without_io_uring(error: int) -> tuple[str, ...]:
    """The beginning of a command line for a program whose io_uring_setup (425 everywhere) fails with this error."""
    return (sys.executable, "-c", FORBIDDING, str(error))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ends_when_told_to(program: ServerUnderTest, shelf: Shelf, number: signal.Signals) -> None:
    """A signal ends the server, although a client is still connected."""
    with shelf.running(program) as started, Wire(started.port) as wire:
        wire.ask()
        started.process.send_signal(number)
        started.process.wait(10)
