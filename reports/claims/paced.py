"""Latency under a given load: what rate-paced trials found, beside the closed loop's percentiles that say less. Pure.

A paced trial offers a fixed rate, a share of the capacity that the same cell reached at full load, so a slow answer
does not lower the load. Where a search looked for the highest rate that keeps an objective, only its independent
confirmation is reported.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reports.view.latency import merged
from reports.view.view import RunView
from runners.records.run import CellInfo
from runners.records.trial import Trial
from runners.stats.histogram import percentile_us

PERCENTILES = (50.0, 90.0, 99.0, 99.9)
PACED = ("paced", "confirm")
KEPT = 0.99  # of the offered rate: below, the generator or the server did not keep the pace


@dataclass(frozen=True)
class PacedRow:
    """A cell at one offered rate; `late` says that the rate was not kept, so its percentiles are too good."""

    cell: CellInfo
    anchor: str
    fraction: float | None
    offered_per_s: float | None
    achieved_per_s: float | None
    percentiles_us: tuple[int | None, ...]
    trials: int
    late: bool


@dataclass(frozen=True)
class Confirmed:
    """The highest rate at which a cell met its objective, as an independent trial confirmed it, or did not."""

    cell: CellInfo
    objective: str
    offered_per_s: float | None
    achieved_per_s: float | None
    met: bool
    reason: str


@dataclass(frozen=True)
class PacedTable:
    """The paced trials of one mode of connections."""

    mode: str
    rows: tuple[PacedRow, ...]
    confirmed: tuple[Confirmed, ...]


def paced_tables(view: RunView) -> tuple[PacedTable, ...]:
    """Return a table for each mode of connections in which trials were paced."""
    trials = [trial for trial in view.folder.trials if _design(trial) in PACED and trial.verdict != "not run"]
    modes = dict.fromkeys(trial.mode for trial in trials)
    return tuple(_table(mode, [trial for trial in trials if trial.mode == mode], view) for mode in modes)


def _design(trial: Trial) -> str:
    return trial.design or ""


def _table(mode: str, trials: Sequence[Trial], view: RunView) -> PacedTable:
    cells = {cell.id: cell for cell in view.cells}
    groups: dict[tuple[str, float], list[Trial]] = {}
    for trial in trials:
        if _design(trial) == "paced":
            groups.setdefault((trial.cell, _fraction(trial) or _offered(trial) or 0.0), []).append(trial)
    order = {cell.id: number for number, cell in enumerate(view.cells)}
    keys = sorted(groups, key=lambda key: (order[key[0]], key[1]))
    last = {trial.cell: trial for trial in trials if _design(trial) == "confirm"}
    return PacedTable(
        mode=mode,
        rows=tuple(_row(cells[key[0]], groups[key], view) for key in keys),
        confirmed=tuple(_confirmed(cells[cell], trial) for cell, trial in last.items()),
    )


def _row(cell: CellInfo, trials: Sequence[Trial], view: RunView) -> PacedRow:
    valid = [trial for trial in trials if trial.verdict == "ok"]
    offered, achieved = _median(map(_offered, valid)), _median(trial.requests_per_s for trial in valid)
    histogram = merged(valid)
    return PacedRow(
        cell=cell,
        anchor=view.anchors[cell.id],
        fraction=_fraction(trials[0]),
        offered_per_s=offered,
        achieved_per_s=achieved,
        percentiles_us=tuple(percentile_us(histogram, percent) for percent in PERCENTILES),
        trials=len(valid),
        late=offered is not None and achieved is not None and achieved < KEPT * offered,
    )


def _confirmed(cell: CellInfo, trial: Trial) -> Confirmed:
    return Confirmed(
        cell=cell,
        objective=str(getattr(trial, "objective", None) or getattr(trial, "slo", None) or ""),
        offered_per_s=_offered(trial),
        achieved_per_s=trial.requests_per_s,
        met=trial.verdict == "ok",
        reason=trial.reason or "",
    )


def _offered(trial: Trial) -> float | None:
    offered = getattr(trial, "offered_per_s", None)
    return float(offered) if offered else None


def _fraction(trial: Trial) -> float | None:
    fraction = getattr(trial, "fraction", None)
    return float(fraction) if fraction else None


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None
