"""A link to the other hosts: Locust's master or worker as a child process that carries text."""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol, cast

from runners.system.processes import dies_with_parent, stop, wait

RELAY = Path(__file__).with_name("relay.py")
READ_BYTES = 2**20
CLOSING_S = 1.0


@dataclass(frozen=True)
class Incoming:
    """A text that arrived, and the peer that sent it."""

    sender: str
    text: str


class LinkBroken(Exception):
    """Locust ended; the message says how."""


class Link(Protocol):
    """Anything that carries texts; tests have their own."""

    @property
    def ready(self) -> bool:
        """Return whether texts are sent at once, because the other end has been reached."""

    def fileno(self) -> int:
        """Return the descriptor to wait on."""

    def send(self, text: str, to: str | None = None) -> None:
        """Send a text to one peer, from a worker always to its master; raise LinkBroken if that is impossible."""

    def receive(self, patience_s: float) -> Incoming | None:
        """Return the next text, None if none arrives in time; raise LinkBroken if none can arrive any more."""

    def trust(self, peer: str) -> None:
        """Carry long texts and many from this peer, which has proved the token."""


def master_arguments(host: str, port: int) -> tuple[str, ...]:
    """Return Locust's arguments for the master's end."""
    return ("--master", "--headless", "--master-bind-host", host, "--master-bind-port", str(port))


def worker_arguments(host: str, port: int) -> tuple[str, ...]:
    """Return Locust's arguments for a worker's end."""
    return ("--worker", "--master-host", host, "--master-port", str(port))


class LocustLink:
    """A link over Locust, which ends with the process that started it."""

    def __init__(self, arguments: Sequence[str], env: Mapping[str, str], log: IO[bytes]) -> None:
        argv = ("locust", "-f", RELAY.name, "--skip-log-setup", *arguments)
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=RELAY.parent,
            env=dict(env),
            process_group=0,
            preexec_fn=dies_with_parent(),  # noqa: PLW1509 - this process has one thread
        )
        self._to, self._from = cast("IO[bytes]", self._process.stdin), cast("IO[bytes]", self._process.stdout)
        self._lines: deque[bytes] = deque()
        self._rest: list[bytes] = []
        self.ready = False

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._from.fileno()

    def send(self, text: str, to: str | None = None) -> None:
        """Send a text; raise LinkBroken if Locust has ended."""
        self._write({"to": to, "text": text})

    def trust(self, peer: str) -> None:
        """Carry long texts and many from this peer; raise LinkBroken if Locust has ended."""
        self._write({"trust": peer})

    def _write(self, message: Mapping[str, str | None]) -> None:
        try:
            self._to.write(json.dumps(message).encode() + b"\n")
            self._to.flush()
        except OSError as error:
            raise LinkBroken(self._ended()) from error

    def receive(self, patience_s: float) -> Incoming | None:
        """Return the next text, None if none arrives in time; raise LinkBroken if Locust has ended."""
        deadline = time.monotonic() + patience_s
        while not self._lines:
            ready, _, _ = select.select([self._from], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                return None
            self._read()
        message = json.loads(self._lines.popleft())
        if not message:
            self.ready = True
            return None
        return Incoming(message["from"], message["text"])

    def _read(self) -> None:
        found = os.read(self._from.fileno(), READ_BYTES)
        if not found:
            raise LinkBroken(self._ended())
        first, *more = found.split(b"\n")
        self._rest.append(first)
        for each in more:  # joined once, so that a long line costs no more per byte than a short one
            self._lines.append(b"".join(self._rest))
            self._rest = [each]

    def _ended(self) -> str:
        return f"Locust ended ({stop(self._process).exit})"

    def close(self) -> None:
        """Stop Locust, which ends by itself once it has nothing more to send."""
        with suppress(OSError):
            self._to.close()
        wait(self._process, CLOSING_S)
        stop(self._process)
        self._from.close()
