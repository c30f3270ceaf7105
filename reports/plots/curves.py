"""Lines in SVG: rates over threads and connections, latency over percentiles and over offered rates.

A plot shows at most `MOST_LINES` lines, those with the highest rates; the tables have all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

from reports.claims.paced import PERCENTILES, PacedTable
from reports.plots.drawing import (
    DASHES,
    INK,
    LABEL_CHARACTERS,
    MARKERS,
    PAPER,
    SERIES,
    STYLE,
    WIDTH_IN,
    rate_axis,
    svg_of,
    top,
)
from reports.tables.scaling import Axis, Point, Scaling, ScalingLine
from reports.view.latency import curve, merged
from reports.view.names import cell_name, differences
from reports.view.view import RunView, ok_trials
from reports.view.words import clean, clipped, one_line
from runners.records.run import CellInfo
from runners.stats.statistics import median

MOST_LINES = 8  # in one panel: more cannot be told apart
AXIS_LABELS: dict[Axis, str] = {"threads": "server threads", "connections": "connections"}


@dataclass(frozen=True)
class Curve:
    """A labelled line of positive numbers."""

    label: str
    points: tuple[tuple[float, float], ...]


def scaling_plot(found: Sequence[Scaling], identifier: str) -> str:
    """Return requests per second over threads or connections, a panel for each mode; empty without a line."""
    if not found:
        return ""
    chosen = [top(scaling.lines, _highest, MOST_LINES) for scaling in found]
    labels = list(dict.fromkeys(line.label for lines in chosen for line in lines))
    axis = found[0].axis
    with mpl.rc_context(STYLE):
        figure, panels = _panels([scaling.mode for scaling in found], len(labels))
        for axes, scaling, lines in zip(panels, found, chosen, strict=True):
            for line in lines:
                _draw_scaling(axes, line, labels.index(line.label))
            axes.set_xlabel(AXIS_LABELS[axis])
            axes.set_xscale("log", base=2)
            axes.xaxis.set_major_locator(FixedLocator(scaling.counts))
            axes.xaxis.set_minor_locator(NullLocator())
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
            axes.set_xlim(min(scaling.counts) / 1.15, max(scaling.counts) * 1.15)
            axes.set_ylim(bottom=0)
            rate_axis(axes, "y")
        hollow = Line2D([], [], linestyle="", marker="o", markerfacecolor="none", markeredgecolor=INK,
                        label="hollow: CPUs shared with the load generator")  # fmt: skip
        _legend(figure, [*_handles(labels), hollow])
        drawn = zip(found, chosen, strict=True)
        said = "; ".join(f"{line.label}, {of.mode}: {_said(line)}" for of, lines in drawn for line in lines)
        return svg_of(figure, identifier, f"Requests per second over {AXIS_LABELS[axis]}", said)


def percentile_plot(view: RunView, identifier: str) -> str:
    """Return latency over percentiles in a closed loop, a panel for each mode; empty if no latency was kept."""
    modes = {mode: top(cells, lambda cell: _rate(cell, view), MOST_LINES) for mode, cells in _cells(view).items()}
    curves = {mode: [_percentiles(cell, view) for cell in cells] for mode, cells in modes.items()}
    return _curve_plot(curves, identifier, "Latency over percentiles, closed loop", _percentile_axis)


def paced_plot(tables: Sequence[PacedTable], identifier: str) -> str:
    """Return the 99th percentile over the offered rate; empty unless a cell has two rates."""
    curves = {table.mode: top(_paced_curves(table), lambda line: line.points[-1][0], MOST_LINES) for table in tables}
    return _curve_plot(curves, identifier, "99th percentile of latency over the offered rate", _offered_axis)


def _highest(line: ScalingLine) -> float:
    return max(point.rate.value for point in line.points)


def _rate(cell: CellInfo, view: RunView) -> float:
    return median([trial.requests_per_s or 0 for trial in ok_trials(view.trials[cell.id])]).value


def _cells(view: RunView) -> dict[str, list[CellInfo]]:
    """Return, for each mode, the cells whose valid trials have latencies."""
    found: dict[str, list[CellInfo]] = {}
    for cell in (cell for cell in view.cells if not cell.twin_of):
        if any(trial.latency for trial in ok_trials(view.trials.get(cell.id, ()))):
            found.setdefault(cell.mode, []).append(cell)
    return found


def _percentiles(cell: CellInfo, view: RunView) -> Curve:
    points = curve(merged(view.trials[cell.id]))
    rows = [other for other in view.cells if not other.twin_of]
    name = ", ".join(filter(None, (cell_name(cell), differences(cell, rows, but=["threads"]))))
    return Curve(name, tuple((one_in, us / 1000) for one_in, us in points if us))


def _paced_curves(table: PacedTable) -> list[Curve]:
    found: dict[str, list[tuple[float, float]]] = {}
    for row in table.rows:
        value = row.percentiles_us[PERCENTILES.index(99.0)]
        if row.offered_per_s and value:
            found.setdefault(cell_name(row.cell), []).append((row.offered_per_s, value / 1000))
    return [Curve(label, tuple(sorted(points))) for label, points in found.items() if len(points) > 1]


def _curve_plot(
    found: dict[str, list[Curve]], identifier: str, title: str, finish: Callable[[Axes, Sequence[Curve]], None]
) -> str:
    """Draw curves of latency on a logarithmic axis; empty without a curve."""
    found = {mode: [line for line in lines if len(line.points) > 1] for mode, lines in found.items()}
    found = {mode: lines for mode, lines in found.items() if lines}
    labels = list(dict.fromkeys(line.label for lines in found.values() for line in lines))
    if not labels:
        return ""
    with mpl.rc_context(STYLE):
        figure, panels = _panels(list(found), len(labels))
        for axes, lines in zip(panels, found.values(), strict=True):
            for line in lines:
                number = labels.index(line.label)
                every = max(1, len(line.points) // 5)
                axes.plot(*zip(*line.points, strict=True), **_style(number), markersize=4.5, markevery=every)
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(10, subs=(1, 2, 5)))
            axes.yaxis.set_minor_formatter(NullFormatter())
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            finish(axes, lines)
        _legend(figure, _handles(labels))
        said = "; ".join(
            f"{line.label}, {mode}: from {line.points[0][1]:.3g} to {line.points[-1][1]:.3g} ms"
            for mode, lines in found.items()
            for line in lines
        )
        return svg_of(figure, identifier, title, said)


def _percentile_axis(axes: Axes, lines: Sequence[Curve]) -> None:
    """Label one in two, ten and hundred as 50, 90 and 99 %."""
    last = max(line.points[-1][0] for line in lines)
    decades = range(1, math.floor(math.log10(last) + 1e-9) + 1)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator([2, *(10.0**decade for decade in decades)]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 - 100 / value:.{_nines(value)}f} %"))
    axes.set_xlabel("percentile of requests")
    axes.set_ylabel("latency, ms")


def _nines(one_in: float) -> int:
    return max(0, round(math.log10(one_in)) - 2)


def _offered_axis(axes: Axes, _lines: Sequence[Curve]) -> None:
    axes.set_xlim(left=0)
    rate_axis(axes, "x")
    axes.set_xlabel("offered requests per second")
    axes.set_ylabel("p99 of latency, ms")


def _panels(titles: Sequence[str], labels: int) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(WIDTH_IN, 3.4 + 0.18 * ((labels + 2) // 3)), layout="constrained")
    panels = list(figure.subplots(1, len(titles), squeeze=False)[0])
    for axes, title in zip(panels, titles, strict=True):
        axes.set_title(f"{clean(one_line(title), '')} connections", loc="left", fontsize=9.5)
        axes.grid(visible=True, axis="y")
    return figure, panels


def _draw_scaling(axes: Axes, line: ScalingLine, number: int) -> None:
    """Draw a variant's line; a point with shared CPUs is hollow."""
    style = _style(number)
    colour, marker = style["color"], style["marker"]
    counts = [point.count for point in line.points]
    axes.plot(counts, [point.rate.value for point in line.points], **{**style, "marker": ""})
    for point in line.points:
        axes.plot([point.count], [point.rate.value], linestyle="", marker=marker, markersize=6, markeredgewidth=1.4,
                  markerfacecolor=PAPER if point.row.shared else colour, markeredgecolor=colour)  # fmt: skip
        if point.rate.interval:
            interval = point.rate.interval
            axes.plot([point.count, point.count], [interval.low, interval.high], color=colour, linewidth=1)


def _style(number: int) -> dict[str, Any]:
    """Return colour, marker and dashes of a label's line, so that no two differ by colour alone."""
    dash = DASHES[number // len(SERIES) % len(DASHES)]
    marker = MARKERS[number % len(MARKERS)]
    return {"color": SERIES[number % len(SERIES)], "marker": marker, "linestyle": dash, "linewidth": 1.4}


def _handles(labels: Sequence[str]) -> list[Line2D]:
    shown = [clipped(clean(one_line(label), ""), LABEL_CHARACTERS) for label in labels]
    return [Line2D([], [], **_style(number), label=label) for number, label in enumerate(shown)]


def _said(line: ScalingLine) -> str:
    return ", ".join(_said_point(point) for point in line.points)


def _said_point(point: Point) -> str:
    return f"{point.rate.value:.0f} with {point.count}"


def _legend(figure: Figure, handles: Sequence[Line2D]) -> None:
    figure.legend(handles=list(handles), loc="outside lower left", ncols=3, fontsize=8.5)
