"""Judges a run folder after an attack: what was recorded is still there, and in the end it is exactly the plan."""

from __future__ import annotations

import contextlib
import io
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from runners.records.folder import read_folder
from runners.records.run import RunFolder
from speedup.entry import main

Item = tuple[object, ...]


def lines_of(run: Path | None) -> tuple[bytes, ...]:
    """Return the whole lines of `trials.jsonl`, none if there is no file."""
    file = run / "trials.jsonl" if run else None
    data = file.read_bytes() if file and file.exists() else b""
    return tuple(data.splitlines(keepends=True)[: data.count(b"\n")])


def lost(before: Iterable[bytes], now: Iterable[bytes]) -> int:
    """Return how many lines are no longer there as they were."""
    return (Counter(before) - Counter(now)).total()


def verified(run: Path) -> tuple[int, str]:
    """Return the exit code and the words of `speedup verify`."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        code = main(["verify", str(run)])
    return code, out.getvalue()


def measured(folder: RunFolder) -> Counter[Item]:
    """Return how often each item was measured in each attempt at its block."""
    return Counter(
        (trial.family, trial.block, trial.attempt, trial.pair or (trial.cell,))
        for trial in folder.trials
        if trial.verdict != "not run" and trial.role != "second"
    )


def against_plan(run: Path) -> tuple[int, list[str]]:
    """Return how many items of the plan are missing, and what else differs from it.

    A block is whole once one attempt at it is: damage to another attempt takes nothing away.
    """
    with contextlib.redirect_stderr(io.StringIO()):
        folder = read_folder(run)
    found = measured(folder)
    told = [f"measured twice: {item}" for item, times in found.items() if times > 1]
    missing, known = 0, set[Item]()
    for family in folder.run.families:
        for block, items in enumerate(family.blocks):
            wanted = {tuple(sorted(item)) for item in items}
            attempts: dict[object, set[object]] = {0: set()}
            for name, number, attempt, item in found:
                if (name, number) == (family.name, block):
                    attempts.setdefault(attempt, set()).add(item)
                    known |= {(name, number, attempt, item)} if item in wanted else set()
            missing += min(len(wanted - each) for each in attempts.values())
    told += [f"not in the plan: {item}" for item in found.keys() - known]
    if unended := [family.name for family in folder.run.families if family.ended_by != "most blocks"]:
        told.append(f"not ended: {unended}")
    return missing, told
