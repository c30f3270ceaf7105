"""Why a row has no number, and why trials do not count. Pure."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

from reports.view.names import load_name
from reports.view.view import RunView
from reports.view.words import clipped, one_line
from runners.matrix.cells import RowKey
from runners.records.run import CellInfo
from runners.records.trial import Trial
from runners.stats.noise import is_noisy
from runners.units import plural

NOT_SELECTED = "not selected for this run"
REASON_CHARACTERS = 240  # what a table shows of a reason; the cell's trials show all of it

Status = Literal["measured", "noisy", "unavailable", "excluded", "failed", "invalid", "not run"]


def why_unplanned(key: RowKey, mode: str, view: RunView) -> tuple[Status, str]:
    """Return status and reason of a row for which the plan has no cell."""
    program, limits = view.programs[key.server, key.variant]
    if program.unavailable is not None:
        return "unavailable", one_line(program.unavailable)
    if view.matrix and mode not in view.matrix.suite.modes:
        return "not run", f"this matrix does not measure {mode} connections"
    machine = view.matrix.machine.get(view.run.machine) if view.matrix else None
    if machine is not None and key.threads not in machine.threads:
        verb = "is" if key.threads == 1 else "are"
        profile = f"this machine's profile (threads {_numbers(machine.threads)})"
        return "not run", f"{plural(key.threads, 'thread')} {verb} not in {profile}"
    if limits is not None and key.threads not in limits:
        return "not run", f"{program.title} can use {_numbers(limits)} threads, not {key.threads}"
    return "not run", NOT_SELECTED


def _numbers(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))


def why_unmeasured(cell: CellInfo, trials: Sequence[Trial]) -> tuple[Status, str]:
    """Return status and reason of a cell without a valid trial."""
    if not trials:
        return ("not run", "not measured yet") if cell.status == "planned" else (cell.status, cell.reason or "")
    counted = [trial.requests_per_s for trial in trials if trial.requests_per_s]
    if cell.class_ == "historic" and counted:
        rate = f"{load_name(cell.load)} counted {statistics.median(counted):.0f} responses per second"
        return "invalid", f"{rate}, but they did not answer its requests: {count_checks(trials)}"
    last: Status = "noisy" if any(map(is_noisy, trials)) else _status(trials[-1])
    none = f"none of {len(trials)} trials counts: " if len(trials) > 1 else ""
    return last, f"{none}{count_reasons(trials)}"


def _status(trial: Trial) -> Status:
    return "invalid" if trial.verdict == "ok" else trial.verdict


def count_reasons(trials: Iterable[Trial]) -> str:
    """Return why trials do not count, with a count for like reasons: "V13 steady (4 times); V1 errors: 3 timeouts"."""
    grouped: dict[str, list[Trial]] = {}
    for trial in trials:
        grouped.setdefault(_failed_checks(trial) or _reason(trial), []).append(trial)
    return "; ".join(_reason(same[0]) if len(same) == 1 else _times(name, len(same)) for name, same in grouped.items())


def count_checks(trials: Iterable[Trial]) -> str:
    """Return the names of the failed checks with counts, without what they saw: short enough for a table."""
    counted = Counter(_failed_checks(trial) or _reason(trial) for trial in trials)
    return "; ".join(_times(name, count) for name, count in counted.items())


def _times(name: str, count: int) -> str:
    return name if count == 1 else f"{name} ({count} times)"


def _failed_checks(trial: Trial) -> str:
    return ", ".join(f"{check.id} {check.name}" for check in trial.checks if check.outcome == "fail")


def _reason(trial: Trial) -> str:
    return clipped(one_line(trial.reason or trial.verdict), REASON_CHARACTERS)


def trials_note(trials: Sequence[Trial], valid: Sequence[Trial]) -> str:
    """Return "5 of 6 trials valid: why" if some are not."""
    if len(valid) == len(trials):
        return ""
    counted = {id(trial) for trial in valid}
    others = [trial for trial in trials if id(trial) not in counted]
    return f"{len(valid)} of {len(trials)} trials valid: {count_checks(others)}"
