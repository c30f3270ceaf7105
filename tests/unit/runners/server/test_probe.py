"""The question before every trial, put to small servers that answer right and to many that do not."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runners.matrix.model import MODES, Mode
from runners.server import probe as probing
from runners.server.probe import Unanswered, port_is_free, probe, wait_until_listening

BODY = b"Hello World"
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
        probe("127.0.0.1", port, "/", mode, BODY)
    return str(caught.value)


@pytest.fixture(name="_impatient")
def short_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait less for answers that never come."""
    monkeypatch.setattr(probing, "ANSWER_TIMEOUT_S", 0.15)


def test_a_right_answer_on_a_persistent_connection_is_accepted() -> None:
    """Twice on the same connection; the answer's whole size is told."""
    with serving(answering(response(), response())) as port:
        answer = probe("127.0.0.1", port, "/", "persistent", BODY)
    assert (answer.status, answer.body, answer.size_bytes) == (200, BODY, len(response()))


def test_a_right_answer_on_a_closing_connection_is_accepted() -> None:
    """With the header and a FIN."""
    with serving(answering(CLOSING)) as port:
        answer = probe("127.0.0.1", port, "/", "non-persistent", BODY)
    assert answer.closes
    assert answer.size_bytes == len(CLOSING)


def test_the_request_is_what_the_load_generator_will_send() -> None:
    """Path, host, and the close header only where connections are to be closed."""
    seen: list[bytes] = []

    def handle(connection: socket.socket) -> None:
        seen.append(read_request(connection))
        connection.sendall(CLOSING)

    with serving(handle) as port:
        probe("127.0.0.1", port, "/a?b=c", "non-persistent", BODY)
    assert seen == [b"GET /a?b=c HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"]
    assert b"close" not in probing.request("127.0.0.1", "/", close=False)


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
        assert probe("127.0.0.1", port, "/", "persistent", BODY).body == BODY


def test_an_answer_may_come_in_chunks() -> None:
    """As the gates allow, too; all of it counts."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = head + b"6\r\nHello \r\n5\r\nWorld\r\n0\r\n\r\n"
    with serving(answering(answer, answer)) as port:
        found = probe("127.0.0.1", port, "/", "persistent", BODY)
    assert (found.body, found.size_bytes) == (BODY, len(answer))


@pytest.mark.parametrize("headers", ["content-length: 11", "CONTENT-LENGTH:11", "Content-Length:   11  "])
def test_headers_may_be_written_in_any_case_and_spacing(headers: str) -> None:
    """As HTTP allows."""
    answer = f"HTTP/1.1 200 OK\r\n{headers}\r\n\r\n".encode() + BODY
    with serving(answering(answer, answer)) as port:
        assert probe("127.0.0.1", port, "/", "persistent", BODY).status == 200


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (response(b"Hello Wor1d"), r"answers the body b'Hello Wor1d', not b'Hello World'"),
        (response(b""), r"answers the body b'', not b'Hello World'"),
        (response(length=12), "closes the connection before its answer is complete"),
        (response(length=10), "sends bytes after the end of its answer (1)"),
        (response(status="404 Not Found"), "answers status 404, not 200"),
        (response(status="503"), "answers status 503, not 200"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + BODY, "an answer has neither a Content-Length nor chunks"),
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
        (CLOSING, "answers Connection: close on a persistent connection"),
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


def test_a_server_that_closes_after_the_first_request_is_not_persistent() -> None:
    """The second request tells."""
    said = refusal(answering(response()))
    assert said == (
        "closes the connection before its answer is complete (to the second request on a persistent connection)"
    ) or said.startswith("resets the connection")


def test_a_server_that_answers_otherwise_the_second_time_is_refused() -> None:
    """Constant on the first, broken on the second."""
    said = refusal(answering(response(), response(b"Hello again")))
    assert said.startswith("answers the body b'Hello again'")
    assert said.endswith("(to the second request on a persistent connection)")


def test_a_reset_is_refused() -> None:
    """In either mode."""

    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    for mode in MODES:
        assert refusal(handle, mode) == "resets the connection"


def test_a_closing_server_must_say_so() -> None:
    """Else wrk would count every further request as a read error."""
    said = refusal(answering(response()), "non-persistent")
    assert said.startswith("does not answer `Connection: close` with that header")


@pytest.mark.usefixtures("_impatient")
def test_a_closing_server_must_close() -> None:
    """The header alone is not enough."""

    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(CLOSING)
        connection.recv(1)

    assert refusal(handle, "non-persistent") == "announces close, yet sends no FIN within 0.15 s"


def test_a_closing_server_must_not_send_more() -> None:
    """Not even after a while."""
    more = threading.Event()

    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(CLOSING)
        more.wait(0.05)
        connection.sendall(b"x")

    assert refusal(handle, "non-persistent") == "sends bytes after the announced end of its answer"


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
        probe("127.0.0.1", port, "/", "persistent", BODY)


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
