"""Asks a server about which nothing is known: what it answers, in which modes, how fast, and to how many at once."""

from __future__ import annotations

import selectors
import socket
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from runners.errors import BadInput
from runners.matrix.model import MODES, Mode
from runners.matrix.requests.request import Expect, Request, shown
from runners.matrix.starter.learned import Learned
from runners.server.answers import Answer
from runners.server.probe import Unanswered, authority, connected, probe, read_answer
from runners.system.connections import accept_queue

ROUNDS = 3
A_SECOND_S = 1.1  # apart, answers with a time in seconds differ
FIRST_PATIENCE_S = 1.0  # then twice as long each time
RETRY_S = 0.02
WRONG_S = 2.0  # a wrong status for this long is no longer a start
CROWD = 64
CROWD_PATIENCE_S = 1.0
SLOWEST = 4
LOOPBACK = ("127.", "::1", "localhost")


@dataclass(frozen=True)
class Question:
    """What to ask, and what counts as right; `status` None is any from 200 to 299, `body` None is any.

    A `request` of a matrix says all of that itself. `own_port` says whether the server always listens on this port:
    otherwise each trial has another one.
    """

    host: str
    port: int
    path: str = "/"
    status: int | None = None
    body: str | None = None
    own_port: bool = False
    request: Request | None = None

    @property
    def sent(self) -> Request:
        """Return what is sent."""
        return self.request or Request(self.path)

    @property
    def words(self) -> str:
        """Return it as people say it: "GET /users"."""
        return f"{self.sent.method} {self.sent.path}"

    def is_right(self, status: int) -> bool:
        """Return whether a status is the one to measure."""
        return 200 <= status < 300 if self.status is None else status == self.status


@dataclass(frozen=True)
class First:
    """The first right answer, and how long it took."""

    answer: Answer
    took_s: float


class NoAnswer(BadInput):
    """The server gives no answer that can be measured; the message says what it does instead."""


def ask_first(question: Question, alive: Callable[[], bool], timeout_s: float) -> First:
    """Wait for the first answer with the right status; raise NoAnswer if none comes."""
    deadline, patience_s, wrong_since = time.monotonic() + timeout_s, FIRST_PATIENCE_S, None
    last = f"sends no answer within {timeout_s:g} s"
    while alive() and (now := time.monotonic()) < deadline:
        try:
            answer = _ask(question, min(patience_s, deadline - now))
            if question.is_right(answer.status):
                return First(answer, time.monotonic() - now)
            last, wrong_since = _wrong(question, answer), wrong_since or now
            if now - wrong_since > WRONG_S:
                break
        except TimeoutError:
            patience_s *= 2
        except OSError as error:
            last = f"cannot be asked: {error.strerror or error}"
        except Unanswered as error:
            last = f"{question.words}: it {error}"
        time.sleep(RETRY_S)
    raise NoAnswer(last)


def _ask(question: Question, patience_s: float) -> Answer:
    with connected(question.host, question.port, patience_s) as connection:
        host = authority(question.host, question.port)
        connection.sendall(question.sent.bytes_for(host, "Connection: close"))
        return read_answer(connection)


def _wrong(question: Question, answer: Answer) -> str:
    """Return what is wrong with an answer's status, and what to do."""
    where = answer.headers.get("location")
    to = f" (to {where})" if where else ""
    if question.status is not None:
        return f"{question.words} answers status {answer.status}{to}, not {question.status}: {shown(answer.body)}"
    return (
        f"{question.words} answers status {answer.status}{to}: {shown(answer.body)};"
        f" ask for another path with --path /x, or expect this one with --status {answer.status}"
    )


def learn(question: Question, first: First, ready_s: float = 0.0) -> Learned:
    """Ask a server that answers until enough is known; raise NoAnswer if it answers in no mode."""
    answer = first.answer
    request = question.request or Request(question.path, expect=Expect(answer.status))
    asked = _Asked(question, request, first.took_s)
    modes = tuple(mode for mode in MODES if asked.rounds(mode, ROUNDS))
    if not modes:
        raise NoAnswer("; ".join(f"{mode} connections: it {fault}" for mode, fault in asked.faults.items()))
    time.sleep(A_SECOND_S)
    asked.rounds(modes[0], 1)
    bodies = (answer.body, *asked.bodies)
    _check(question, bodies)
    took_s = statistics.median(asked.took_s)
    answered = answered_at_once(question, max(CROWD_PATIENCE_S, SLOWEST * took_s))
    queue = _limiting_queue(question, answered)
    return Learned(
        path=request.path,
        method=request.method,
        status=answer.status,
        content_type=answer.headers.get("content-type", ""),
        bodies=bodies if question.own_port else (*bodies, _elsewhere(answer.body, question.port)),
        modes=modes,
        connections=_power_of_two(answered if queue is None else max(1, queue)),
        took_s=took_s,
        ready_s=ready_s,
        body=question.body,
        accept_queue=queue,
    )


class _Asked:
    """What the probes of the trials get: bodies, times, and why a mode is not possible."""

    def __init__(self, question: Question, request: Request, usual_s: float) -> None:
        self.question, self.request, self.usual_s = question, request, usual_s
        self.bodies: list[bytes] = []
        self.took_s: list[float] = []
        self.faults: dict[Mode, str] = {}

    def rounds(self, mode: Mode, count: int) -> bool:
        """Probe as often as this; return whether every answer was right."""
        for _ in range(count):
            began = time.monotonic()
            try:
                probed = probe(self.question.host, self.question.port, self.request, mode, self.usual_s)
            except Unanswered as error:
                self.faults[mode] = str(error)
                return False
            self.took_s.append((time.monotonic() - began) / len(probed.sizes))
            self.bodies.append(probed.answer.body)
        return True


def _check(question: Question, bodies: Sequence[bytes]) -> None:
    """Raise NoAnswer if the body that was asked for is not the one that is answered."""
    faults = [] if question.body is None else [Expect(body=question.body).fault(200, body) for body in bodies]
    fault = next(filter(None, faults), None)
    if fault:
        raise NoAnswer(f"{question.words}: it {fault}; leave out --body to expect what it answers")


def _limiting_queue(question: Question, answered: int) -> int | None:
    """Return how many connections can wait to be accepted, if those are fewer than it answers at once."""
    queue = accept_queue(question.port) if question.host.startswith(LOOPBACK) else None
    return queue if queue is not None and queue < answered else None


def _elsewhere(body: bytes, port: int) -> bytes:
    """Return a body as it would be on another port, for servers that answer with links to themselves."""
    return body.replace(f":{port}".encode(), f":{port + 1}".encode())


def answered_at_once(question: Question, patience_s: float, most: int = CROWD) -> int:
    """Return how many of so many open connections get an answer in time, at least 1."""
    request = question.sent.bytes_for(authority(question.host, question.port))
    with ExitStack() as opened, selectors.DefaultSelector() as waiting:
        for _ in range(most):
            with suppress(OSError):
                connection = socket.create_connection((question.host, question.port), timeout=patience_s)
                opened.enter_context(connection)
                connection.sendall(request)
                waiting.register(connection, selectors.EVENT_READ)
        return max(1, sum(_answers(waiting, time.monotonic() + patience_s)))


def _answers(waiting: selectors.BaseSelector, deadline: float) -> Iterator[bool]:
    """Yield for each connection on which something comes whether it is the beginning of an answer."""
    while waiting.get_map() and (left_s := deadline - time.monotonic()) > 0:
        for key, _ in waiting.select(left_s):
            waiting.unregister(key.fileobj)
            try:
                yield bool(key.fileobj.recv(1))  # type: ignore[union-attr] # only sockets are registered
            except OSError:
                yield False


def _power_of_two(count: int) -> int:
    """Return the largest power of two that is not larger: any number of client threads divides it evenly."""
    return 1 << (count.bit_length() - 1)
