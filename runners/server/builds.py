"""Builds servers in parallel, and caches each for the user under a hash of everything that went into it."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from runners.matrix.cells import Program
from runners.matrix.model import Limits
from runners.records.files import create_file
from runners.records.folder import LOGS
from runners.records.run import BuildInfo
from runners.server import build_cache
from runners.server.build_cache import PROGRAM, Place
from runners.server.commands import Words, fill, fill_text
from runners.server.sources import source_hash
from runners.system.processes import Enclosure, describe_exit, start, stop, wait, wait_for_any
from runners.tools.find import Host, ToolStatus, tool_environment
from runners.units import format_duration, format_size, printable

KILL = ((signal.SIGKILL, 5.0),)  # a compiler has nothing to clean up
LOOK_S = 0.5
TAIL_LINES = 15

Done = Callable[[BuildInfo], None]


@dataclass(frozen=True)
class BuildContext:
    """Where sources, built programs and logs are, the environment for the build, and the versions of the tools.

    `sources` holds the hashes of the servers' folders, so that a build is known by what a run began with.
    """

    root: Path
    cache: Path
    folder: Path
    env: Mapping[str, str]
    tool_versions: Mapping[str, str]
    limits: Limits = field(default_factory=Limits)
    sources: Mapping[str, str] = field(default_factory=dict)


def build_context(
    root: Path,
    host: Host,
    found: Mapping[str, ToolStatus],
    folder: Path,
    limits: Limits,
    sources: Mapping[str, str] | None = None,
) -> BuildContext:
    """Return the context for the servers of a matrix in `root`, built with the tools found; logs go into `folder`."""
    (folder / LOGS).mkdir(parents=True, exist_ok=True)
    return BuildContext(
        root=root,
        cache=host.cache / "builds",
        folder=folder,
        env={**os.environ, **tool_environment(found, host)},
        tool_versions={name: status.version or "" for name, status in found.items()},
        limits=limits,
        sources=sources or {},
    )


def program_path(program: Program, context: BuildContext) -> Path:
    """Return where the built program is, or will be, behind a link."""
    ingredients = {
        "sources": context.sources.get(program.dir) or source_hash(context.root / program.dir),
        "build": program.build,
        "flags": program.flags,
        "env": dict(program.env),
        "tools": {name: context.tool_versions.get(name) for name in program.needs},
    }
    digest = hashlib.sha256(json.dumps(ingredients, sort_keys=True).encode()).hexdigest()
    return context.cache / f"{program.name}-{digest[:16]}" / PROGRAM


def build_all(programs: Iterable[Program], context: BuildContext, done: Done) -> dict[str, BuildInfo]:
    """Build programs, one per CPU at a time, and pass each result to `done`; a failed build is a result, no error."""
    infos: dict[str, BuildInfo] = {}
    every = [(program, program_path(program, context)) for program in programs]  # before a build leaves files there
    waiting, builds = deque(every), list[Build]()
    told = iter(program.name for program, _ in every)
    following = next(told, None)
    try:
        while waiting or builds:
            while waiting and len(builds) < (os.cpu_count() or 1):
                program, out = waiting.popleft()
                if (known := _known(program, out, context)) is not None:
                    infos[program.name] = known
                else:
                    builds.append(Build(program, out.parent, context))
                    builds[-1].begin()  # only now, so that an interruption gives it up as well
            _wait_for_any(builds)
            for build in [each for each in builds if each.has_ended()]:
                builds.remove(build)
                infos[build.program.name] = build.conclude()
            while following in infos:
                done(infos[following])
                following = next(told, None)
    finally:
        for build in builds:
            build.give_up()
    return {program.name: infos[program.name] for program, _ in every}


def run_build(
    argv: Sequence[str], folder: Path, env: Mapping[str, str], log: Path, limits: Limits | None = None
) -> str | None:
    """Run a build command in a folder, its output into `log`; return what went wrong, or None."""
    most_s = (limits or Limits()).build_time
    try:
        with create_file(log) as output:
            process = start(argv, output=output, env=env, cwd=folder, enclosure=Enclosure())
    except OSError as error:
        return f"cannot run {argv[0]}: {error.strerror}"
    try:
        ended = wait(process, most_s)
    finally:
        stop(process, KILL)
    if not ended:
        return f"{argv[0]} did not end within {format_duration(most_s)}"
    code = process.poll()
    return f"{argv[0]} ended with {describe_exit(code)}" if code else None


def _known(program: Program, out: Path, context: BuildContext) -> BuildInfo | None:
    """Return the result if there is nothing to do."""
    if not program.build:
        return BuildInfo(program.name, "none")
    if (built := build_cache.find(out.parent)) is not None:
        return BuildInfo(program.name, "cached", fill(program.build, _words(program, context, built.parent)))
    return None


def _wait_for_any(builds: Sequence[Build]) -> None:
    """Wait until a build ends, or until it is time to look at what they use."""
    processes = [build.process for build in builds if build.process is not None]
    if processes and all(process.poll() is None for process in processes):
        wait_for_any(processes, LOOK_S)


def _words(program: Program, context: BuildContext, work: Path) -> Words:
    return Words(
        dir=context.root / program.dir,
        out=work / PROGRAM,
        work=work,
        config=work / "config",
        host="",
        port=0,
        threads=1,
        flags=program.flags,
    )


@dataclass
class Build:
    """One build command at work, with everything that it started; `link` will lead to what it builds."""

    program: Program
    link: Path
    context: BuildContext
    opened: Place | None = None
    process: subprocess.Popen[bytes] | None = None
    problem: str | None = None
    began: float = field(default_factory=time.monotonic)
    looked: float = 0.0

    @property
    def place(self) -> Place:
        """Return where it is built; raise RuntimeError before it has begun."""
        if self.opened is None:
            raise RuntimeError("the build has not begun")
        return self.opened

    @property
    def argv(self) -> tuple[str, ...]:
        """Return the build command."""
        return fill(self.program.build, self._words)

    @property
    def _words(self) -> Words:
        return _words(self.program, self.context, self.place.folder)

    @property
    def _log(self) -> Path:
        return self.context.folder / LOGS / f"build-{self.program.name}.txt"

    def begin(self) -> None:
        """Start the command; if that fails, the build has ended."""
        self.opened = build_cache.open_place(self.link)
        env = {name: fill_text(text, self._words) for name, text in self.program.env.items()}
        enclosure = Enclosure(namespace=self.program.isolate)  # sudo does not work in a user namespace
        try:
            with create_file(self._log) as output:
                self.process = start(
                    self.argv,
                    output=output,
                    env={**self.context.env, "TMPDIR": str(self.place.temporary), **env},
                    cwd=self.context.root / self.program.dir,
                    enclosure=enclosure,
                )
        except OSError as error:
            self.problem = f"cannot run {self.argv[0]}: {error.strerror}"

    def has_ended(self) -> bool:
        """Return whether the command has ended, or has to be ended because it exceeds a limit."""
        if self.process is None or self.process.poll() is not None:
            return True
        if time.monotonic() >= self.looked + LOOK_S:
            self.problem = self._breach()
            self.looked = time.monotonic()
        return self.problem is not None

    def _breach(self) -> str | None:
        limits, name = self.context.limits, self.argv[0]
        if time.monotonic() - self.began > limits.build_time:
            return f"{name} did not end within {format_duration(limits.build_time)} (`build_time` in [limits])"
        size = self.place.size_bytes() + self._log.stat().st_size
        if size > limits.build_output:
            most = format_size(limits.build_output)
            return f"{name} wrote {format_size(size)}, more than {most} (`build_output` in [limits])"
        return None

    def conclude(self) -> BuildInfo:
        """End what still runs, keep the program if there is one, and return the result."""
        try:
            self.problem = self.problem or self._problem()
            if self.process is not None:
                stop(self.process, KILL)
            if self.problem is None:
                self.place.keep()
        finally:
            self.place.close()
        output = self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""
        tail = printable("\n".join([*output.splitlines()[-TAIL_LINES:], *([self.problem] if self.problem else [])]))
        return BuildInfo(
            variant=self.program.name,
            status="built" if self.problem is None else "failed",
            argv=self.argv,
            duration_s=round(time.monotonic() - self.began, 2),
            log=str(self._log.relative_to(self.context.folder)),
            output_tail=tail,
        )

    def _problem(self) -> str | None:
        code, name = self.process.poll() if self.process else None, self.argv[0]
        if code:
            return f"{name} ended with {describe_exit(code)}"
        if build_cache.is_empty(self.place.program):
            return f"{name} ended with exit status 0, but did not write {{out}}"
        return None

    def give_up(self) -> None:
        """End the command with everything that it started, and delete what it wrote."""
        if self.process is not None:
            stop(self.process, KILL)
        if self.opened is not None:
            self.opened.close()
