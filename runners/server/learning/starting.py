"""Starts a server once, as it would be started by hand, and finds out where it listens."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import randbelow
from subprocess import Popen

from runners.errors import BadInput
from runners.matrix.requests.request import Request
from runners.matrix.starter.learned import Launch
from runners.records.scratch import scratch_folder
from runners.server.commands import Words, fill, fill_text
from runners.server.learning.command import takes_port
from runners.server.process import BACKGROUND, HOST, PORTS, free_port, tail_of
from runners.system import kernel
from runners.system.processes import Enclosed, Enclosure, describe_exit, start, stop

FROM_ENVIRONMENT = {"PORT": "{port}", "HOST": "{host}"}  # what most frameworks and platforms read
SETTLING_S = 1.0  # so much longer a server may take to open the port that it was told
MISPLACED_S = 5.0  # a server that can be told its port, but only listens elsewhere
LOOK_AGAIN_S = 0.02


@dataclass(frozen=True)
class Running:
    """A server that runs: how it was started, where it listens, and where its output goes."""

    process: Popen[bytes]
    launch: Launch
    port: int
    output: Path
    began: float

    @property
    def is_alive(self) -> bool:
        """Return whether its first process still runs."""
        return self.process.poll() is None

    @property
    def last_words(self) -> str:
        """Return the end of its output, in words."""
        tail = tail_of(self.output)
        return f"its last output: {tail}" if tail else "it printed nothing"

    def why_ended(self) -> str:
        """Return how its first process ended, and what to do."""
        code = self.process.wait()
        if code == 0 and isinstance(self.process, Enclosed) and self.process.left_behind:
            return f"it went into the background, where it cannot be watched; {BACKGROUND}; {self.last_words}"
        return f"it ended with {describe_exit(code)} before it answered; {self.last_words}"


@contextmanager
def running(launch: Launch, folder: Path, timeout_s: float) -> Iterator[Running]:
    """Start a server and find its port; end it and all that it started afterwards. Raise BadInput if that fails."""
    with scratch_folder("speedup-init-") as scratch, _ended_by_term():
        server = _start(launch, folder, scratch)
        try:
            yield _placed(server, timeout_s, told=takes_port(launch))
        finally:
            stop(server.process)
            if server.process.stdin is not None:
                server.process.stdin.close()


@contextmanager
def _ended_by_term() -> Iterator[None]:
    """Let SIGTERM end this as Ctrl-C does, with the server and its children; it would else leave the children."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _start(launch: Launch, folder: Path, scratch: Path) -> Running:
    port = free_port(randbelow(len(PORTS)))  # another one than a second init beside this one
    wanted = launch if takes_port(launch) else replace(launch, env={**FROM_ENVIRONMENT, **launch.env})
    words = Words(folder.resolve(), folder.resolve(), scratch, scratch / "config", HOST, port, 1, ())
    argv = fill(wanted.run, words)
    env = {name: fill_text(text, words) for name, text in wanted.env.items()}
    output = scratch / "output.txt"
    began = time.monotonic()
    try:
        with output.open("wb") as stream:
            process = start(
                argv, output=stream, env={**os.environ, **env}, cwd=folder, stdin=True, enclosure=Enclosure()
            )
    except OSError as error:
        raise BadInput(
            f"cannot start {argv[0]} in {folder.resolve()}: {error.strerror};"
            " write the command as you type it in that folder"
        ) from error
    return Running(process, wanted, port, output, began)


def _placed(server: Running, timeout_s: float, *, told: bool) -> Running:
    """Return the server with the port on which it listens, and with the launch that leads there.

    `told` says whether its command takes a port, so that listening elsewhere is a mistake.
    """
    patience_s = MISPLACED_S if told else SETTLING_S
    deadline, elsewhere_since = time.monotonic() + timeout_s, None
    while (now := time.monotonic()) < deadline:
        if accepts(server.port) and kernel.listening(server.process.pid, server.port).by_tree:
            return server
        if not server.is_alive:
            raise BadInput(server.why_ended())
        elsewhere_since = (elsewhere_since or now) if kernel.listening_at(server.process.pid) else None
        if elsewhere_since and now - elsewhere_since > patience_s:
            break
        time.sleep(LOOK_AGAIN_S)
    places = kernel.listening_at(server.process.pid)
    if not places:
        raise BadInput(
            f"it listens on no port within {timeout_s:g} s; {server.last_words}; if it needs longer: --timeout 5m"
        )
    waited_s = time.monotonic() - (elsewhere_since or time.monotonic())
    return _on_its_own(replace(server, began=server.began + waited_s), places, told=told)


def _on_its_own(server: Running, places: tuple[str, ...], *, told: bool) -> Running:
    """Return a server that listens elsewhere with that port; BadInput if trials could not reach it there."""
    where = ", ".join(places)
    if told:
        raise BadInput(
            f"it listens on {where}, not on {HOST}:{server.port}, which {{port}} stood for;"
            " check the option that takes the port, and let it listen on {host};"
            " or leave {port} out, if it reads PORT or has a port of its own"
        )
    ports = [port for port in dict.fromkeys(int(place.rpartition(":")[2]) for place in places) if accepts(port)]
    if not ports:
        raise BadInput(
            f"it listens on {where}, where trials do not reach it: they ask {HOST};"
            f" let it listen on {HOST} or on all addresses (0.0.0.0)"
        )
    ports.sort(key=lambda port: not _is_first_process_s(server, port))  # rather than a backend's
    port = ports[0] if len(ports) == 1 else next(filter(speaks_http, ports), ports[0])
    env = {name: text for name, text in server.launch.env.items() if (name, text) not in FROM_ENVIRONMENT.items()}
    return replace(server, port=port, launch=replace(server.launch, env=env, port=port))


def _is_first_process_s(server: Running, port: int) -> bool:
    seen = kernel.listening(server.process.pid, port)
    return bool(seen.inodes & seen.held.get(server.process.pid, frozenset()))


def accepts(port: int) -> bool:
    """Return whether somebody accepts connections to a port of this machine."""
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


def speaks_http(port: int) -> bool:
    """Return whether a port answers a request like a web server, whatever the status."""
    with suppress(OSError), socket.create_connection((HOST, port), timeout=1) as connection:
        connection.sendall(Request().bytes_for(f"{HOST}:{port}"))
        return connection.recv(5) == b"HTTP/"
    return False
