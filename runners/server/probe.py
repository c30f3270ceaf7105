"""Asks a server over a plain socket before it is timed: is it ready, and does it answer as it is asked?"""

from __future__ import annotations

import contextlib
import errno
import math
import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from runners.matrix.model import Mode
from runners.matrix.requests.request import Request
from runners.server.answers import MAX_HEAD_BYTES, Answer, Broken, parse_answer
from runners.units import format_size

LEAST_PATIENCE_S = 2.0
SLOWEST = 20  # times the time that the first right answer took, is what later ones may take
RETRY_S = 0.002
LOOK_S = 0.1
FIRST_TRY_S = 1.0  # then twice as long each time: what accepts connections early may answer late
SETTLING_S = 5.0  # wrong answers for this long are no longer a start
MOST_BYTES = 256 * 1024**2  # of one answer: the harness keeps it in memory


class Unanswered(Exception):
    """The server did not answer as it must; the message says what it did instead."""


class HungUp(Unanswered):
    """The server closed the connection instead of answering, as it may at any time between two answers."""


@dataclass(frozen=True)
class Probed:
    """What a server answered to the requests of a probe, and the sizes of all these answers in bytes."""

    answer: Answer
    sizes: tuple[int, ...]


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


def wait_until_right(
    host: str, port: int, request: Request, alive: Callable[[], bool], timeout_s: float
) -> tuple[Answer, float]:
    """Return the first right answer and how long it took, in seconds; raise Unanswered if none comes.

    A server that is still starting may refuse connections, accept them and be silent, or answer something else.
    """
    deadline, patience_s, wrong_since = time.monotonic() + timeout_s, FIRST_TRY_S, None
    last = Unanswered(f"accepts no connection within {timeout_s:g} s")
    while alive() and (now := time.monotonic()) < deadline:
        try:
            with connected(host, port, min(patience_s, deadline - now)) as connection:
                connection.alive = alive
                answer = ask(connection, host, port, request, close=True)
            return answer, time.monotonic() - now
        except ConnectionRefusedError:
            wrong_since = None
        except TimeoutError:
            patience_s *= 2
            if wrong_since is None:  # else the time was up while it was about to answer wrongly once more
                last = Unanswered(f"sends no complete answer within {timeout_s:g} s")
        except OSError as error:
            last = Unanswered(_words(error))
        except Unanswered as error:
            last, wrong_since = error, wrong_since or now
            if now - wrong_since > SETTLING_S:
                break
        time.sleep(RETRY_S)
    raise last


def probe(host: str, port: int, request: Request, mode: Mode, took_s: float = 0.0) -> Probed:
    """Send requests as the mode will; raise Unanswered if status, framing, body or connection handling is wrong.

    `took_s` is the time that an answer took; the whole probe does not last very much longer, even if the server sends
    a byte now and then.
    """
    patience_s = max(LEAST_PATIENCE_S, SLOWEST * took_s)
    try:
        with connected(host, port, patience_s) as connection:
            if mode == "persistent":
                return _probe_persistent(connection, host, port, request)
            return _probe_closing(connection, host, port, request)
    except TimeoutError as error:
        raise Unanswered(f"sends no complete answer within {patience_s:g} s") from error
    except OSError as error:
        raise Unanswered(_words(error)) from error


def _words(error: OSError) -> str:
    if isinstance(error, ConnectionResetError):
        return "resets the connection"
    return f"cannot talk to the server: {errno.errorcode.get(error.errno or 0, error)}"


class Connection(socket.socket):
    """A connection on which everything together has one deadline, after which it raises TimeoutError.

    While it waits, it asks ten times a second whether the server is `alive`, and raises ConnectionAbortedError if not.
    """

    deadline = math.inf
    alive: Callable[[], bool] = staticmethod(lambda: True)

    def until_deadline(self) -> float:
        """Return the seconds that are left, and let the next call take no longer."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.settimeout(left)
        return left

    def receive(self, arriving: select.poll) -> bytes:
        """Wait for some bytes and return them; empty at the connection's end."""
        while not arriving.poll(min(LOOK_S, self.until_deadline()) * 1000):
            if not self.alive():
                raise ConnectionAbortedError(errno.ECONNABORTED, "the server is not there any more")
        return self.recv(MAX_HEAD_BYTES)


def connected(host: str, port: int, patience_s: float) -> Connection:
    """Connect to a server for so many seconds in all; raise OSError if that fails."""
    with socket.create_connection((host, port), timeout=patience_s) as found:
        connection = Connection(fileno=found.detach())
    connection.deadline = time.monotonic() + patience_s
    return connection


def authority(host: str, port: int) -> str:
    """Return the value of a Host header."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def ask(connection: Connection, host: str, port: int, request: Request, *, close: bool) -> Answer:
    """Send a request and return its answer; raise Unanswered if it is not the expected one."""
    connection.until_deadline()
    connection.sendall(request.bytes_for(authority(host, port), *(["Connection: close"] if close else [])))
    answer = read_answer(connection)
    if fault := request.expect.fault(answer.status, answer.body):
        raise Unanswered(fault)
    return answer


def _probe_persistent(connection: Connection, host: str, port: int, request: Request) -> Probed:
    first = ask(connection, host, port, request, close=False)
    if first.closes or first.ended:
        raise Unanswered("closes the connection after each answer, so it cannot be measured with persistent ones")
    try:
        second = ask(connection, host, port, request, close=False)
    except (Unanswered, ConnectionError) as error:
        said = _words(error) if isinstance(error, OSError) else error
        raise Unanswered(f"{said} (to the second request on a persistent connection)") from error
    return Probed(second, (first.size_bytes, second.size_bytes))


def _probe_closing(connection: Connection, host: str, port: int, request: Request) -> Probed:
    answer = ask(connection, host, port, request, close=True)
    try:
        connection.until_deadline()
        rest = b"" if answer.ended else connection.recv(1)
    except TimeoutError as error:
        announced = "announces close, yet" if answer.closes else "ignores `Connection: close`: it"
        raise Unanswered(f"{announced} leaves the connection open") from error
    if rest:
        raise Unanswered("sends bytes after the end of its answer")
    return Probed(answer, (answer.size_bytes,))


def read_answer(connection: Connection) -> Answer:
    """Read exactly one answer; raise Unanswered if it is malformed, too long, or bytes follow it."""
    received, ended = bytearray(), False
    while (parsed := _parsed(bytes(received), ended=ended)) is None:
        if ended:
            kind = Unanswered if received else HungUp
            raise kind(f"closes the connection before its answer is complete{_after(bytes(received))}")
        ended = _receive_more(connection, received)
    answer, rest = parsed
    if rest:
        raise Unanswered(f"sends bytes after the end of its answer ({len(rest)})")
    return answer


def _receive_more(connection: Connection, received: bytearray) -> bool:
    """Receive what there is, at most as much again, so that not every piece is parsed anew; return True at the end."""
    enough, pending = max(MAX_HEAD_BYTES, 2 * len(received)), select.poll()
    pending.register(connection, select.POLLIN)
    while True:
        chunk = connection.receive(pending)
        received += chunk
        if len(received) > MOST_BYTES:
            raise Unanswered(f"sends an answer of more than {format_size(MOST_BYTES)}")
        if not chunk or len(received) >= enough or not pending.poll(0):
            return not chunk


def _parsed(received: bytes, *, ended: bool) -> tuple[Answer, bytes] | None:
    try:
        return parse_answer(received, ended=ended)
    except Broken as error:
        raise Unanswered(str(error)) from error


def _after(so_far: bytes) -> str:
    return f" after {so_far[:60]!r}" if so_far else ""
