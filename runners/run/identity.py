"""What began a run, so that nothing else completes it: the machine, the harness, and every file that is measured.

Numbers of two machines, or of a server before and after an edit, must not stand in one row.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from runners import resources
from runners.file_hash import file_hash
from runners.loads.by_name import LOADS
from runners.loads.locust import USERS, WINDOW
from runners.loads.wrk import SCRIPT
from runners.matrix.requests.mix_section import request_files
from runners.plan.planning import layouts
from runners.records.run import Identity, Run, SourceInfo, ToolInfo
from runners.system.machine import format_cpus
from runners.tools.find import tool_environment
from runners.units import format_size

if TYPE_CHECKING:
    from runners.matrix.cells import Program
    from runners.plan.planning import Plan

MEMORY_TOLERANCE = 0.05  # what a kernel or a hypervisor keeps for itself differs a little from start to start
NOT_MEASURING = ("selftest", "matrix/starter", "matrix/mistakes", "server/learning", "tools/install.py")
MEASURING_SUFFIXES = {".py", ".lua", ".toml"}
MOST_HASHED_BYTES = 1 << 30  # of a program that a command names: it takes a second, no larger one is known


def identity_of(plan: Plan) -> Identity:
    """Return what a run of this plan would be begun by, here and now."""
    return Identity(
        cpu=plan.facts.get("cpu", ""),
        cpus=format_cpus(sorted(os.sched_getaffinity(0))),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        kernel=f"{platform.system()} {platform.release()} {platform.version()}",
        layouts={
            str(threads): f"server {format_cpus(layout.server)}, client {format_cpus(layout.client) or 'elsewhere'}"
            for threads, layout in sorted(layouts(plan).items())
        },
        harness=harness_hash(),
    )


@functools.cache
def harness_hash() -> str:
    """Return a hash of the harness's files that take part in measuring."""
    runners = resources.code() / "runners"
    digest = hashlib.sha256()
    for file in sorted(runners.rglob("*")):
        name = file.relative_to(runners).as_posix()
        if file.suffix in MEASURING_SUFFIXES and not name.startswith(NOT_MEASURING):
            digest.update(f"{name}\0{file_hash(file)}\0".encode())
    return digest.hexdigest()[:16]


def differences(before: Identity, now: Identity) -> list[str]:
    """Return what differs, each with the old and the new value. Pure."""
    found = [
        f"{name} was {old or 'unknown'} and is {new or 'unknown'}"
        for name, old, new in (
            ("the CPU", before.cpu, now.cpu),
            ("the list of usable CPUs", before.cpus, now.cpus),
            ("the kernel", before.kernel, now.kernel),
            ("the version of what measures (http-speedup's own files)", before.harness, now.harness),
        )
        if old != new
    ]
    if abs(now.memory_bytes - before.memory_bytes) > MEMORY_TOLERANCE * before.memory_bytes:
        found.append(f"the memory was {format_size(before.memory_bytes)} and is {format_size(now.memory_bytes)}")
    if before.cpus == now.cpus:  # else the layout follows from that
        found += [
            f"the CPU layout for {threads} server threads was {old} and is {now.layouts[threads]}"
            for threads, old in before.layouts.items()
            if now.layouts.get(threads, old) != old
        ]
    return found


def tool_differences(before: Iterable[ToolInfo], now: Iterable[ToolInfo]) -> list[str]:
    """Return which of a run's tools are others now, each with the old and the new version or hash. Pure."""
    there = {tool.name: tool for tool in now}
    found = []
    for old in before:
        new = there.get(old.name)
        if new is None or new.version != old.version:
            found.append(f"{old.name} was {old.version or 'unknown'} and is {(new and new.version) or 'missing'}")
        elif old.sha256 and new.sha256 != old.sha256:
            found.append(
                f"{old.name} at {new.path} is another program: its hash was {_short(old)} and is {_short(new)}"
            )
    return found


def _short(tool: ToolInfo) -> str:
    return (tool.sha256 or "unknown")[:12]


def sources_of(plan: Plan) -> tuple[SourceInfo, ...]:
    """Return the sources of all servers that a plan measures."""
    folders = dict.fromkeys(cell.program.dir for cell in plan.measurable)
    return tuple(SourceInfo(name, dict(plan.sources.get(name, {}))) for name in folders)


def other_files(plan: Plan) -> dict[str, str]:
    """Return the hashes of files beside the servers' sources that are measured, or that measure, by `name_of`.

    Those are `fixed_files`, and what else commands name: scripts, mostly.
    """
    programs = {cell.program.name: cell.program for cell in plan.measurable}
    named = [file for program in programs.values() for file in _named_files(plan, program)]
    inside = {_place(plan.root, name, file) for name, files in plan.sources.items() for file in files}
    files = (*fixed_files(plan), *(file for file in named if file not in inside))
    hashes = {name_of(file, plan.root): _hash(file) for file in dict.fromkeys(files)}
    return {name: sha256 for name, sha256 in hashes.items() if sha256}


def fixed_files(plan: Plan) -> tuple[Path, ...]:
    """Return the files that cannot be data, whoever writes them.

    Those are the programs and interpreters that commands start, the servers' templates, the files of requests and
    mixes, the locustfile, and the load generators with their scripts.
    """
    programs = {cell.program.name: cell.program for cell in plan.measurable}
    started = [_started(plan, program) for program in programs.values()]
    templates = [_place(plan.root, item.dir, item.config) for item in programs.values() if item.config]
    named = (
        *request_files(plan.matrix.request, plan.matrix.mix),
        *((plan.locustfile.path,) if plan.locustfile else ()),
    )
    given = [_place(plan.root, name) for name in named]
    files = (*filter(None, started), *templates, *given, *_generators(plan))
    return tuple(dict.fromkeys(files))


def name_of(file: Path, root: Path) -> str:
    """Return a file's path relative to the matrix, so that both can be moved; its whole path if it is elsewhere."""
    return str(file.relative_to(root)) if file.is_relative_to(root) else str(file)


def _place(*parts: str | Path) -> Path:
    """Return the path of a file without "." and ".."; links stay."""
    return Path(os.path.normpath(Path(*parts)))


def _started(plan: Plan, program: Program) -> Path | None:
    """Return the program that a start command runs, unless it is built."""
    first = program.run[0]
    if "/" not in first and "{" not in first:
        found = shutil.which(first, path=tool_environment(plan.tools, plan.host)["PATH"])
        return Path(found) if found else None
    return next(_files(plan, program, first), None)


def _named_files(plan: Plan, program: Program) -> Iterator[Path]:
    """Yield the files that the words of a start command name, alone or behind "="."""
    for word in program.run[1:]:
        yield from _files(plan, program, word)
        yield from _files(plan, program, word.rpartition("=")[2])


def _files(plan: Plan, program: Program, word: str) -> Iterator[Path]:
    text = word.replace("{dir}", str(plan.root / program.dir))
    file = _place(plan.root, program.dir, text)
    if text and "{" not in text and _is_file(file):
        yield file


def _is_file(file: Path) -> bool:
    try:
        return file.is_file()
    except (OSError, ValueError):
        return False


def _generators(plan: Plan) -> list[Path]:
    tools = {LOADS[load].tool for load in plan.loads_used}
    programs = [Path(path) for name in sorted(tools) if (path := plan.tools[name].path)]
    return [*programs, SCRIPT, WINDOW, USERS]


def _hash(file: Path) -> str | None:
    try:
        return file_hash(file) if file.stat().st_size <= MOST_HASHED_BYTES else None
    except OSError:
        return None


def watched(run: Run, root: Path) -> dict[Path, str]:
    """Return the hash that each file of a run must have, by its path."""
    sources = {
        _place(root, source.dir, name): sha256
        for source in run.sources
        for name, sha256 in source.files.items()
        if name not in source.data
    }
    return sources | {_place(root, name): sha256 for name, sha256 in run.files.items()}


def taking_for_data(run: Run, root: Path, data: Collection[Path]) -> Run:
    """Return a run in which some of its files are data that servers write. Pure."""
    sources = tuple(_taking(source, root, data) for source in run.sources)
    files = {name: sha256 for name, sha256 in run.files.items() if _place(root, name) not in data}
    return replace(run, sources=sources, files=files)


def _taking(source: SourceInfo, root: Path, data: Collection[Path]) -> SourceInfo:
    found = {name for name in source.files if _place(root, source.dir, name) in data}
    return replace(source, data=tuple(sorted({*source.data, *found})))


def shown(files: Sequence[Path], root: Path, most: int = 4) -> str:
    """Return some files as people know them, in a list that stays short."""
    names = [os.path.relpath(file, root) if file.is_relative_to(root) else str(file) for file in files]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
