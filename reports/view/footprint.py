"""What a server takes beside CPU time: until it answers, and in memory, idle, under load and for each connection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from reports.view.view import RunView, ok_trials
from runners.records.run import CellInfo
from runners.records.trial import Trial
from runners.stats.statistics import Estimate, Interval, median


@dataclass(frozen=True)
class Footprint:
    """Medians over the valid trials of a cell, in microseconds and bytes; None: not known.

    `connection_bytes` is what the memory under load grows by with each connection, against the cell that differs in
    nothing but the number of connections, and most in that.
    """

    start_us: Estimate | None
    idle_bytes: Estimate | None
    loaded_bytes: Estimate | None
    connection_bytes: Estimate | None


def footprint_of(cell: CellInfo, view: RunView) -> Footprint | None:
    """Return a cell's footprint; None if no trial recorded any of it."""
    valid = ok_trials(view.trials.get(cell.id, ()))
    loaded = _median(trial.rss_bytes for trial in valid)
    found = Footprint(
        start_us=_median(trial.start_us for trial in valid),
        idle_bytes=_median(trial.idle_rss_bytes for trial in valid),
        loaded_bytes=loaded,
        connection_bytes=_per_connection(cell, loaded, view.cells, view.trials),
    )
    return found if found.start_us or found.idle_bytes else None


def _median(values: Iterable[float | None]) -> Estimate | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _per_connection(
    cell: CellInfo, loaded: Estimate | None, cells: Sequence[CellInfo], trials: Mapping[str, Sequence[Trial]]
) -> Estimate | None:
    """Return the difference in memory for each connection between, with the interval that both medians allow."""
    same = [other for other in cells if _differ_in_connections(cell, other)]
    other = max(same, key=lambda each: abs(each.connections - cell.connections), default=None)
    theirs = _median(trial.rss_bytes for trial in ok_trials(trials.get(other.id, ()))) if other else None
    if other is None or theirs is None or loaded is None:
        return None
    more = cell.connections - other.connections
    ends = sorted((mine - their) / more for mine in _ends(loaded) for their in _ends(theirs))
    known = loaded.interval and theirs.interval
    interval = Interval(ends[0], ends[-1], loaded.interval.level) if known and loaded.interval else None
    return Estimate((loaded.value - theirs.value) / more, min(loaded.count, theirs.count), interval)


def _ends(estimate: Estimate) -> tuple[float, float]:
    interval = estimate.interval
    return (interval.low, interval.high) if interval else (estimate.value, estimate.value)


def _differ_in_connections(cell: CellInfo, other: CellInfo) -> bool:
    facts = ("server", "variant", "threads", "mode", "load", "request", "twin_of")
    same = all(getattr(cell, fact) == getattr(other, fact) for fact in facts)
    return same and cell.connections != other.connections
