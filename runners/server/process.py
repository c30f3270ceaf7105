"""The server under test for the length of one trial: started fresh, waited for, probed, stopped."""

from __future__ import annotations

import logging
import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from runners.errors import UnfitMachine
from runners.matrix.cells import Cell
from runners.matrix.model import Limits
from runners.matrix.requests.request import Request
from runners.records.files import create_file, open_to_read
from runners.records.trial import Check, Command, Verdict
from runners.server.commands import Words, fill, fill_text
from runners.server.limits import Watchdog
from runners.server.probe import Probed, Unanswered, port_is_free, probe, wait_until_right
from runners.server.rights import NoRights, keeps_all, rights_of
from runners.system import kernel
from runners.system.machine import Layout, format_cpus
from runners.system.processes import Enclosure, Stopped, describe_exit, start, stop
from runners.units import printable

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
PORTS = range(18080, 18999)
BACKGROUND = 'keep it in the foreground (nginx: "daemon off;")'
PLACEHOLDERS = "its command or environment must take {host} and {port}"
OWN_PORT_TIMEOUT_S = 2.0
LOOK_AGAIN_S = 0.05
TAIL_BYTES = 2000
WORK = "work"


class TrialFailed(Exception):
    """The trial has no number; the message says what broke, `cell` whose trial it is."""

    verdict: Verdict = "failed"

    def __init__(self, reason: str, cell: Cell) -> None:
        super().__init__(reason)
        self.cell = cell


class TrialInvalid(TrialFailed):
    """The trial must not be measured; the message says what the server does wrong."""

    verdict: Verdict = "invalid"

    def __init__(self, reason: str, cell: Cell, check: Check | None = None) -> None:
        super().__init__(reason, cell)
        self.check = check or Check(
            "V0", "answers as asked", "fail", reason, "status 200, the body, the connection mode"
        )


@dataclass(frozen=True)
class Started:
    """What a server that is ready answered, and the time from its start to its first right answer."""

    probed: Probed
    start_us: int


@dataclass(frozen=True)
class Programs:
    """Where the servers of a run are: the matrix's folder, the built programs by variant, and their environment.

    `limits` is what each may use of the machine. `privileged` are those that turned out to need all capabilities.
    `built` holds the hash of each file of the built programs, by variant.
    """

    root: Path
    outputs: Mapping[str, Path]
    env: Mapping[str, str]
    limits: Limits = field(default_factory=Limits)
    privileged: set[str] = field(default_factory=set)
    built: Mapping[str, Mapping[Path, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Logs:
    """Where the output of one trial goes: files in the cell's folder, named after the block.

    The server itself may write only below `work`: it must not choose what the harness writes to, or reads as its own.
    """

    run_folder: Path
    folder: Path
    stem: str

    def file(self, purpose: str) -> Path:
        """Return the file for one purpose."""
        return self.folder / f"{self.stem}.{purpose}.txt"

    @property
    def work(self) -> Path:
        """Return the server's own folder."""
        return self.folder / WORK

    def create(self, purpose: str) -> BinaryIO:
        """Return the new file for one purpose, open to write and read; no link is followed."""
        return create_file(self.file(purpose))

    def write(self, purpose: str, data: bytes) -> Path:
        """Write the file for one purpose, and return its whole path."""
        with self.create(purpose) as stream:
            stream.write(data)
        return self.folder.resolve() / self.file(purpose).name

    def read(self, purpose: str) -> bytes:
        """Return what the file for one purpose holds; raise OSError if it is missing, a link, or no ordinary file."""
        with open_to_read(self.file(purpose), follow_link=False) as stream:
            return stream.read()

    def command(self, purpose: str, argv: tuple[str, ...], cpus: tuple[int, ...]) -> Command:
        """Return the record of a command whose output goes into the file for `purpose`."""
        where = str(self.file(purpose).relative_to(self.run_folder))
        return Command(purpose, argv, where, format_cpus(cpus))  # type: ignore[arg-type]


class ServerProcess:
    """A running server, and everything that a trial needs of it."""

    in_namespace = True
    breach: str | None = None

    def __init__(self, cell: Cell, layout: Layout, programs: Programs, logs: Logs, port: int, host: str = HOST) -> None:
        self.took_s = 0.0
        self.cell, self.layout, self.logs, self.port, self.host = cell, layout, logs, port, host
        self.programs, self.words = programs, _words(cell, programs, logs, port, host)
        self._make_work_folder()
        self.argv = fill(cell.program.run, self.words)
        own = {name: fill_text(text, self.words) for name, text in cell.program.env.items()}
        self.env = {**programs.env, **own}
        self.process = self._start(self.env)
        self.began = time.monotonic()
        self.watchdog = self._watchdog()

    @property
    def command(self) -> Command:
        """Return the record of the command that started it."""
        return self.logs.command("server", self.argv, self.layout.server)

    @property
    def pid(self) -> int:
        """Return the process id of its group's leader."""
        return self.process.pid

    @property
    def _enclosure(self) -> Enclosure:
        try:
            rights = rights_of(self.cell.program, str(self.words.work), all_capabilities=self._keeps_all)
        except NoRights as error:
            raise TrialFailed(str(error), self.cell) from error
        return Enclosure(self.in_namespace, rights, self.programs.limits.open_files)

    @property
    def _keeps_all(self) -> bool:
        return keeps_all(self.cell.program) or self.cell.program.name in self.programs.privileged

    def _make_work_folder(self) -> None:
        """Make the server's own folder; raise TrialFailed if a link is there: the server would own its target."""
        if self.logs.work.is_symlink():
            raise TrialFailed(f"{self.logs.work} is a link, and the server would write there; remove it", self.cell)
        self.logs.work.mkdir(exist_ok=True)

    def _watchdog(self) -> Watchdog:
        return Watchdog(self.process, self.output, self.programs.limits)

    def _start(self, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
        if self.cell.program.config is not None:
            template = (self.words.dir / self.cell.program.config).read_text(encoding="utf-8")
            with create_file(self.words.config) as config:
                config.write(fill_text(template, self.words).encode())
        enclosure = self._enclosure
        self.output = self.logs.create("server")
        try:
            return start(
                self.argv,
                output=self.output,
                cpus=self.layout.server,
                env=env,
                cwd=self.words.dir,
                stdin=True,
                enclosure=enclosure,
            )
        except OSError as error:
            self.output.close()
            raise TrialFailed(f"cannot start {self.argv[0]}: {error.strerror}", self.cell) from error

    def wait_until_ready(self) -> Started:
        """Wait for its first right answer, then probe it; raise TrialFailed or TrialInvalid if it does not answer."""
        started_s = self._first_answer()
        self._check_own_port()
        try:
            probed = self._ask()
        except Unanswered as error:
            if self.process.poll() is not None:
                raise TrialFailed(self.why_silent(), self.cell) from error
            raise TrialInvalid(str(error), self.cell) from error
        return Started(probed, round(started_s * 1e6))

    def why_unready(self) -> str | None:
        """Wait for its first right answer; return why it never answers, None if it does, be it wrongly."""
        try:
            self._first_answer()
            self._check_own_port()
        except TrialInvalid:
            return None
        except TrialFailed as failure:
            return str(failure)
        return None

    def _first_answer(self) -> float:
        """Wait until it answers as it must, or fails to; return the seconds since its start.

        One that ends without the capabilities that it was denied is started again with all of them.
        """
        try:
            return self._answered()
        except TrialFailed:
            if self.breach or not self.process.poll() or self._keeps_all:
                raise
        return self._answered_with_all_capabilities()

    def _answered_with_all_capabilities(self) -> float:
        self.stop()
        name = self.cell.program.name
        self.programs.privileged.add(name)
        self.process = self._start(self.env)
        self.began, self.watchdog = time.monotonic(), self._watchdog()
        try:
            seconds = self._answered()
        except TrialFailed:
            self.programs.privileged.discard(name)
            raise
        log.warning(f"{name} ends without capabilities such as CAP_SYS_ADMIN, so it keeps all of them")
        return seconds

    def _answered(self) -> float:
        ready, request = self.cell.program.ready, self.cell.request
        if ready.path is not None:
            request = Request(ready.path)
        try:
            _, self.took_s = wait_until_right(self.host, self.port, request, self._is_alive, ready.timeout_s)
        except Unanswered as error:
            if self.process.poll() is not None or not self._listens():
                raise TrialFailed(self.why_silent(), self.cell) from error
            self._check_own_port()
            raise TrialInvalid(str(error), self.cell) from error
        return time.monotonic() - self.began

    def _is_alive(self) -> bool:
        return self.process.poll() is None and not self.exceeds()

    def exceeds(self) -> str | None:
        """Return which limit it exceeds, or has exceeded, in a sentence; None if it keeps within them."""
        self.breach = self.breach or self.watchdog.breach(self.pid)
        return self.breach

    def _listens(self) -> bool:
        return not port_is_free(self.host, self.port)

    def _check_own_port(self) -> None:
        """Raise TrialFailed if another process listens; one look at /proc may miss a socket, so take several."""
        deadline = time.monotonic() + OWN_PORT_TIMEOUT_S
        while not (seen := kernel.listening(self.pid, self.port)).by_tree:
            if self.process.poll() is not None:
                raise TrialFailed(self.why_silent(), self.cell)
            if time.monotonic() >= deadline:
                raise TrialFailed(
                    f"port {self.port} is answered by another process, not by this server ({seen})", self.cell
                )
            time.sleep(LOOK_AGAIN_S)

    def _ask(self) -> Probed:
        return probe(self.host, self.port, self.cell.request, self.cell.mode, self.took_s)

    def ask_again(self) -> Probed | str:
        """Probe it once more after the load; return its answers, or what is wrong with them."""
        try:
            return self._ask()
        except Unanswered as error:
            return str(error)

    def why_silent(self) -> str:
        """Return why it does not answer, with the end of its output."""
        if self.breach:
            return self.breach
        code = self.process.poll()
        if code is None:
            waited = f"does not listen on {self.host}:{self.port} within {self.cell.program.ready.timeout_s:g} s"
            return f"{waited}{self._elsewhere()}; {self._last_words()}"
        if code == 0 and self._listens():
            return f"went into the background, where it cannot be watched; {BACKGROUND}; {self._last_words()}"
        return f"ended with {describe_exit(code)} before it answered; {self._last_words()}"

    def _elsewhere(self) -> str:
        """Return where it listens instead, in words; empty if nowhere."""
        places = kernel.listening_at(self.pid)
        return f", but on {', '.join(places)}: {PLACEHOLDERS}" if places else ""

    def end(self) -> str | None:
        """Return how it ended; None as long as it runs."""
        code = self.process.poll()
        return None if code is None else describe_exit(code)

    def check_alive(self, since: str) -> None:
        """Raise TrialFailed if it has ended, or uses more of the machine than it may."""
        if end := self.end():
            raise TrialFailed(f"the server died ({end}) {since}; {self._last_words()}", self.cell)
        if self.exceeds():
            raise TrialFailed(f"{self.breach} ({since})", self.cell)

    def _last_words(self) -> str:
        tail = tail_of(self.logs.file("server"))
        return f"its last output: {tail}" if tail else "it printed nothing"

    def stop(self) -> Stopped:
        """Stop it with everything that it started; return how it ended."""
        stopped = stop(self.process)
        if self.process.stdin is not None:
            self.process.stdin.close()
        if not self.output.closed:  # else it was stopped before, and could not be started again
            self.watchdog.log.settle()
            self.output.close()
        return stopped


def _words(cell: Cell, programs: Programs, logs: Logs, port: int, host: str) -> Words:
    folder = programs.root / cell.program.dir
    return Words(
        dir=folder.resolve(),
        out=programs.outputs.get(cell.program.name, folder),
        work=logs.work.resolve(),
        config=logs.work.resolve() / logs.file("config").name,  # beside what it lets the server write
        host=host,
        port=port,
        threads=cell.threads,
        flags=cell.program.flags,
    )


def free_port(position: int, host: str = HOST) -> int:
    """Return a free port; raise UnfitMachine if there is none.

    Consecutive trials get different ports, so that they do not meet each other's old connections.
    """
    for step in range(len(PORTS)):
        port = PORTS[(position + step) % len(PORTS)]
        if port_is_free(host, port):
            return port
    raise UnfitMachine(f"no free port between {PORTS.start} and {PORTS.stop - 1}")


def tail_of(file: Path) -> str:
    """Return the last lines of a file as one line of text; empty if there is no file."""
    try:
        with open_to_read(file, follow_link=False) as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - TAIL_BYTES))
            lines = stream.read().decode("utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return printable(" | ".join(line.strip() for line in lines[-5:] if line.strip()))


def complaint_of(file: Path) -> str:
    """Return the first line of a file if a program explains its usage below it, else the last lines."""
    try:
        with open_to_read(file, follow_link=False) as stream:
            complaint, usage, _ = stream.read().decode("utf-8", errors="replace").partition("Usage:")
    except OSError:
        return ""
    lines = complaint.strip().splitlines()
    return printable(lines[0].strip()) if lines and usage else tail_of(file)
