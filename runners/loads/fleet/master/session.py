"""A fleet for the length of a run: starts the master, waits for the clients, and stops the master."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runners import resources
from runners.errors import BadInput, UnfitMachine
from runners.loads.fleet.master.ask import ask
from runners.loads.fleet.master.members import LOCUSTFILE
from runners.loads.fleet.master.ssh import Remote, client_names, command
from runners.loads.fleet.wire.seal import make_token, read_token
from runners.matrix.cells import Locustfile
from runners.matrix.model import Client
from runners.records.files import create_file
from runners.records.scratch import scratch_folder
from runners.server.process import tail_of
from runners.system.processes import start, stop
from runners.tools.find import cache_folder
from runners.units import printable

log = logging.getLogger(__name__)

PORT = 5557
START_S = 20.0
TOLD_REJECTIONS = 20  # a stranger chooses how many there are
TOLD_CHARACTERS = 300
TOOLS = ("wrk", "locust")  # what a client needs, in the same version everywhere


def token_file() -> Path:
    """Return where the token is unless another file is named: not among files that are hashed or committed."""
    return cache_folder() / "fleet.token"


@dataclass(frozen=True)
class FleetOptions:
    """The options of a fleet: the number of clients, the address of the server and the master, and the token."""

    clients: int
    bind: str
    port: int = PORT
    token_file: Path = field(default_factory=token_file)
    wait_s: float = 120.0
    remotes: tuple[Client, ...] = ()
    tools: Mapping[str, str] = field(default_factory=dict)
    locustfile: Locustfile | None = None

    @property
    def expected(self) -> dict[str, str]:
        """Return what every client must have: tools of these versions, and the same locustfile."""
        return {**self.tools, **({LOCUSTFILE: self.locustfile.sha256} if self.locustfile else {})}

    @property
    def by_hand(self) -> int:
        """Return the number of clients that the user starts by hand."""
        return self.clients - len(self.remotes)

    @property
    def master(self) -> str:
        """Return where the master listens: on loopback if all clients come through tunnels."""
        return self.bind if self.by_hand else "127.0.0.1"


@dataclass(frozen=True)
class FleetReady:
    """A fleet whose clients are all here: the master's socket, and the facts of each client."""

    socket: Path
    clients: tuple[Mapping[str, Any], ...]
    tend: Callable[[], None]


@contextmanager
def fleet(
    options: FleetOptions, env: Mapping[str, str], log_file: Path, tick: Callable[[], None]
) -> Iterator[FleetReady]:
    """Hold a fleet together; raise UnfitMachine if clients are missing at the deadline, or the master does not run."""
    if make_token(options.token_file):
        log.info(f"created a token; copy {options.token_file} to the client machines")
    token = read_token(options.token_file)
    with scratch_folder("speedup-fleet-") as folder, create_file(log_file) as output:
        socket = folder / "master"
        process = start(_argv(options, socket), output=output, env=env, cwd=resources.code(), lasting=True)
        try:
            _wait_for_master(process, socket, log_file, tick)
            with _remotes(options, token, log_file.parent) as tend:
                tell = Teller(log_file)
                clients = _gathered(options, socket, log_file, _each(tick, tend, tell))
                yield FleetReady(socket, clients, _each(tend, tell))
        finally:
            stop(process)


@contextmanager
def _remotes(options: FleetOptions, token: str, logs: Path) -> Iterator[Callable[[], None]]:
    """Hold the workers that OpenSSH starts; yield a function that restarts those that have ended."""
    names, users = client_names(options.remotes), options.locustfile.path if options.locustfile else None
    remotes = [
        Remote(name, command(client, name, options.bind, options.port, users), token, logs / f"client-{name}.txt")
        for name, client in zip(names, options.remotes, strict=True)
    ]

    def tend() -> None:
        for remote in remotes:
            ended = remote.tend()
            if ended:
                log.warning(f"{ended}; restarting it")

    try:
        yield tend
    finally:
        for remote in remotes:
            remote.close()


def _each(*calls: Callable[[], None]) -> Callable[[], None]:
    def each() -> None:
        for call in calls:
            call()

    return each


def _argv(options: FleetOptions, socket: Path) -> tuple[str, ...]:
    return (
        *(
            sys.executable,
            "-m",
            "runners.loads.fleet.master.master",
            "--bind",
            options.master,
            "--port",
            str(options.port),
        ),
        *("--token-file", str(options.token_file.resolve()), "--socket", str(socket)),
        *("--expected", str(options.clients), "--tools", json.dumps(options.expected)),
    )


def _wait_for_master(process: subprocess.Popen[bytes], socket: Path, log_file: Path, tick: Callable[[], None]) -> None:
    deadline = time.monotonic() + START_S
    while not socket.exists():
        tick()
        if process.poll() is not None or time.monotonic() > deadline:
            raise UnfitMachine(
                f"the fleet's master did not start: {tail_of(log_file)} (see {os.path.relpath(log_file)})"
            )
        time.sleep(0.05)


def _gathered(
    options: FleetOptions, socket: Path, log_file: Path, tick: Callable[[], None]
) -> tuple[Mapping[str, Any], ...]:
    """Wait for the clients, and say who has joined."""
    log.info(f"waiting for {options.clients} clients on {options.master}:{options.port}, at most {options.wait_s:g} s")
    if options.by_hand:
        where = f"{options.bind}:{options.port}"
        users = f" --locustfile {options.locustfile.path}" if options.locustfile else ""
        token = options.token_file.name
        log.info(f"  run on {options.by_hand} of them: speedup worker --master {where} --token-file {token}{users}")
    deadline = time.monotonic() + options.wait_s
    while True:
        answer = json.loads(_asked(socket, log_file))
        tick()
        if answer["failure"] is None:
            return tuple(answer["clients"])
        if time.monotonic() > deadline:
            raise UnfitMachine(
                f"the fleet is incomplete: {answer['failure']['reason']} (see {os.path.relpath(log_file)})"
            )


def _asked(socket: Path, log_file: Path) -> str:
    with suppress(OSError):
        answer = ask(str(socket), json.dumps({"what": "gather", "wait_s": 0.5}))
        if answer:
            return answer
    raise UnfitMachine(f"the fleet's master ended: {tail_of(log_file)} (see {os.path.relpath(log_file)})")


class Teller:
    """Passes on what the master has printed since the last call, if the user should know it at once."""

    def __init__(self, log_file: Path) -> None:
        self.log_file, self.read_bytes, self.rejections = log_file, 0, 0

    def __call__(self) -> None:
        """Pass on complete lines; the rest follows once it is complete."""
        if self.log_file.stat().st_size <= self.read_bytes:
            return
        with self.log_file.open("rb") as stream:
            stream.seek(self.read_bytes)
            whole, newline, _ = stream.read().rpartition(b"\n")
        self.read_bytes += len(whole) + len(newline)
        for line in printable(whole.decode("utf-8", errors="replace")).split("\n"):
            self._tell(line[:TOLD_CHARACTERS])

    def _tell(self, line: str) -> None:
        if line.startswith("rejected "):
            self.rejections += 1
            if self.rejections <= TOLD_REJECTIONS:
                log.warning(line)
            elif self.rejections == TOLD_REJECTIONS + 1:
                log.warning(f"rejected more; see {os.path.relpath(self.log_file)}")
        elif " joined: " in line or line.startswith("waiting for "):
            log.info(f"  {line}")


def parse_address(text: str, port: int = PORT) -> tuple[str, int]:
    """Return host and port of "HOST" or "HOST:PORT"; raise BadInput for anything else."""
    host, _, number = text.partition(":")
    if not host or (number and not (number.isascii() and number.isdigit() and 0 < int(number) < 65536)):
        raise BadInput(f"'{text}' is not an address; use HOST or HOST:PORT")
    return host, int(number) if number else port
