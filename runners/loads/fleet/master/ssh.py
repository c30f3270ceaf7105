"""Starts workers on client hosts with OpenSSH, and stops them; their output is kept with the run.

The token goes through standard input, and the messages through a tunnel in the same connection, so neither a token file
nor an open port is needed. A worker ends when its connection does.
"""

from __future__ import annotations

import itertools
import os
import shlex
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from runners.loads.fleet.wire.messages import name_of
from runners.matrix.model import Client
from runners.records.files import open_to_append
from runners.server.process import tail_of
from runners.system.processes import describe_exit, dies_with_parent, stop, wait

AGAIN_S = 5.0
CLOSING_S = 5.0
OPTIONS = (
    *("-o", "BatchMode=yes", "-o", "ExitOnForwardFailure=yes", "-o", "ConnectTimeout=10"),
    *("-o", "ServerAliveInterval=2", "-o", "ServerAliveCountMax=3"),
)


def command(client: Client, name: str, bind: str, port: int, locustfile: str | None = None) -> tuple[str, ...]:
    """Return the command line that starts a worker; the tunnel is open only on loopback, at both ends."""
    users = ("--locustfile", client.locustfile or locustfile) if locustfile else ()
    worker = (
        *client.speedup,
        *("worker", "--master", f"127.0.0.1:{port}", "--token-file", "-", "--name", name, "--target", bind),
        *users,
    )
    tunnel = ("-R", f"127.0.0.1:{port}:127.0.0.1:{port}")
    return ("ssh", *OPTIONS, *client.options, *tunnel, "--", client.ssh, shlex.join(worker))


@dataclass
class Remote:
    """A client host, and the connection that keeps its worker running."""

    name: str
    argv: tuple[str, ...]
    token: str
    log: Path
    process: subprocess.Popen[bytes] | None = None
    began: float = 0.0

    def start(self) -> None:
        """Connect and start the worker; its output is appended to the log."""
        self.began = time.monotonic()
        with os.fdopen(open_to_append(self.log), "ab") as output:
            self.process = subprocess.Popen(
                self.argv,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
                preexec_fn=dies_with_parent(),  # noqa: PLW1509 - the harness has one thread
            )
        with suppress(OSError):
            if self.process.stdin:
                self.process.stdin.write(f"{self.token}\n".encode())
                self.process.stdin.flush()

    def tend(self) -> str | None:
        """Start it, or restart it if it has ended; return how it ended, in a line, or None."""
        if self.process is None:
            self.start()
            return None
        code = self.process.poll()
        if code is None or time.monotonic() - self.began < AGAIN_S:
            return None
        self._hang_up()
        why = f"{self.name}: ssh ended with {describe_exit(code)}: {tail_of(self.log) or 'no output'}"
        self.start()
        return why

    def close(self) -> None:
        """Stop it: the worker ends when its standard input does."""
        if self.process is None:
            return
        self._hang_up()
        wait(self.process, CLOSING_S)
        stop(self.process)

    def _hang_up(self) -> None:
        """Close its standard input."""
        with suppress(OSError):
            if self.process and self.process.stdin:
                self.process.stdin.close()


def client_names(clients: Sequence[Client]) -> tuple[str, ...]:
    """Return each client's own name, or its host's; a repeated name gets a number."""
    names: list[str] = []
    for client in clients:
        name = client.name or name_of(client.ssh.rpartition("@")[2])
        numbered = (f"{name[:60]}-{number}" for number in itertools.count(2))
        names.append(next(each for each in itertools.chain([name], numbered) if each not in names))
    return tuple(names)
