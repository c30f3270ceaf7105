"""Learns all that a matrix needs to know about a server, from its start command or from its address."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runners.errors import BadInput
from runners.matrix.requests.request import Request
from runners.matrix.starter.learned import Launch, Learned
from runners.server.address import Address
from runners.server.learning.asking import NoAnswer, Question, ask_first, learn
from runners.server.learning.starting import Running, running
from runners.server.process import HOST


@dataclass(frozen=True)
class Wanted:
    """What to ask, what counts as right (None: any status from 200 to 299, any body), and how long it may take."""

    path: str = "/"
    status: int | None = None
    body: str | None = None
    timeout_s: float = 60.0


def learn_command(launch: Launch, folder: Path, wanted: Wanted) -> tuple[Launch, Learned]:
    """Start a server in its folder, ask it, and end it; return how it must be started, and what it answers.

    Raise BadInput if it cannot be started or measured, with its last words.
    """
    found, (learned,) = _learn_command(launch, folder, (wanted,), wanted.timeout_s)
    return found, learned


def learn_requests(
    launch: Launch, folder: Path, requests: Sequence[Request], timeout_s: float
) -> tuple[Launch, tuple[Learned, ...]]:
    """Do the same with requests of a matrix, each of which says what the right answer is."""
    return _learn_command(launch, folder, requests, timeout_s)


def _learn_command(
    launch: Launch, folder: Path, wanted: Sequence[Wanted | Request], timeout_s: float
) -> tuple[Launch, tuple[Learned, ...]]:
    try:
        with running(launch, folder, timeout_s) as server:
            return server.launch, tuple(_learn_from(server, _question(server, each), timeout_s) for each in wanted)
    except BadInput as error:
        raise BadInput(f"{shlex.join(launch.run)}: {error}") from error


def _question(server: Running, wanted: Wanted | Request) -> Question:
    own_port = server.launch.port is not None
    if isinstance(wanted, Request):
        return Question(HOST, server.port, wanted.path, wanted.expect.status, own_port=own_port, request=wanted)
    return Question(HOST, server.port, wanted.path, wanted.status, wanted.body, own_port=own_port)


def _learn_from(server: Running, question: Question, timeout_s: float) -> Learned:
    try:
        first = ask_first(question, lambda: server.is_alive, timeout_s)
        learned = learn(question, first, time.monotonic() - server.began)
    except NoAnswer as error:
        raise BadInput(f"{error}; {server.last_words}" if server.is_alive else server.why_ended()) from error
    if not server.is_alive:  # what answers was left behind by it
        raise BadInput(server.why_ended())
    return learned


def learn_address(address: Address, wanted: Wanted) -> Learned:
    """Ask a server that runs already; raise BadInput if its answers cannot be measured."""
    question = Question(address.host, address.port, address.path, wanted.status, wanted.body)
    try:
        return learn(question, ask_first(question, lambda: True, wanted.timeout_s))
    except NoAnswer as error:
        raise BadInput(f"{address.url}: {error}") from error
