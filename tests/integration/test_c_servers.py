"""The servers in C and C++ that tables compare with, as clients see them over plain sockets."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import time
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import pytest

from runners.tools.find import find_tools, known_tools, this_host, tool_environment
from tests.support.wire import (
    HELLO,
    HELLO_AND_CLOSE,
    ServerUnderTest,
    Started,
    Wire,
    all_of_1100_answers,
    built,
    descriptors,
    free_port,
    read_late,
    running,
    start,
    stop,
    with_two_threads,
    within,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

ARGUMENTS = ["{out}", "127.0.0.1", "{port}", "{threads}"]
C = ["gcc", "-std=gnu11", "-O2", "-Wall", "-Werror", "-pthread", "-o", "{out}"]
FLOOR = ServerUnderTest("floor", "cc", build=[*C, "{dir}/floor.c"], run=ARGUMENTS)
FLOOR_URING = ServerUnderTest(
    "floor_uring", "cc liburing", build=[*C, "{dir}/floor_uring.c", "-luring"], run=ARGUMENTS, sources="floor"
)
BEAST = ServerUnderTest(
    "beast",
    "cxx boost",
    build=["g++", "-std=c++17", "-O2", "-DNDEBUG", "-pthread", "-o", "{out}", "{dir}/beast.cpp"],
    run=ARGUMENTS,
)
NGINX = ServerUnderTest("nginx", "nginx", run=["nginx", "-e", "stderr", "-c", "{config}"])


def with_both_counts(*programs: ServerUnderTest) -> list[ServerUnderTest]:
    """Each server with one thread and with two."""
    return [*programs, *map(with_two_threads, programs)]


def label(program: ServerUnderTest) -> str:
    """How the test report names it."""
    return f"{program.name}/t{program.threads}"


# The rulers answer every request alike, which is why their class is "stripped"; they close on what has a body.
realistic = pytest.mark.parametrize("program", with_both_counts(BEAST, NGINX), indirect=True, ids=label)
rulers = pytest.mark.parametrize("program", [FLOOR, FLOOR_URING], indirect=True, ids=label)
# nginx shares a taken port, since another nginx's sockets have SO_REUSEPORT too.
guarding = with_both_counts(FLOOR, FLOOR_URING, BEAST)
port_guarding = pytest.mark.parametrize("program", guarding, indirect=True, ids=label)


@pytest.fixture(scope="session")
def builds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Where the programs are that have been built, by name; filled as they are needed."""
    return {"": tmp_path_factory.mktemp("servers")}


@pytest.fixture(scope="module", params=with_both_counts(FLOOR, FLOOR_URING, BEAST, NGINX), ids=label)
def program(request: pytest.FixtureRequest) -> ServerUnderTest:
    """Each server in turn, unless what it takes is not on this machine."""
    program: ServerUnderTest = request.param
    host = this_host()
    statuses = find_tools(known_tools(), program.tool.split(), host)
    for status in statuses.values():
        if not status.found:
            pytest.skip(f"{status.title}: {status.reason}")
    return replace(program, environment=tool_environment(statuses, host))


@pytest.fixture(scope="module")
def server(program: ServerUnderTest, builds: dict[str, Path]) -> Iterator[Started]:
    """Each server in turn, running. At the end of its tests it must still be alive."""
    with running(program, builds) as started:
        try:
            yield started
            assert started.process.poll() is None
        finally:
            started.process.send_signal(signal.SIGTERM)  # nginx takes its workers along; SIGKILL would not.
            started.process.wait(10)


@pytest.fixture
def wire(server: Started) -> Iterator[Wire]:
    """A connection to the server."""
    with Wire(server.port) as wire:
        yield wire


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
def test_says_in_one_line_that_its_port_is_taken(server: Started, builds: dict[str, Path]) -> None:
    """A second server on the port ends at once, tells why, and does not take a share of the load."""
    process = start(server.program, built(server.program, builds), server.port)
    try:
        _, errors = process.communicate(timeout=10)
    finally:
        stop(process)

    assert process.returncode not in {0, None}
    assert b"Address already in use" in errors
    assert str(server.port).encode() in errors
    assert len(errors.splitlines()) == 1


@rulers
@pytest.mark.parametrize("threads", [0, -1, 1_000_000])
def test_says_in_one_line_how_many_threads_there_can_be(
    program: ServerUnderTest, builds: dict[str, Path], threads: int
) -> None:
    """A number of threads that cannot be ends the server before it listens."""
    status, errors = end_of(replace(program, threads=threads), builds)

    assert status == 2
    assert errors.startswith(f"usage: {program.name} HOST PORT THREADS")
    assert len(errors.splitlines()) == 1


@pytest.mark.parametrize("program", [FLOOR_URING], indirect=True, ids=label)
@pytest.mark.parametrize("error", [errno.EPERM, errno.ENOSYS], ids=errno.errorcode.get)
def test_says_in_one_line_that_there_is_no_io_uring(
    program: ServerUnderTest, builds: dict[str, Path], error: int
) -> None:
    """Where a sandbox forbids io_uring, or the kernel has none, it ends and tells that."""
    status, errors = end_of(replace(program, run=[*without_io_uring(error), *program.run]), builds)

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
    program: ServerUnderTest, builds: dict[str, Path], leave: Callable[[Wire], None]
) -> None:
    """More clients than there can be at once are served in turn; a ring's sockets are not in /proc to be counted."""
    limited = replace(program, run=["sh", "-c", 'ulimit -n 64; exec "$@"', "sh", *program.run])
    with running(limited, builds) as started:
        for _ in range(150):
            with Wire(started.port) as wire:
                leave(wire)
        with Wire(started.port) as wire:
            assert wire.ask().body == b"Hello World"


def end_of(program: ServerUnderTest, builds: dict[str, Path]) -> tuple[int, str]:
    """The exit status of a server that ends by itself, and what it says."""
    process = start(program, built(program, builds), free_port())
    try:
        _, errors = process.communicate(timeout=10)
    finally:
        stop(process)
    return process.returncode, errors.decode()


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


def without_io_uring(error: int) -> list[str]:
    """The beginning of a command line for a program whose io_uring_setup (425 everywhere) fails with this error."""
    return [sys.executable, "-c", FORBIDDING, str(error)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ends_at_once_when_told_to(program: ServerUnderTest, builds: dict[str, Path], number: signal.Signals) -> None:
    """With a client still connected, a signal ends the server within a third of a second."""
    with running(program, builds) as started, Wire(started.port) as wire:
        wire.ask()
        started.process.send_signal(number)
        before = time.monotonic()
        started.process.wait(10)
        assert time.monotonic() - before < 0.3
