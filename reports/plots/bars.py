"""A table's rates as bars, in SVG."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from reports.plots.drawing import (
    BAR,
    INK,
    LABEL_CHARACTERS,
    MUTED,
    PAPER,
    SHARED,
    STYLE,
    THEN,
    WIDTH_IN,
    rate_axis,
    svg_of,
    top,
)
from reports.tables.tables import TableModel
from reports.view.rows import Row
from reports.view.words import clean, clipped, one_line

MOST_BARS = 40


def drawn_rows(table: TableModel) -> list[Row]:
    """Return the rows with a number, in their order; if there are too many, those with the highest."""
    return top(_numbered(table), _length, MOST_BARS)


def _numbered(table: TableModel) -> list[Row]:
    return [row for row in table.measurable if row.rps is not None or row.published is not None]


def bars_note(table: TableModel) -> str:
    """Return how many rows are drawn; empty if all are."""
    count = len(_numbered(table))
    return f"The plot shows the {MOST_BARS} highest of {count} rows." if count > MOST_BARS else ""


def _length(row: Row) -> float:
    return max(row.rps.value if row.rps else 0, row.published or 0)


def bar_plot(table: TableModel, identifier: str) -> str:
    """Return the table's bars as SVG; empty if nothing was measured."""
    rows = drawn_rows(table)
    if not table.measured:
        return ""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, 0.8 + 0.27 * len(rows) + 0.3), layout="constrained")
        axes = figure.add_subplot()
        _draw_bars(axes, rows)
        _draw_published(axes, rows)
        axes.set_yticks(range(len(rows)), [_label(row) for row in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(visible=True, axis="x")
        rate_axis(axes, "x")
        figure.legend(handles=_bar_legend(table, rows), loc="outside upper right", ncols=3, fontsize=8.5)
        title = f"{table.title}: requests per second"
        return svg_of(figure, identifier, title, _describe(rows))


def _draw_bars(axes: Axes, rows: Sequence[Row]) -> None:
    """Draw each row's bar with its spread; a row without a number shows its status instead."""
    longest = max(map(_length, rows))
    for number, row in enumerate(rows):
        if row.rps is None:
            near = row.published if row.published is not None and row.published < longest * 0.15 else 0
            axes.annotate(row.status, (near, number), (8 if near else 4, 0), textcoords="offset points", va="center",
                          color=MUTED, fontsize=8, fontstyle="italic")  # fmt: skip
            continue
        axes.barh(number, row.rps.value, height=0.62, color=SHARED if row.shared else BAR,
                  hatch="////" if row.shared else None, edgecolor=PAPER, linewidth=0)  # fmt: skip
        low, high = row.spread or (row.rps.value, row.rps.value)
        axes.plot([low, high], [number, number], color=INK, linewidth=1.1)
        axes.plot([low, high], [number, number], linestyle="", marker="|", markersize=5, color=INK)


def _draw_published(axes: Axes, rows: Sequence[Row]) -> None:
    points = [(row.published, number) for number, row in enumerate(rows) if row.published is not None]
    if points:
        axes.plot([x for x, _ in points], [y for _, y in points], linestyle="", marker="D", markersize=5.5,
                  markerfacecolor=PAPER, markeredgecolor=THEN, markeredgewidth=1.3)  # fmt: skip


def _bar_legend(table: TableModel, rows: Sequence[Row]) -> list[Line2D | Patch]:
    handles: list[Line2D | Patch] = []
    if any(row.rps and not row.shared for row in rows):
        handles.append(Patch(facecolor=BAR, label="this run, with spread"))
    if any(row.rps and row.shared for row in rows):
        handles.append(Patch(facecolor=SHARED, hatch="////", edgecolor=PAPER, linewidth=0,
                             label="this run, shared CPUs"))  # fmt: skip
    if table.published and any(row.published is not None for row in rows):
        name = clipped(clean(table.published.name, ""), LABEL_CHARACTERS)
        handles.append(Line2D([], [], linestyle="", marker="D", markersize=5.5, markerfacecolor=PAPER,
                              markeredgecolor=THEN, markeredgewidth=1.3,
                              label=f"published: {name}"))  # fmt: skip
    return handles


def _label(row: Row) -> str:
    name = f"{row.shown} (noisy)" if row.status == "noisy" else row.shown
    return clipped(clean(one_line(name), ""), LABEL_CHARACTERS)


def _describe(rows: Sequence[Row]) -> str:
    """Return the plot in words, for people who cannot see it."""
    parts = []
    for row in rows:
        now = f"{row.rps.value:.0f}" if row.rps else row.status
        then = f", published {row.published:.0f}" if row.published is not None else ""
        parts.append(f"{_label(row)}: {now}{then}")
    return "; ".join(parts)
