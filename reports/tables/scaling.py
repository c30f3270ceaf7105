"""How rates grow with the server's threads and with connections, and the efficiency per thread. Pure.

Efficiency is a variant's rate per thread relative to that with the fewest threads measured: 100 % is perfect scaling.
It is a ratio like any other, taken block by block, with an interval if there are enough blocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from reports.claims.comparing import paired
from reports.tables.tables import joint_note
from reports.view.names import differences
from reports.view.rows import Row, cell_row
from reports.view.view import RunView, ok_trials
from runners.records.run import CellInfo
from runners.stats.statistics import Estimate, Interval

Axis = Literal["threads", "connections"]
Counted = tuple[int, Row]  # threads or connections, and the row there


@dataclass(frozen=True)
class Point:
    """A row at one count, and its efficiency relative to the first point; None there, and along connections."""

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
class ScalingLine:
    """One variant's points, by rising count; `label` is unique within its mode."""

    label: str
    points: tuple[Point, ...]

    def at(self, count: int) -> Point | None:
        """Return the point at a count."""
        return next((point for point in self.points if point.count == count), None)


@dataclass(frozen=True)
class Scaling:
    """The lines of one mode along one axis; `level_note` says at what level the efficiencies' intervals hold."""

    axis: Axis
    mode: str
    lines: tuple[ScalingLine, ...]
    level_note: str

    @property
    def counts(self) -> tuple[int, ...]:
        """Return every count with a point."""
        return tuple(sorted({point.count for line in self.lines for point in line.points}))


def scalings(view: RunView, axis: Axis) -> tuple[Scaling, ...]:
    """Return, for each mode, the variants that were measured at two or more counts."""
    cells = [cell for cell in view.cells if not cell.twin_of]
    modes = dict.fromkeys(cell.mode for cell in cells)
    made = (_scaling(axis, mode, [cell for cell in cells if cell.mode == mode], view) for mode in modes)
    return tuple(scaling for scaling in made if scaling.lines)


def _scaling(axis: Axis, mode: str, cells: Sequence[CellInfo], view: RunView) -> Scaling:
    lines = [(label, rows) for label, rows in _lines(axis, cells, view) if len(rows) > 1]
    comparisons = sum(len(rows) - 1 for _, rows in lines)
    finished = tuple(ScalingLine(label, tuple(_points(axis, rows, comparisons))) for label, rows in lines)
    known = [point.efficiency for line in finished for point in line.points if point.efficiency]
    return Scaling(axis, mode, finished, joint_note(known, comparisons))


def _lines(axis: Axis, cells: Sequence[CellInfo], view: RunView) -> Iterator[tuple[str, list[Counted]]]:
    """Yield each variant with its measured rows, which differ in nothing but the axis's count."""
    found: dict[tuple[str, str | None, int, str, str], list[CellInfo]] = {}
    counted = [cell for cell in cells if _count(axis, cell)]  # others' cells may have a count that nobody told
    for cell in (cell for cell in counted if ok_trials(view.trials.get(cell.id, ()))):
        other = cell.connections if axis == "threads" else cell.threads
        found.setdefault((cell.server, cell.variant, other, cell.load, cell.request), []).append(cell)
    firsts = [of[0] for of in found.values()]
    for of in found.values():
        label = ", ".join(filter(None, (of[0].title, differences(of[0], firsts, but=[axis]))))
        rows = [(_count(axis, cell), cell_row(cell, cell.title, "", view)) for cell in of]
        yield label, sorted(rows, key=lambda row: row[0])


def _count(axis: Axis, cell: CellInfo) -> int:
    return cell.threads if axis == "threads" else cell.connections


def _points(axis: Axis, rows: Sequence[Counted], comparisons: int) -> Iterator[Point]:
    fewest, first = rows[0]
    yield Point(fewest, first)
    for count, row in rows[1:]:
        ratio = paired(row, first, "rate", comparisons) if axis == "threads" else None
        yield Point(count, row, _scaled(ratio, fewest / count))


def _scaled(ratio: Estimate | None, factor: float) -> Estimate | None:
    if ratio is None:
        return None
    old = ratio.interval
    interval = Interval(old.low * factor, old.high * factor, old.level) if old else None
    return Estimate(ratio.value * factor, ratio.count, interval)
