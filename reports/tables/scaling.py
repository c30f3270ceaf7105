"""How rates grow with the server's threads and with connections: lines of rates, with efficiency per thread. Pure.

Efficiency per thread is the rate over threads, against that with the fewest threads measured: 100 % is perfect
scaling. It is a ratio like any other, taken block by block, with its interval where there are blocks enough.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from reports.claims.comparing import paired
from reports.tables.tables import level_note
from reports.view.rows import Row, cell_row, plural
from reports.view.view import RunView
from runners.records.run import CellInfo
from runners.stats.statistics import Estimate, Interval

Axis = Literal["threads", "connections"]


@dataclass(frozen=True)
class Point:
    """A row at one count, and its efficiency against the line's first point: None there, and along connections."""

    count: int
    row: Row
    efficiency: Estimate | None = None

    @property
    def rate(self) -> Estimate:
        """Return the median rate; only measured rows are points."""
        if self.row.rps is None:
            raise ValueError(f"{self.row.label} was not measured")
        return self.row.rps


@dataclass(frozen=True)
class Line:
    """One variant's points, by rising count; `label` tells it from the others of its mode."""

    label: str
    points: tuple[Point, ...]

    def at(self, count: int) -> Point | None:
        """Return the point at a count."""
        return next((point for point in self.points if point.count == count), None)


@dataclass(frozen=True)
class Scaling:
    """The lines of one mode along one axis; `level_note` says what the intervals of the efficiencies promise."""

    axis: Axis
    mode: str
    lines: tuple[Line, ...]
    level_note: str

    @property
    def counts(self) -> tuple[int, ...]:
        """Return every count at which there is a point."""
        return tuple(sorted({point.count for line in self.lines for point in line.points}))


def scalings(view: RunView, axis: Axis) -> tuple[Scaling, ...]:
    """Return, for each mode, the variants that were measured at two counts or more."""
    cells = [cell for cell in view.cells if not cell.twin_of]
    modes = dict.fromkeys(cell.mode for cell in cells)
    made = (_scaling(axis, mode, [cell for cell in cells if cell.mode == mode], view) for mode in modes)
    return tuple(scaling for scaling in made if scaling.lines)


def _scaling(axis: Axis, mode: str, cells: Sequence[CellInfo], view: RunView) -> Scaling:
    lines = [(label, rows) for label, rows in _lines(axis, cells, view) if len(rows) > 1]
    comparisons = sum(len(rows) - 1 for _, rows in lines)
    finished = tuple(Line(label, tuple(_points(axis, rows, comparisons))) for label, rows in lines)
    known = [point.efficiency for line in finished for point in line.points if point.efficiency]
    return Scaling(axis, mode, finished, level_note(known, comparisons))


def _lines(axis: Axis, cells: Sequence[CellInfo], view: RunView) -> Iterator[tuple[str, list[Row]]]:
    """Yield each variant with its measured rows: all else but the axis's count is the same."""
    found: dict[tuple[str, str | None, int, str], list[Row]] = {}
    for cell in cells:
        row = cell_row(cell, cell.title, "", view)
        if row.rps:
            other = cell.connections if axis == "threads" else cell.threads
            found.setdefault((cell.server, cell.variant, other, cell.load), []).append(row)
    others, loads = {key[2] for key in found}, {key[3] for key in found}
    word = "connection" if axis == "threads" else "thread"
    for (_, _, other, load), rows in found.items():
        parts = [
            rows[0].label,
            *([plural(other, word)] if len(others) > 1 else []),
            *([load] if len(loads) > 1 else []),
        ]
        yield ", ".join(parts), sorted(rows, key=lambda row: _count(axis, row))


def _count(axis: Axis, row: Row) -> int:
    if row.cell is None:
        raise ValueError(f"{row.label} has no cell")
    return row.cell.threads if axis == "threads" else row.cell.connections


def _points(axis: Axis, rows: Sequence[Row], comparisons: int) -> Iterator[Point]:
    first = rows[0]
    yield Point(_count(axis, first), first)
    for row in rows[1:]:
        ratio = paired(row, first, "rate", comparisons) if axis == "threads" else None
        yield Point(_count(axis, row), row, _scaled(ratio, _count(axis, first) / _count(axis, row)))


def _scaled(ratio: Estimate | None, factor: float) -> Estimate | None:
    if ratio is None:
        return None
    old = ratio.interval
    interval = Interval(old.low * factor, old.high * factor, old.level) if old else None
    return Estimate(ratio.value * factor, ratio.count, interval)
