"""The servers of matrix.toml: built once, where runs and `speedup check` build them as well, and started for tests."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from runners.matrix.cells import Program, programs
from runners.matrix.model import Limits
from runners.matrix.reading import read_matrix
from runners.server.builds import BuildContext, build_all, build_context, program_path
from runners.server.commands import Words, fill, fill_text
from runners.tools.find import TOOL_DATA, ToolStatus, find_tools, this_host
from tests.support import ROOT
from tests.support.wire import accepts_connections, within

HOST = "127.0.0.1"


@dataclass(frozen=True)
class ServerUnderTest:
    """A variant of matrix.toml on so many threads, and what is known to be different about it.

    `before` are the words that its command is put behind.
    """

    variant: str
    threads: int = 1
    post: int = 200
    lenient: frozenset[str] = frozenset()  # Garbage that it takes for a request.
    continues_after_garbage: bool = False
    shares_ports: bool = False  # Its sockets have SO_REUSEPORT, so that another one may take a share of the load.
    stop: signal.Signals = signal.SIGTERM  # As does SIGINT, it ends the server whoever is connected.
    before: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return how the test report names it."""
        return f"{self.variant}/t{self.threads}"

    @property
    def name(self) -> str:
        """Return what it calls itself."""
        return self.variant.partition(".")[0]


def with_two_threads(*servers: ServerUnderTest) -> list[ServerUnderTest]:
    """Return the same servers with two threads."""
    return [replace(server, threads=2) for server in servers]


@dataclass(frozen=True)
class Started:
    """A running server."""

    program: ServerUnderTest
    process: subprocess.Popen[bytes]
    port: int


class Shelf:
    """Builds what is asked for, unless it has been built before, and starts it."""

    def __init__(self, folder: Path) -> None:
        matrix, _ = read_matrix(ROOT / "matrix.toml", TOOL_DATA)
        self.folder, self.tools, self.host = folder, matrix.tool, this_host()
        self.programs = {program.name: program for program, _ in programs(matrix)}
        self.found: dict[str, ToolStatus] = {}

    def build(self, *variants: str) -> dict[str, Path]:
        """Return where the programs of some variants are, built as many at once as there are CPUs; skip without tools.

        What needs no build is where its files are.
        """
        wanted = [self.programs[variant] for variant in variants]
        context = self._context(wanted)
        infos = build_all(wanted, context, lambda _info: None)
        assert {name: info.output_tail for name, info in infos.items() if info.status == "failed"} == {}
        return {each.name: program_path(each, context) if each.build else context.root / each.dir for each in wanted}

    def _context(self, wanted: Sequence[Program]) -> BuildContext:
        needed = {name for program in wanted for name in program.needs}
        self.found |= find_tools(self.tools, needed - self.found.keys(), self.host)
        statuses = {name: self.found[name] for name in needed}
        for status in statuses.values():
            if not status.found:
                pytest.skip(f"{status.title}: {status.reason}: speedup doctor --install --for tests")
        return build_context(ROOT, self.host, statuses, self.folder, Limits())

    def start(self, server: ServerUnderTest, port: int) -> subprocess.Popen[bytes]:
        """Start a server on a port as a run does, without waiting for it."""
        program = self.programs[server.variant]
        words = Words(
            dir=ROOT / program.dir,
            out=self.build(server.variant)[server.variant],
            work=self.folder,
            config=self.folder / f"{server.variant}.{port}.conf",
            host=HOST,
            port=port,
            threads=server.threads,
            flags=program.flags,
        )
        if program.config is not None:
            words.config.write_text(fill_text((words.dir / program.config).read_text(encoding="utf-8"), words))
        env = {name: fill_text(text, words) for name, text in program.env.items()}
        return subprocess.Popen(
            [*server.before, *fill(program.run, words)],
            env={**self._context([program]).env, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    @contextlib.contextmanager
    def running(self, server: ServerUnderTest) -> Iterator[Started]:
        """Run a server for as long as the block lasts."""
        port = free_port()
        process = self.start(server, port)
        try:
            assert within(10, lambda: accepts_connections(port) or process.poll() is not None)
            assert process.poll() is None, process.communicate()[1]
            yield Started(server, process, port)
        finally:
            end(process, server.stop)

    def output_at_the_end(self, server: ServerUnderTest, port: int | None = None) -> tuple[int, str]:
        """Return the exit status of a server that ends by itself, and what it wrote to standard error."""
        process = self.start(server, port or free_port())
        try:
            _, errors = process.communicate(timeout=10)
        finally:
            end(process)
        return process.returncode, errors.decode()


def end(process: subprocess.Popen[bytes], politely: signal.Signals = signal.SIGTERM) -> None:
    """End a server whatever it takes: politely at first, since some have workers that SIGKILL would leave behind."""
    for number in (politely, signal.SIGKILL):
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=2)
            return


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
