"""The question before every trial, put to small servers that answer right and to many that do not."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runners.matrix.model import MODES, Mode
from runners.matrix.requests.request import Expect, Request
from runners.server import probe as probing
from runners.server.probe import Unanswered, port_is_free, probe, wait_until_listening, wait_until_right

BODY = b"Hello World"
ASKED = Request(expect=Expect(body="Hello World"))
AFTER_EACH = "closes the connection after each answer, so it cannot be measured with persistent ones"
Handler = Callable[[socket.socket], None]


def response(
    body: bytes = BODY, *, status: str = "200 OK", length: int | None = None, headers: tuple[str, ...] = ()
) -> bytes:
    """Return a response whose Content-Length may lie."""
    size = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {size}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


CLOSING = response(headers=("Connection: close",))


def read_request(connection: socket.socket) -> bytes:
    """Return a whole request; empty at the end of the connection."""
    data = b""
    while b"\r\n\r\n" not in data and (chunk := connection.recv(4096)):
        data += chunk
    return data


def answering(*answers: bytes) -> Handler:
    """Return a server's behaviour: it answers requests in turn, then closes."""

    def handle(connection: socket.socket) -> None:
        for answer in answers:
            if not read_request(connection):
                return
            connection.sendall(answer)

    return handle


@contextlib.contextmanager
def serving(handle: Handler) -> Iterator[int]:
    """Run a server that handles one connection, and give its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):  # the client has seen enough
                handle(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(5)
        assert not thread.is_alive()


def refusal(handle: Handler, mode: Mode = "persistent") -> str:
    """Return what the probe has against a server."""
    with serving(handle) as port, pytest.raises(Unanswered) as caught:
        probe("127.0.0.1", port, ASKED, mode)
    return str(caught.value)


@pytest.fixture(name="_impatient")
def short_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait less for answers that never come."""
    monkeypatch.setattr(probing, "LEAST_PATIENCE_S", 0.15)


def test_a_right_answer_on_a_persistent_connection_is_accepted() -> None:
    """Twice on the same connection; the answer's whole size is told."""
    with serving(answering(response(), response())) as port:
        found = probe("127.0.0.1", port, ASKED, "persistent")
    assert (found.answer.status, found.answer.body, found.sizes) == (200, BODY, (len(response()), len(response())))


def test_a_right_answer_on_a_closing_connection_is_accepted() -> None:
    """With the header and a FIN."""
    with serving(answering(CLOSING)) as port:
        found = probe("127.0.0.1", port, ASKED, "non-persistent")
    assert found.answer.closes
    assert found.sizes == (len(CLOSING),)


def test_the_request_is_what_the_load_generator_will_send() -> None:
    """Path, host, and the close header only where connections are to be closed."""
    seen: list[bytes] = []

    def handle(connection: socket.socket) -> None:
        seen.append(read_request(connection))
        connection.sendall(CLOSING)

    with serving(handle) as port:
        probe("127.0.0.1", port, replace(ASKED, path="/a?b=c"), "non-persistent")
    assert seen == [f"GET /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode()]


def test_method_headers_and_body_are_sent_as_the_matrix_says() -> None:
    """With the length of the body."""
    asked = replace(ASKED, method="PUT", headers=(("Accept", "a/b"),), body=b"x=1")
    assert asked.bytes_for("h:1") == b"PUT / HTTP/1.1\r\nHost: h:1\r\nAccept: a/b\r\nContent-Length: 3\r\n\r\nx=1"


@settings(max_examples=15)
@given(cuts=st.lists(st.integers(1, len(response()) - 1), max_size=4, unique=True).map(sorted))
def test_an_answer_may_come_in_any_pieces(cuts: list[int]) -> None:
    """TCP keeps no message boundaries."""
    answer = response()

    def handle(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(2):
            read_request(connection)
            for start, end in zip([0, *cuts], [*cuts, len(answer)], strict=True):
                connection.sendall(answer[start:end])

    with serving(handle) as port:
        assert probe("127.0.0.1", port, ASKED, "persistent").answer.body == BODY


def test_an_answer_may_come_in_chunks() -> None:
    """As the gates allow, too; all of it counts."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = head + b"6\r\nHello \r\n5\r\nWorld\r\n0\r\n\r\n"
    with serving(answering(answer, answer)) as port:
        found = probe("127.0.0.1", port, ASKED, "persistent")
    assert (found.answer.body, found.sizes) == (BODY, (len(answer), len(answer)))


@pytest.mark.parametrize("headers", ["content-length: 11", "CONTENT-LENGTH:11", "Content-Length:   11  "])
def test_headers_may_be_written_in_any_case_and_spacing(headers: str) -> None:
    """As HTTP allows."""
    answer = f"HTTP/1.1 200 OK\r\n{headers}\r\n\r\n".encode() + BODY
    with serving(answering(answer, answer)) as port:
        assert probe("127.0.0.1", port, ASKED, "persistent").answer.status == 200


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (response(b"Hello Wor1d"), r"answers the body 'Hello Wor1d', not 'Hello World'"),
        (response(b""), r"answers the body '', not 'Hello World'"),
        (response(length=12), "closes the connection before its answer is complete"),
        (response(length=10), "sends bytes after the end of its answer (1)"),
        (response(status="404 Not Found"), "answers status 404, not 200"),
        (response(status="503"), "answers status 503, not 200"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + BODY, AFTER_EACH),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "its Content-Length is not a valid number: 'x'"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "its Content-Length is not a valid number: '-1'"),
        (response() * 2, f"sends bytes after the end of its answer ({len(response())})"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "its status line is malformed: 'SSH-2.0-OpenSSH'"),
        (b"\x00\xff\r\n\r\n", r"its status line is malformed: '\x00\xff'"),
        (b"HTTP/1.1 abc\r\n\r\n", "its status line is malformed: 'HTTP/1.1 abc'"),
        (b"garbage", "what it sends does not look like an HTTP/1 answer: 'garbage'"),
        (b"HTTP/1.1 2", "closes the connection before its answer is complete after b'HTTP/1.1 2'"),
        (b"", "closes the connection before its answer is complete"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"x" * 70_000, "the head of its answer does not end within 65536 bytes"),
        (CLOSING, AFTER_EACH),
    ],
    ids=str,
)  # fmt: skip
def test_a_wrong_answer_is_refused_with_what_is_wrong(answer: bytes, said: str) -> None:
    """In words that help to mend the server."""
    assert said in refusal(answering(answer))


@pytest.mark.usefixtures("_impatient")
def test_a_server_that_never_answers_is_refused_after_a_deadline() -> None:
    """A missing byte is as bad as no byte."""
    for answer in (b"", response()[:-1]):

        def handle(connection: socket.socket, answer: bytes = answer) -> None:
            read_request(connection)
            connection.sendall(answer)
            connection.recv(1)

        assert refusal(handle) == "sends no complete answer within 0.15 s"


@pytest.mark.parametrize("mode", MODES)
def test_one_that_sends_a_byte_now_and_then_does_not_hold_the_probe_up(
    mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is one deadline for all of it."""
    monkeypatch.setattr(probing, "LEAST_PATIENCE_S", 0.3)

    def drip(connection: socket.socket) -> None:
        read_request(connection)
        for byte in response(headers=tuple(f"X-{n}: y" for n in range(100))):
            connection.sendall(bytes([byte]))
            time.sleep(0.02)

    began = time.monotonic()
    assert refusal(drip, mode) == "sends no complete answer within 0.3 s"
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("framing", ["Content-Length: 999999999", "Transfer-Encoding: chunked", "Connection: close"])
def test_an_endless_answer_is_not_kept_in_memory(framing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever says where it ends."""
    monkeypatch.setattr(probing, "MOST_BYTES", 3_000_000)

    def flood(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(f"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n".encode())
        while True:
            connection.sendall(b"8000\r\n" + b"x" * 0x8000 + b"\r\n")

    assert refusal(flood) == "sends an answer of more than 2.86 MiB"


@pytest.mark.parametrize(
    "length", ["\u0661\u0661".encode(), b"1_1", b"+11", b" 1 1", b"\xb2", b"0x0b", b"11.0", b"1e1"]
)
def test_what_only_python_takes_for_a_number_is_no_length(length: bytes) -> None:
    """Arabic-Indic digits, underscores and signs are numbers to int()."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: " + length + b"\r\n\r\n" + BODY
    assert "its Content-Length is not a valid number" in refusal(answering(answer))


@pytest.mark.parametrize("status", ["\u0662\u0660\u0660".encode(), b"2_0", b"+20", b"\xb200"])
def test_what_only_python_takes_for_a_number_is_no_status(status: bytes) -> None:
    """It is refused, and breaks nothing."""
    answer = b"HTTP/1.1 " + status + b" OK\r\nContent-Length: 11\r\n\r\n" + BODY
    assert "its status line is malformed" in refusal(answering(answer))


def test_a_server_that_closes_after_the_first_request_is_not_persistent() -> None:
    """The second request tells."""
    said = refusal(answering(response()))
    assert said == (
        "closes the connection before its answer is complete (to the second request on a persistent connection)"
    ) or said.startswith("resets the connection")


def test_a_server_that_answers_otherwise_the_second_time_is_refused() -> None:
    """Constant on the first, broken on the second."""
    said = refusal(answering(response(), response(b"Hello again")))
    assert said.startswith("answers the body 'Hello again'")
    assert said.endswith("(to the second request on a persistent connection)")


def test_a_reset_is_refused() -> None:
    """In either mode."""

    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    for mode in MODES:
        assert refusal(handle, mode) == "resets the connection"


@pytest.mark.usefixtures("_impatient")
def test_a_server_that_ignores_close_is_refused_where_connections_must_close() -> None:
    """Else its connections would be kept under load."""

    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(response())
        connection.recv(1)

    assert refusal(handle, "non-persistent") == "ignores `Connection: close`: it leaves the connection open"


@pytest.mark.parametrize("answer", [response(), b"HTTP/1.0 200 OK\r\n\r\nHello World"])
def test_a_server_may_close_without_having_said_so(answer: bytes) -> None:
    """Or end its answer with the connection, as HTTP/1.0 does."""
    with serving(answering(answer)) as port:
        found = probe("127.0.0.1", port, ASKED, "non-persistent")
    assert (found.answer.body, found.sizes) == (BODY, (len(answer),))


def starting(*answers: bytes | None) -> Handler:
    """Return what a server does on its first connections: None closes without an answer."""
    left = list(answers)

    def handle(connection: socket.socket) -> None:
        answer = left.pop(0) if left else CLOSING
        if answer is not None and read_request(connection):
            connection.sendall(answer)

    return handle


@contextlib.contextmanager
def serving_many(handle: Handler) -> Iterator[int]:
    """Run a server that handles one connection after another, and give its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection, contextlib.suppress(OSError):
                    handle(connection)

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def test_a_server_is_ready_with_its_first_right_answer() -> None:
    """Whatever it does before: it may close, answer 503, or say that it is starting."""
    before = (None, response(status="503"), response(b"starting", headers=("Connection: close",)))
    with serving_many(starting(*before)) as port:
        answer, _ = wait_until_right("127.0.0.1", port, ASKED, lambda: True, 5)
    assert answer.body == BODY


def test_wrong_answers_for_long_are_no_start_and_the_last_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time for a slow start is not waited through."""
    monkeypatch.setattr(probing, "SETTLING_S", 0.05)
    with serving_many(starting(*[response(status="404")] * 1000)) as port, pytest.raises(Unanswered) as caught:
        wait_until_right("127.0.0.1", port, ASKED, lambda: True, 60)
    assert str(caught.value) == "answers status 404, not 200"


def test_a_server_that_answers_wrongly_until_the_time_is_up_is_not_called_silent() -> None:
    """Even if the last question was cut off before its answer."""

    def answer_wrongly_once(connection: socket.socket) -> None:
        if answers:
            read_request(connection)
            connection.sendall(answers.pop())
        else:
            released.wait(10)

    answers, released = [response(b"Hello Mars!")], threading.Event()
    with serving_many(answer_wrongly_once) as port:
        with pytest.raises(Unanswered) as caught:
            wait_until_right("127.0.0.1", port, ASKED, lambda: True, 0.3)
        released.set()
    assert "Hello Mars!" in str(caught.value)


def test_a_server_that_ends_while_it_is_asked_is_not_waited_for() -> None:
    """Nor one that exceeds a limit meanwhile: both are looked for ten times a second."""
    looks = iter([True, True, False])
    released = threading.Event()
    began = time.monotonic()

    def be_silent(_: socket.socket) -> None:
        released.wait(10)

    with serving(be_silent) as port:
        with pytest.raises(Unanswered, match="cannot talk to the server: ECONNABORTED"):
            wait_until_right("127.0.0.1", port, ASKED, lambda: next(looks, False), 30)
        released.set()
    assert time.monotonic() - began < 5


def test_a_server_that_accepts_but_is_silent_is_told_to_be_so() -> None:
    """Once the time is over."""
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(Unanswered) as caught:
        wait_until_right("127.0.0.1", listener.getsockname()[1], ASKED, lambda: True, 0.2)
    assert str(caught.value) == "sends no complete answer within 0.2 s"


@pytest.mark.usefixtures("_impatient")
def test_a_closing_server_must_close() -> None:
    """The header alone is not enough."""

    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(CLOSING)
        connection.recv(1)

    assert refusal(handle, "non-persistent") == "announces close, yet leaves the connection open"


def test_a_closing_server_must_not_send_more() -> None:
    """Not even after a while."""
    more = threading.Event()

    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(CLOSING)
        more.wait(0.05)
        connection.sendall(b"x")

    assert refusal(handle, "non-persistent") == "sends bytes after the end of its answer"


def test_a_closing_server_must_not_reset() -> None:
    """A reset can destroy the answer on its way."""
    later = threading.Event()

    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(CLOSING)
        later.wait(0.05)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    assert refusal(handle, "non-persistent") == "resets the connection"


def test_nobody_listening_is_told() -> None:
    """With the system's name for it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Unanswered, match="cannot talk to the server: ECONNREFUSED"):
        probe("127.0.0.1", port, ASKED, "persistent")


def test_a_port_is_free_until_somebody_listens() -> None:
    """Old connections on it do not count."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert not port_is_free("127.0.0.1", port)
    assert port_is_free("127.0.0.1", port)


def test_waiting_ends_when_the_server_listens_dies_or_takes_too_long() -> None:
    """True only for the first."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert wait_until_listening("127.0.0.1", port, lambda: True, 5)
    assert not wait_until_listening("127.0.0.1", port, lambda: False, 5)
    assert not wait_until_listening("127.0.0.1", port, lambda: True, 0.05)
