"""The servers in C that tables compare with, as clients see them over plain sockets."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import ROOT
from tests.support.bench import wait_for
from tests.support.conformance import Conformance
from tests.support.shelf import ServerUnderTest, Shelf, Started, free_port, with_two_threads
from tests.support.wire import (
    HELLO,
    HELLO_AND_CLOSE,
    Wire,
)

if TYPE_CHECKING:
    from collections.abc import Callable

FLOOR, FLOOR_URING = map(ServerUnderTest, ("floor", "floor_uring"))
NGINX = ServerUnderTest("nginx", shares_ports=True)
RULERS = [FLOOR, FLOOR_URING]
PROGRAMS = [*RULERS, NGINX, *with_two_threads(*RULERS, NGINX)]

# The rulers answer every request alike, which is why their class is "stripped"; they close on what has a body.
realistic = pytest.mark.parametrize("program", [NGINX, *with_two_threads(NGINX)], indirect=True, ids=str)
rulers = pytest.mark.parametrize("program", RULERS, indirect=True, ids=str)


@pytest.fixture(scope="module", params=PROGRAMS, ids=str)
def program(request: pytest.FixtureRequest) -> ServerUnderTest:
    """Return each server in turn."""
    program: ServerUnderTest = request.param
    return program


class TestTheServersInC(Conformance):
    """The rulers answer every request alike."""


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed: speedup doctor --install --for tests")
@pytest.mark.parametrize("source", ["floor.c", "floor_uring.c"])
def test_the_rulers_compile_without_a_warning(source: str) -> None:
    """They are read more often than others."""
    file = ROOT / "servers/floor" / source
    if "#include <liburing.h>" in file.read_text(encoding="utf-8") and not Path("/usr/include/liburing.h").exists():
        pytest.skip("liburing is not installed: speedup doctor --install --for tests")
    checked = ["gcc", "-std=gnu11", "-O2", "-Wall", "-Werror", "-fsyntax-only", str(file)]
    subprocess.run(checked, check=True)


@pytest.mark.parametrize("source", ["floor.c", "floor_uring.c"])
def test_the_rulers_answer_what_is_in_a_file(tmp_path: Path, source: str) -> None:
    """So that they can stand beside any server that answers a constant; no more than fits."""
    program, body = tmp_path / "ruler", tmp_path / "body"
    libraries = ["-luring"] if "uring" in source else []
    built = ["gcc", "-std=gnu11", "-O2", "-pthread", "-o", str(program), str(ROOT / "servers/floor" / source)]
    if subprocess.run([*built, *libraries], capture_output=True, check=False).returncode:
        pytest.skip("gcc or liburing is not installed: speedup doctor --install --for tests")
    port, content = free_port(), b'{"binary": "\0\xff"}' + b"x" * 16000
    body.write_bytes(content)
    ruler = [str(program), "127.0.0.1", str(port), "1", str(body), "application/json"]
    with subprocess.Popen(ruler) as process:
        wait_for(lambda: is_listening(port))
        with Wire(port) as wire:
            answers = [wire.ask() for _ in range(3)]
        process.kill()
    assert [(answer.headers["content-type"], answer.body) for answer in answers] == [("application/json", content)] * 3

    body.write_bytes(b"x" * 16385)
    refused = subprocess.run(ruler, capture_output=True, text=True, check=False)
    assert (refused.returncode, refused.stderr.splitlines()[0].partition(" has ")[2]) == (1, "more than 16384 bytes")


def is_listening(port: int) -> bool:
    """Return whether connections are accepted."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def test_closes_in_whatever_case_it_is_asked(server: Started) -> None:
    """Names and options of headers have no case."""
    with Wire(server.port) as wire:
        assert wire.ask(HELLO_AND_CLOSE.replace(b"Connection: close", b"cOnnection: CLOSE")).body == b"Hello World"
        assert wire.rest() == b""


@realistic
def test_knows_paths_and_methods(wire: Wire) -> None:
    """Another path is not found, HEAD brings no body, and what is posted is read to its end."""
    post = b"POST / HTTP/1.1\r\nHost: test\r\n"

    assert wire.ask(HELLO.replace(b"GET /", b"GET /other")).status == 404
    assert wire.ask(HELLO.replace(b"GET", b"HEAD"), with_body=False).headers["content-length"] == "11"
    assert wire.ask(post + b"Content-Length: 300000\r\n\r\n" + b"G" * 300_000).body == b"Hello World"
    assert wire.ask(post + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n").body == b"Hello World"
    assert wire.ask().body == b"Hello World"


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
    """Half a request, and a FIN; the server's FIN tells that it has seen ours, and that this socket is free again."""
    wire.send(HELLO[:10])
    wire.finish()
    assert wire.rest() == b""


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
