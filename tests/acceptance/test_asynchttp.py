"""The standard library's server and the steps of its optimization: the same program, the same answers."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.shelf import ServerUnderTest, Shelf, Started, end, free_port
from tests.support.wire import (
    HELLO,
    HELLO_AND_CLOSE,
    Wire,
    accepts_connections,
    descriptors,
    settled,
    within,
)

STEPS = ("first-optimizations", "more-optimizations", "last-optimizations")
COLLECTORS = ("markandsweep", "boehm", "arc", "orc")
PROGRAMS = [ServerUnderTest(f"asynchttp.{variant}") for variant in (*STEPS, *COLLECTORS)]
PROGRAMS.append(ServerUnderTest("asynchttp.last-optimizations", threads=2))
AWAITING = Path(__file__).parent / "awaiting" / "awaiting.nim"
AWAITING_FLAGS = {"std": (), "last": (), "last, orc": ("--gc:orc",)}

pytestmark = pytest.mark.timeout(300)  # whichever test comes first waits for all builds


@pytest.fixture(scope="module", params=PROGRAMS, ids=str)
def program(request: pytest.FixtureRequest, shelf: Shelf) -> ServerUnderTest:
    """Return each step and each collector in turn, all built at once."""
    shelf.build(*(each.variant for each in PROGRAMS))
    program: ServerUnderTest = request.param
    return program


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the builds of the awaiting program, made at the same time."""
    folder = tmp_path_factory.mktemp("awaiting")

    def compiled(name: str) -> Path:
        out = folder / name.replace(", ", "-")
        command = ["nim", "c", "--hints:off", "-d:danger", "--opt:none", "--threads:on", f"--nimcache:{out}.cache"]
        flags = (f"-d:server={name.partition(',')[0]}", *AWAITING_FLAGS[name], f"-o:{out}")
        subprocess.run([*command, *flags, str(AWAITING)], check=True, timeout=300)
        return out

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(AWAITING_FLAGS, pool.map(compiled, AWAITING_FLAGS), strict=True))


@dataclass(frozen=True)
class Awaiting:
    """The program whose handler takes its time."""

    process: subprocess.Popen[bytes]
    port: int


@pytest.fixture(scope="module", params=AWAITING_FLAGS)
def awaiting(request: pytest.FixtureRequest, programs: dict[str, Path]) -> Iterator[Awaiting]:
    """Return the program on each step, running. At the end of its tests it must still be alive."""
    port = free_port()
    process = subprocess.Popen([programs[request.param], str(port)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert within(10, lambda: accepts_connections(port))
        yield Awaiting(process, port)
        assert process.poll() is None
    finally:
        end(process)


def get(target: str, more: str = "") -> bytes:
    """A request."""
    return f"GET {target} HTTP/1.1\r\nHost: test\r\n{more}\r\n".encode()


def test_says_exactly_hello_world(server: Started) -> None:
    """The answer is that of every other server, and nothing comes unasked."""
    with Wire(server.port) as wire:
        assert wire.unasked() == b""
        answers = [wire.ask() for _ in range(100)]
        assert wire.unasked() == b""
    assert {(answer.status, answer.body) for answer in answers} == {(200, b"Hello World")}
    assert answers[0].headers.keys() == {"server", "date", "content-type", "content-length"}


def test_waits_for_the_whole_request_wherever_it_is_split(server: Started) -> None:
    """A request in two pieces brings one answer, and only after the second."""
    with Wire(server.port) as wire:
        for cut in range(1, len(HELLO)):
            wire.send(HELLO[:cut])
            assert wire.unasked(0.002) == b"", f"answered after {cut} bytes"
            assert wire.ask(HELLO[cut:]).body == b"Hello World"


def test_answers_pipelined_requests_in_order(server: Started) -> None:
    """Sixteen requests in one segment bring sixteen answers, each to its own question."""
    with Wire(server.port) as wire:
        wire.send((HELLO + get("/other")) * 8)
        assert [wire.answer().status for _ in range(16)] == [200, 404] * 8
        assert wire.unasked() == b""


def test_closes_when_asked_to(server: Started) -> None:
    """The last answer says so and is followed by a FIN."""
    for request in (HELLO_AND_CLOSE, b"GET / HTTP/1.0\r\n\r\n"):
        with Wire(server.port) as wire:
            assert wire.ask(request).headers["connection"] == "close"
            assert wire.rest() == b""


def test_consumes_bodies(server: Started) -> None:
    """Bodies of known length and in chunks are not taken for requests; HEAD has none in its answer."""
    chunked = b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"5;a=b\r\nhello\r\nA\r\n0123456789\r\n0\r\nX: trailer\r\n\r\n"
    with Wire(server.port) as wire:
        for size in (0, 5, 300_000):
            wire.send(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n" % size)
            assert wire.ask(b"G" * size).status == 200
        for cut in range(1, len(chunks), 3):
            wire.send(chunked + chunks[:cut])
            time.sleep(0.001)
            assert wire.ask(chunks[cut:]).status == 200
        assert wire.ask(HELLO.replace(b"GET", b"HEAD"), with_body=False).headers["content-length"] == "11"
        assert wire.ask().body == b"Hello World"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"garbage\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: test\n\n", 400),
        (b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 99999999\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 200_000, 431),
    ],
    ids=["garbage", "two hosts", "bare LF", "length and chunks", "a body too long", "an endless header"],
)
def test_refuses_what_is_no_request(server: Started, request_: bytes, status: int) -> None:
    """The refusal arrives, although more may have been on its way, and is followed by a FIN."""
    with Wire(server.port) as wire:
        assert wire.ask(request_).status == status
        wire.socket.shutdown(1)
        assert wire.rest() == b""


def test_loses_nothing_to_a_slow_reader(server: Started) -> None:
    """20,000 answers arrive intact at a client that first writes and only then reads, and nobody else has to wait."""
    count = 20_000
    with Wire(server.port, receive_buffer=4096) as wire:
        wire.socket.settimeout(0.2)
        unsent = memoryview(HELLO * count + get("/last", "Connection: close\r\n"))
        with contextlib.suppress(TimeoutError):
            while unsent:
                unsent = unsent[wire.socket.send(unsent[:65536]) :]
        with Wire(server.port) as other:
            assert other.ask().status == 200
        received = drain(wire, unsent)
    assert received.count(b"HTTP/1.1 200 OK\r\n") == received.count(b"\r\n\r\nHello World") == count


def drain(wire: Wire, unsent: memoryview) -> bytes:
    """Writes what is left, reading at the same time, and reads to the end."""
    received = bytearray()
    wire.socket.settimeout(0)
    while unsent:
        with contextlib.suppress(BlockingIOError):
            unsent = unsent[wire.socket.send(unsent[:65536]) :]
        with contextlib.suppress(BlockingIOError):
            received += wire.socket.recv(1 << 20)
    wire.socket.settimeout(10)
    return bytes(received) + wire.rest()


def test_answers_a_client_that_has_closed_its_side(server: Started) -> None:
    """Requests and FIN may come together; the answers still come, then the server's FIN."""
    with Wire(server.port) as wire:
        wire.send(HELLO * 2)
        wire.socket.shutdown(1)
        assert wire.rest().count(b"Hello World") == 2


def test_frees_the_descriptors_of_those_who_leave(server: Started) -> None:
    """However clients leave, nothing of them stays."""
    base = settled(lambda: descriptors(server.process.pid))
    for leave in ("close", "reset", "close after a request", "reset in a request"):
        for wire in [Wire(server.port) for _ in range(30)]:
            if leave == "close after a request":
                wire.ask()
            elif leave == "reset in a request":
                wire.send(HELLO[:20])
            (wire.reset if "reset" in leave else wire.socket.close)()
        assert within(5, lambda: descriptors(server.process.pid) <= base), leave


def test_handlers_may_take_their_time(awaiting: Awaiting) -> None:
    """While one handler waits, other connections are served."""
    with Wire(awaiting.port) as slow, Wire(awaiting.port) as quick:
        slow.send(get("/slow?300"))
        assert quick.ask(get("/quick?0")).body == b"/quick 127.0.0.1"
        assert slow.unasked(0.05) == b""
        assert slow.answer().body == b"/slow 127.0.0.1"


def test_pipelined_requests_to_slow_handlers_are_answered_in_order(awaiting: Awaiting) -> None:
    """The second answer is ready earlier but waits its turn, also if its request comes later."""
    with Wire(awaiting.port) as wire:
        wire.send(get("/a?80") + get("/b?1") + get("/c?0"))
        time.sleep(0.03)
        wire.send(get("/d?0") * 2)
        names = [wire.answer().body.split()[0] for _ in range(5)]
        assert wire.unasked() == b""
    assert names == [b"/a", b"/b", b"/c", b"/d", b"/d"]


def test_handlers_get_the_request(awaiting: Awaiting) -> None:
    """Method, query, headers and body arrive, each time anew."""
    with Wire(awaiting.port) as wire:
        for body in (b"first, long", b"2nd"):
            head = f"POST /echo?q={len(body)} HTTP/1.1\r\nHost: t\r\nx-ask: {len(body)}\r\n"
            answer = wire.ask(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            assert answer.body == body
            assert (answer.headers["x-method"], answer.headers["x-query"]) == ("POST", f"q={len(body)}")
            assert answer.headers["x-asked"] == str(len(body))


def test_long_answers_wait_for_the_client(awaiting: Awaiting) -> None:
    """An answer longer than all buffers arrives whole at a client that reads late."""
    with Wire(awaiting.port) as wire:
        wire.send(get("/long?8000000") + get("/after?0"))
        time.sleep(0.1)
        assert len(wire.answer().body) == 8_000_000
        assert wire.answer().body == b"/after 127.0.0.1"


def test_a_failing_handler_hurts_only_its_connection(awaiting: Awaiting) -> None:
    """Others are served as before."""
    with Wire(awaiting.port) as failing, Wire(awaiting.port) as other:
        failing.send(get("/fail"))
        assert failing.unasked() == b""
        assert other.ask(get("/other?0")).status == 200


def test_clients_may_leave_slow_handlers(awaiting: Awaiting) -> None:
    """Clients that do not wait for the answer leave no descriptor behind."""
    with Wire(awaiting.port) as wire:
        wire.ask(get("/?0"))
    base = settled(lambda: descriptors(awaiting.process.pid))
    for leave in (Wire.reset, lambda wire: wire.socket.close()):
        for wire in [Wire(awaiting.port) for _ in range(20)]:
            wire.send(get("/slow?50"))
            leave(wire)
    assert within(5, lambda: descriptors(awaiting.process.pid) <= base)
