"""What the report unfolds below its tables: each cell with every trial, its checks, commands, output and latency."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reports.logs import read_log
from reports.rows import Row, cell_row, count_reasons, plural
from reports.view import RunView
from runners.errors import BadInput
from runners.histogram import decode, merge, percentile_us
from runners.records import CellInfo, Check, Command, Outcome, Trial

OUTCOMES: tuple[Outcome, ...] = ("pass", "warn", "fail", "unknown")
TITLES = {"build": "Build", "server": "Server", "warm-up": "Warm-up", "load": "Load"}


@dataclass(frozen=True)
class Latency:
    """Latencies of a cell's valid trials together, in microseconds; None: too few samples above, or unknown."""

    requests: int
    p50_us: int | None
    p90_us: int | None
    p99_us: int | None
    max_us: int


@dataclass(frozen=True)
class CommandView:
    """A command line that was run and what it printed; None: nothing was kept."""

    title: str
    line: str
    cpus: str | None
    output: str | None


@dataclass(frozen=True)
class TrialView:
    """One trial as the fold shows it; `notable` are the checks that failed or came near."""

    trial: Trial
    tally: str
    notable: tuple[Check, ...]
    commands: tuple[CommandView, ...]


@dataclass(frozen=True)
class Fold:
    """One cell unfolded."""

    anchor: str
    cell: CellInfo
    row: Row
    latency: Latency | None
    trials: tuple[TrialView, ...]
    summary: str
    passed: str
    unknown: tuple[Check, ...]


def build_folds(view: RunView) -> tuple[Fold, ...]:
    """Return a fold for each cell that was planned to be measured, failed or has trials, in the plan's order."""
    cells = (cell for cell in view.cells if cell.status in ("planned", "failed") or cell.id in view.every)
    return tuple(_fold(cell, view) for cell in cells)


def latency_of(trials: Sequence[Trial]) -> Latency | None:
    """Return the latencies of all valid trials, from their merged histograms; None where none was kept."""
    histogram = merge(_histograms(trial.latency for trial in trials if trial.verdict == "ok"))
    if not histogram:
        return None
    return Latency(
        requests=sum(histogram.values()),
        p50_us=percentile_us(histogram, 50),
        p90_us=percentile_us(histogram, 90),
        p99_us=percentile_us(histogram, 99),
        max_us=max(histogram),
    )


def _histograms(encoded: Iterator[str | None]) -> Iterator[Mapping[int, int]]:
    for text in encoded:
        if text:
            try:
                yield decode(text)
            except (BadInput, ValueError):
                continue


def _fold(cell: CellInfo, view: RunView) -> Fold:
    trials = view.every.get(cell.id, ())
    row = cell_row(cell, cell.title, "", view)
    return Fold(
        anchor=view.anchors[cell.id],
        cell=cell,
        row=row,
        latency=latency_of(view.trials.get(cell.id, ())),
        trials=tuple(_trial(trial, view.folder.path) for trial in trials),
        summary=_summary(row, trials),
        passed=", ".join(f"{check.id} {check.name}" for check in _always(trials, "pass")),
        unknown=_always(trials, "unknown"),
    )


def _always(trials: Sequence[Trial], outcome: Outcome) -> tuple[Check, ...]:
    """Return the checks that came out like this in every trial that was checked, as the first trial saw them."""
    checked = [trial for trial in trials if trial.checks]
    counted = Counter(check.id for trial in checked for check in trial.checks if check.outcome == outcome)
    return tuple(check for check in (checked[0].checks if checked else ()) if counted[check.id] == len(checked))


def _summary(row: Row, trials: Sequence[Trial]) -> str:
    """Return in a few words what the fold holds: "6 trials, all valid"."""
    if not trials:
        return f"{row.status}: {row.reason}" if row.reason else row.status
    bad = [trial for trial in trials if trial.verdict != "ok"]
    if not bad:
        return f"{plural(len(trials), 'trial')}, {'all ' if len(trials) > 1 else ''}valid"
    return f"{len(trials) - len(bad)} of {plural(len(trials), 'trial')} valid: {count_reasons(bad)}"


def _trial(trial: Trial, folder: Path) -> TrialView:
    counted = Counter(check.outcome for check in trial.checks)
    return TrialView(
        trial=trial,
        tally=", ".join(f"{counted[outcome]} {outcome}" for outcome in OUTCOMES if counted[outcome]),
        notable=tuple(check for check in trial.checks if check.outcome in ("warn", "fail")),
        commands=tuple(_command(command, folder) for command in trial.commands),
    )


def _command(command: Command, folder: Path) -> CommandView:
    return CommandView(
        title=TITLES.get(command.purpose, command.purpose),
        line=shlex.join(command.argv),
        cpus=command.cpus,
        output=read_log(folder, command.log),
    )
