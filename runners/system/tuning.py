"""Changes machine settings for steadier numbers, only on request, and restores them exactly.

The original value of each setting is saved to disk before it is changed, so that the next run can undo what a killed
run left. Settings that a machine does not have are skipped; nothing that protects it (address randomisation,
mitigations) is touched.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runners.errors import UnfitMachine
from runners.records.files import replace_file

log = logging.getLogger(__name__)

SAVED = "tuning.json"
ROOT = Path("/")


@dataclass(frozen=True)
class Knob:
    """A group of kernel files with one setting, the value that they should have, and why."""

    files: str
    value: str
    why: str


KNOBS = (
    Knob("sys/devices/system/cpu/cpu*/cpufreq/scaling_governor", "performance", "no waiting for a CPU to speed up"),
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
    replace_file(cache / SAVED, json.dumps({change.file: change.before for change in changes}))
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
    if not failed:
        (cache / SAVED).unlink(missing_ok=True)
    return not failed


def _saved(cache: Path) -> Mapping[str, str]:
    try:
        saved = json.loads((cache / SAVED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(file): str(before) for file, before in saved.items()} if isinstance(saved, dict) else {}


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
