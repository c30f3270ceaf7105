"""Changes machine settings for steadier numbers, only on request, and restores them exactly.

The original value of each setting is saved to disk before it is changed, so that the next run can undo what a killed
run left. That file must be the user's own, and only the settings below, with values that they can have, are taken from
it. Settings that a machine does not have are skipped; nothing that protects it (address randomisation, mitigations) is
touched.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from runners.errors import UnfitMachine
from runners.records.files import replace_file

log = logging.getLogger(__name__)

SAVED = "tuning.json"
ROOT = Path("/")


@dataclass(frozen=True)
class Knob:
    """A group of kernel files with one setting, the value that they should have, and why.

    `values` is the pattern of all values that they can have.
    """

    files: str
    value: str
    why: str
    values: str = r"[0-9]{1,7}"


KNOBS = (
    Knob(
        "sys/devices/system/cpu/cpu*/cpufreq/scaling_governor",
        "performance",
        "no waiting for a CPU to speed up",
        r"[a-z_]{1,15}",
    ),
    Knob("sys/devices/system/cpu/intel_pstate/no_turbo", "1", "no frequency that lasts only while others idle"),
    Knob("sys/devices/system/cpu/cpufreq/boost", "0", "no frequency that lasts only while others idle"),
    Knob("proc/sys/kernel/numa_balancing", "0", "no pages moved between nodes under load"),
    Knob("proc/sys/kernel/perf_event_max_sample_rate", "1", "no profiling interrupts"),
)


@dataclass(frozen=True)
class Change:
    """One file whose value was changed."""

    file: str
    before: str
    after: str


@contextmanager
def tuned(cache: Path, *, wanted: bool, root: Path = ROOT) -> Iterator[tuple[Change, ...]]:
    """Undo what a killed run left, tune if `wanted`, and restore everything at the end; UnfitMachine without root."""
    restore(cache, root)
    if not wanted:
        yield ()
        return
    if os.geteuid() != 0:
        raise UnfitMachine("--tune changes kernel settings, which only root may do; run as root, or without --tune")
    changes = wanted_changes(root)
    originals = {change.file: change.before for change in changes} | _saved(cache)  # what could not be restored yet
    if originals:
        replace_file(cache / SAVED, json.dumps(originals))
    try:
        applied = tuple(change for change in changes if _set(root / change.file, change.after))
        for change in changes:
            if change not in applied:
                log.warning(f"{change.file} does not accept {change.after!r}; it stays at {change.before!r}")
        yield applied
    finally:
        restore(cache, root)


def wanted_changes(root: Path = ROOT) -> tuple[Change, ...]:
    """Return what tuning would change on this machine: existing settings that do not have the wanted value."""
    found = []
    for knob in KNOBS:
        for file in sorted(root.glob(knob.files)):
            before = _get(file)
            if before is not None and before != knob.value:
                found.append(Change(str(file.relative_to(root)), before, knob.value))
    return tuple(found)


def restore(cache: Path, root: Path = ROOT) -> bool:
    """Restore the saved values, verify them, and forget them; return False if any could not be restored."""
    saved = _saved(cache)
    failed = [file for file, before in saved.items() if not _set(root / file, before)]
    for file in failed:
        log.warning(f"cannot restore {file} to {saved[file]!r}; it is {_get(root / file)!r}; restore it by hand")
    if saved and not failed:
        (cache / SAVED).unlink(missing_ok=True)
    return not failed


def _saved(cache: Path) -> dict[str, str]:
    """Return the values that are to be restored, by file; what is none of our settings is left out, with a warning."""
    try:
        saved = json.loads(_own_text(cache / SAVED))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        log.warning(f"{cache / SAVED} cannot tell which settings an earlier run left changed: {error}; delete it")
        return {}
    items = [(str(file), str(before)) for file, before in saved.items()] if isinstance(saved, dict) else []
    for file, before in items:
        if not _is_ours(file, before):
            log.warning(f"{cache / SAVED} names {file!r} with {before!r}, which no run of ours changes; left alone")
    return {file: before for file, before in items if _is_ours(file, before)}


def _own_text(file: Path) -> str:
    """Return the text of a file that only this user can have written; raise OSError otherwise."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(descriptor, encoding="utf-8") as stream:
        status = os.fstat(descriptor)
        if status.st_uid != os.getuid() or status.st_mode & 0o022:
            raise PermissionError(errno.EPERM, "it is not this user's own, or others may write it")
        return stream.read()


def _is_ours(file: str, before: str) -> bool:
    """Return whether a file and its value are those of a knob, so that no other file is ever written."""
    return any(
        len(Path(file).parts) == len(Path(knob.files).parts)
        and ".." not in Path(file).parts
        and fnmatchcase(file, knob.files)
        and re.fullmatch(knob.values, before) is not None
        for knob in KNOBS
    )


def _get(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError:
        return None


def _set(file: Path, value: str) -> bool:
    """Write a setting and read it back; return whether it took effect."""
    try:
        file.write_text(value, encoding="utf-8")
    except OSError:
        return False
    return _get(file) == value
