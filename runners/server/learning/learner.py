"""Learns all that a matrix needs to know about a server, from its start command or from its address."""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass
from pathlib import Path

from runners.errors import BadInput
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
    try:
        with running(launch, folder, wanted.timeout_s) as server:
            return server.launch, _learn_from(server, wanted)
    except BadInput as error:
        raise BadInput(f"{shlex.join(launch.run)}: {error}") from error


def _learn_from(server: Running, wanted: Wanted) -> Learned:
    own_port = server.launch.port is not None
    question = Question(HOST, server.port, wanted.path, wanted.status, wanted.body, own_port=own_port)
    try:
        first = ask_first(question, lambda: server.is_alive, wanted.timeout_s)
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
