"""Builds servers in parallel, and caches each for the user under a hash of everything that went into it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from runners.matrix.cells import Program
from runners.records.folder import LOGS
from runners.records.run import BuildInfo
from runners.server.commands import Words, fill, fill_text
from runners.server.sources import source_hash
from runners.system.processes import describe_exit, end_leftovers, marked, stop
from runners.tools.find import Host, ToolStatus, tool_environment

BUILD_TIMEOUT_S = 600.0
KILL = ((signal.SIGKILL, 5.0),)  # a compiler has nothing to clean up
TAIL_LINES = 15
PROGRAM = "program"

Done = Callable[[BuildInfo], None]


@dataclass(frozen=True)
class BuildContext:
    """Where sources, built programs and logs are, the environment for the build, and the versions of the tools."""

    root: Path
    cache: Path
    folder: Path
    env: Mapping[str, str]
    tool_versions: Mapping[str, str]


def build_context(root: Path, host: Host, found: Mapping[str, ToolStatus], folder: Path) -> BuildContext:
    """Return the context for the servers of a matrix in `root`, built with the tools found; logs go into `folder`."""
    (folder / LOGS).mkdir(parents=True, exist_ok=True)
    return BuildContext(
        root=root,
        cache=host.cache / "builds",
        folder=folder,
        env={**os.environ, **tool_environment(found, host)},
        tool_versions={name: status.version or "" for name, status in found.items()},
    )


def program_path(program: Program, context: BuildContext) -> Path:
    """Return where the built program is, or will be."""
    ingredients = {
        "sources": source_hash(context.root / program.dir),
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
    pool = ThreadPoolExecutor(max_workers=os.cpu_count())
    every = tuple(programs)
    paths = [program_path(program, context) for program in every]  # before a build leaves files among the sources
    try:
        for info in pool.map(lambda program, out: _build(program, out, context), every, paths):
            done(info)
            infos[info.variant] = info
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        end_leftovers()
        raise
    finally:
        pool.shutdown()
    return infos


def _build(program: Program, out: Path, context: BuildContext) -> BuildInfo:
    if not program.build:
        return BuildInfo(program.name, "none")
    argv = _argv(program, context, out.parent)
    log = context.folder / "logs" / f"build-{program.name}.txt"
    if out.exists():
        return BuildInfo(program.name, "cached", argv)
    scratch = scratch_of(out)
    scratch.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    try:
        problem = _compile(program, context, scratch, log)
        if problem is None:
            _keep(scratch, out.parent)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    output = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    tail = "\n".join([*output.splitlines()[-TAIL_LINES:], *([problem] if problem else [])])
    return BuildInfo(
        variant=program.name,
        status="built" if problem is None else "failed",
        argv=argv,
        duration_s=round(time.monotonic() - began, 2),
        log=str(log.relative_to(context.folder)),
        output_tail=tail,
    )


def scratch_of(out: Path) -> Path:
    """Return the folder in which a program is built before it is moved to its place."""
    return out.parent.with_name(f".{out.parent.name}.{os.getpid()}")


def _argv(program: Program, context: BuildContext, work: Path) -> tuple[str, ...]:
    return fill(program.build, _words(program, context, work))


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


def _compile(program: Program, context: BuildContext, scratch: Path, log: Path) -> str | None:
    """Run the build command in the scratch folder; return what went wrong, or None."""
    words = _words(program, context, scratch)
    env = {**context.env, **{name: fill_text(text, words) for name, text in program.env.items()}}
    problem = run_build(fill(program.build, words), context.root / program.dir, env, log)
    if problem:
        return problem
    return (
        None
        if (scratch / PROGRAM).exists()
        else f"{program.build[0]} ended with exit status 0, but did not write {{out}}"
    )


def run_build(argv: Sequence[str], folder: Path, env: Mapping[str, str], log: Path) -> str | None:
    """Run a build command in a folder, its output into `log`; return what went wrong, or None."""
    try:
        with log.open("wb") as output:
            process = subprocess.Popen(
                argv,
                cwd=folder,
                env=marked(dict(env)),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
    except OSError as error:
        return f"cannot run {argv[0]}: {error.strerror}"
    try:
        code = process.wait(BUILD_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return f"{argv[0]} did not end within {BUILD_TIMEOUT_S:g} s"
    finally:
        stop(process, KILL)
    return f"{argv[0]} ended with {describe_exit(code)}" if code else None


def _keep(scratch: Path, folder: Path) -> None:
    """Move the built program to its folder; if another run has just put one there, that one is as good."""
    program = scratch / PROGRAM
    for item in scratch.iterdir():
        if item != program:
            shutil.rmtree(item, ignore_errors=True) if item.is_dir() else item.unlink()
    try:
        scratch.rename(folder)
    except OSError:
        if not (folder / PROGRAM).exists():
            raise
