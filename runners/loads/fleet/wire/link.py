"""A link to the other hosts: Locust's master or worker as a child process that carries lines of text."""

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
    """A text that came, from which peer."""

    sender: str
    text: str


class LinkBroken(Exception):
    """Locust ended; the text says how."""


class Link(Protocol):
    """What carries texts; a test's own will do as well."""

    @property
    def ready(self) -> bool:
        """Return whether texts go out at once, not when the other end will have been found."""

    def fileno(self) -> int:
        """Return what to wait on."""

    def send(self, text: str, to: str | None = None) -> None:
        """Send a text to one peer, a worker's to its master; LinkBroken where that cannot be."""

    def receive(self, patience_s: float) -> Incoming | None:
        """Return the next text, None where none comes in time; LinkBroken where none can come any more."""


def master_arguments(host: str, port: int) -> tuple[str, ...]:
    """Return Locust's arguments for the master's end."""
    return ("--master", "--headless", "--master-bind-host", host, "--master-bind-port", str(port))


def worker_arguments(host: str, port: int) -> tuple[str, ...]:
    """Return Locust's arguments for a worker's end."""
    return ("--worker", "--master-host", host, "--master-port", str(port))


class LocustLink:
    """A link over Locust; ends with the process that made it."""

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
        self._rest = b""
        self.ready = False

    def fileno(self) -> int:
        """Return what to wait on."""
        return self._from.fileno()

    def send(self, text: str, to: str | None = None) -> None:
        """Send a text."""
        try:
            self._to.write(json.dumps({"to": to, "text": text}).encode() + b"\n")
            self._to.flush()
        except OSError as error:
            raise LinkBroken(self._ended()) from error

    def receive(self, patience_s: float) -> Incoming | None:
        """Return the next text that came."""
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
        *whole, self._rest = (self._rest + found).split(b"\n")
        self._lines.extend(whole)

    def _ended(self) -> str:
        return f"Locust ended ({stop(self._process).exit})"

    def close(self) -> None:
        """End Locust, which ends by itself once it has nothing more to send."""
        with suppress(OSError):
            self._to.close()
        wait(self._process, CLOSING_S)
        stop(self._process)
        self._from.close()
