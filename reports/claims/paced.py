"""Latency under a given load, from rate-paced trials: it says more than the percentiles of a closed loop. Pure.

A paced trial offers a fixed rate, a share of the capacity that the same cell reached at full load, so a slow answer
does not lower the load. A search for the highest rate that meets an objective ends with a trial that confirms it; only
what that trial found is claimed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reports.view.latency import merged
from reports.view.names import cell_name
from reports.view.rows import median_of
from reports.view.view import RunView
from runners.matrix.objective import parse_objective
from runners.records.run import CellInfo
from runners.records.trial import Trial
from runners.stats.histogram import percentile_us
from runners.units import plural

PERCENTILES = (50.0, 90.0, 99.0, 99.9)
PACED = ("paced", "search", "confirm")
KEPT = 0.99  # of the offered rate: below, the generator or the server did not keep the pace


@dataclass(frozen=True)
class PacedRow:
    """A cell at one offered rate; `late` says that the rate was not kept, so its percentiles are too good."""

    cell: CellInfo
    anchor: str
    fraction: float | None
    offered_per_s: float | None
    achieved_per_s: float | None
    percentiles_us: tuple[float | None, ...]
    trials: int
    late: bool


@dataclass(frozen=True)
class SearchResult:
    """What a search found: whether a cell meets an objective at a rate, and in `said` a sentence about it.

    `met` is true only where a trial of its own confirmed the rate: it counts, and its latencies meet the objective.
    """

    cell: CellInfo
    objective: str
    offered_per_s: float | None
    met: bool
    said: str


@dataclass(frozen=True)
class PacedTable:
    """The paced trials of one mode of connections."""

    mode: str
    rows: tuple[PacedRow, ...]
    searches: tuple[SearchResult, ...]


def paced_tables(view: RunView) -> tuple[PacedTable, ...]:
    """Return a table for each mode of connections in which trials were paced."""
    trials = [trial for trial in view.folder.trials if trial.design in PACED and trial.verdict != "not run"]
    modes = dict.fromkeys(trial.mode for trial in trials)
    return tuple(_table(mode, [trial for trial in trials if trial.mode == mode], view) for mode in modes)


def _table(mode: str, trials: Sequence[Trial], view: RunView) -> PacedTable:
    cells = {cell.id: cell for cell in view.cells}
    groups: dict[tuple[str, float], list[Trial]] = {}
    searches: dict[tuple[str, str], list[Trial]] = {}
    for trial in trials:
        if trial.design == "paced":
            groups.setdefault((trial.cell, trial.fraction or trial.offered_per_s or 0.0), []).append(trial)
        else:
            searches.setdefault((trial.cell, trial.objective or ""), []).append(trial)
    order = {cell.id: number for number, cell in enumerate(view.cells)}
    keys = sorted(groups, key=lambda key: (order[key[0]], key[1]))
    return PacedTable(
        mode=mode,
        rows=tuple(_row(cells[key[0]], groups[key], view) for key in keys),
        searches=tuple(_result(cells[cell], objective, asked) for (cell, objective), asked in searches.items()),
    )


def _row(cell: CellInfo, trials: Sequence[Trial], view: RunView) -> PacedRow:
    valid = [trial for trial in trials if trial.verdict == "ok"]
    offered = median_of(trial.offered_per_s for trial in valid)
    achieved = median_of(trial.requests_per_s for trial in valid)
    histogram = merged(valid)
    return PacedRow(
        cell=cell,
        anchor=view.anchors[cell.id],
        fraction=trials[0].fraction,
        offered_per_s=offered,
        achieved_per_s=achieved,
        percentiles_us=tuple(_percentile(percent, histogram, valid) for percent in PERCENTILES),
        trials=len(valid),
        late=offered is not None and achieved is not None and achieved < KEPT * offered,
    )


def _percentile(percent: float, histogram: Mapping[int, int], trials: Sequence[Trial]) -> float | None:
    """Return a percentile of the histogram; of others' trials, which have none, the median of what they printed."""
    if histogram:
        return percentile_us(histogram, percent)
    return median_of(trial.latency_us.get(f"p{percent:g}") for trial in trials)


def _result(cell: CellInfo, objective: str, trials: Sequence[Trial]) -> SearchResult:
    """Return what the last confirmation found, or how far the search got without one."""
    confirmations = [trial for trial in trials if trial.design == "confirm"]
    last = next((trial for trial in reversed(confirmations) if _meets(trial)), None)
    last = last or (confirmations[-1] if confirmations else None)
    said = _confirmation(cell, objective, last) if last else _unconfirmed(cell, objective, trials)
    return SearchResult(cell, objective, last.offered_per_s if last else None, bool(last and _meets(last)), said)


def _meets(trial: Trial) -> bool:
    """Return whether a trial proves that its rate meets the objective: an invalid one proves nothing."""
    return trial.verdict == "ok" and trial.objective_met is True


def _confirmation(cell: CellInfo, objective: str, trial: Trial) -> str:
    rate, seen = f"{_rate(trial.offered_per_s)} requests per second", _seen(trial, objective)
    if _meets(trial):
        found = ", ".join([f"{_rate(trial.requests_per_s)} achieved", *([seen] if seen else [])])
        return f"{cell_name(cell)} meets {objective} at up to {rate}; a separate trial confirmed it ({found})."
    if trial.verdict == "ok":
        why = f"missed the objective{f' ({seen})' if seen else ''}"
    else:
        why = f"does not count: {trial.reason or trial.verdict}"
    return f"{cell_name(cell)}: no rate is confirmed for {objective}. The trial meant to confirm {rate} {why}."


def _seen(trial: Trial, objective: str) -> str:
    """Return the percentile that the objective is about, as the trial had it: "p99 5.20 ms"; empty if not known."""
    try:
        percent = parse_objective(objective).percent
    except ValueError:
        return ""
    value_us = percentile_us(merged([trial]), percent)
    return "" if value_us is None else f"p{percent:g} {value_us / 1000:.2f} ms"


def _unconfirmed(cell: CellInfo, objective: str, trials: Sequence[Trial]) -> str:
    """Return how far a search got that has not come to a confirmation, or never will."""
    met = [trial.offered_per_s or 0.0 for trial in trials if trial.objective_met]
    if met:
        best = f"{_rate(max(met))} requests per second"
        return f"{cell_name(cell)}: no rate is confirmed yet for {objective}; the highest tried that met it is {best}."
    lowest = min(trial.offered_per_s or 0.0 for trial in trials)
    tried = plural(len(trials), "rate")
    return f"{cell_name(cell)}: {tried} tried, down to {_rate(lowest)} requests per second; none met {objective}."


def _rate(value: float | None) -> str:
    return "?" if value is None else f"{value:.0f}"
