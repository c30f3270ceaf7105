"""Sends a server a request over a plain socket before it is timed, and checks the answer byte by byte."""

from __future__ import annotations

import contextlib
import errno
import socket
import time
from collections.abc import Callable

from runners.matrix.model import Mode
from runners.server.answers import MAX_HEAD_BYTES, Answer, Broken, parse_answer

ANSWER_TIMEOUT_S = 2.0
RETRY_S = 0.002


class Unanswered(Exception):
    """The server did not answer as it must; the message says what it did instead."""


def port_is_free(host: str, port: int) -> bool:
    """Return whether a server can listen on this address and port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen()
        except OSError:
            return False
    return True


def wait_until_listening(host: str, port: int, alive: Callable[[], bool], timeout_s: float) -> bool:
    """Return True as soon as a connection succeeds, False once the process ends or the timeout expires."""
    deadline = time.monotonic() + timeout_s
    while alive() and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=0.2):
            return True
        time.sleep(RETRY_S)
    return False


def probe(host: str, port: int, path: str, mode: Mode, body: bytes) -> Answer:
    """Send requests as the mode will; raise Unanswered if status, framing, body or connection handling is wrong."""
    try:
        with socket.create_connection((host, port), timeout=ANSWER_TIMEOUT_S) as connection:
            connection.settimeout(ANSWER_TIMEOUT_S)
            if mode == "persistent":
                return _probe_persistent(connection, host, path, body)
            return _probe_closing(connection, host, path, body)
    except TimeoutError as error:
        raise Unanswered(f"sends no complete answer within {ANSWER_TIMEOUT_S:g} s") from error
    except ConnectionResetError as error:
        raise Unanswered("resets the connection") from error
    except OSError as error:
        raise Unanswered(f"cannot talk to the server: {errno.errorcode.get(error.errno or 0, error)}") from error


def request(host: str, path: str, *, close: bool) -> bytes:
    """Return a GET request."""
    ending = "Connection: close\r\n" if close else ""
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{ending}\r\n".encode()


def _probe_persistent(connection: socket.socket, host: str, path: str, body: bytes) -> Answer:
    _ask_persistent(connection, host, path, body)
    try:
        return _ask_persistent(connection, host, path, body)
    except Unanswered as error:
        raise Unanswered(f"{error} (to the second request on a persistent connection)") from error


def _ask_persistent(connection: socket.socket, host: str, path: str, body: bytes) -> Answer:
    connection.sendall(request(host, path, close=False))
    answer = read_answer(connection)
    judge(answer, body)
    if answer.closes:
        raise Unanswered("answers Connection: close on a persistent connection")
    return answer


def _probe_closing(connection: socket.socket, host: str, path: str, body: bytes) -> Answer:
    connection.sendall(request(host, path, close=True))
    answer = read_answer(connection)
    judge(answer, body)
    if not answer.closes:
        raise Unanswered("does not answer `Connection: close` with that header; wrk would keep its connections open")
    try:
        rest = connection.recv(1)
    except TimeoutError as error:
        raise Unanswered(f"announces close, yet sends no FIN within {ANSWER_TIMEOUT_S:g} s") from error
    if rest:
        raise Unanswered("sends bytes after the announced end of its answer")
    return answer


def judge(answer: Answer, body: bytes) -> None:
    """Raise Unanswered unless the answer has status 200 and the expected body."""
    if answer.status != 200:
        raise Unanswered(f"answers status {answer.status}, not 200")
    if answer.body != body:
        raise Unanswered(f"answers the body {answer.body[:60]!r}, not {body!r}")


def read_answer(connection: socket.socket) -> Answer:
    """Read exactly one answer; raise Unanswered if it is malformed or bytes follow it."""
    received = b""
    while (parsed := _parsed(received)) is None:
        received += _receive(connection, received)
    answer, rest = parsed
    if rest:
        raise Unanswered(f"sends bytes after the end of its answer ({len(rest)})")
    return answer


def _parsed(received: bytes) -> tuple[Answer, bytes] | None:
    try:
        return parse_answer(received)
    except Broken as error:
        raise Unanswered(str(error)) from error


def _receive(connection: socket.socket, so_far: bytes) -> bytes:
    chunk = connection.recv(MAX_HEAD_BYTES)
    if not chunk:
        seen = f" after {so_far[:60]!r}" if so_far else ""
        raise Unanswered(f"closes the connection before its answer is complete{seen}")
    return chunk
