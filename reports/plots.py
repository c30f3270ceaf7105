"""Plots as SVG text for one HTML file: they follow the page's colours, load nothing, and never change by themselves.

Drawn with matplotlib's Figure (no pyplot, no global state). Text and lines take sentinel colours that become
`currentColor` and CSS variables, so that dark mode works; ids are prefixed, so that several figures may stand in one
page; no date and a fixed hash salt make the bytes depend on the numbers alone.
"""

from __future__ import annotations

import html
import io
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator
from matplotlib.typing import LineStyleType

from reports.clean import clean, clipped
from reports.rows import Row, named, one_line
from reports.tables import TableModel
from reports.view import RunView, ok_trials
from runners.statistics import Estimate, median

INK, MUTED, GRID, BAR, SHARED, THEN, PAPER = (f"#01020{number}" for number in range(1, 8))
CSS_COLOURS = {
    INK: "currentColor",
    MUTED: "var(--muted)",
    GRID: "var(--rule)",
    BAR: "var(--bar)",
    SHARED: "var(--bar-shared)",
    THEN: "var(--then)",
    PAPER: "var(--paper)",
}
SERIES = [f"#0203{number:02d}" for number in range(1, 9)]
CSS_COLOURS |= {colour: f"var(--series-{number})" for number, colour in enumerate(SERIES, start=1)}
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<")
DASHES: tuple[LineStyleType, ...] = ("-", "--", "-.", ":")

WIDTH_IN = 8.6
LABEL_CHARACTERS = 48
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "speedup",
    "text.parse_math": False,
    "font.size": 9,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "hatch.linewidth": 0.7,
    "hatch.color": PAPER,
}


@dataclass(frozen=True)
class Series:
    """One line of the scaling plot: a variant's rates by thread count in one mode."""

    label: str
    mode: str
    points: tuple[tuple[int, Estimate, bool], ...]  # threads, requests per second, CPUs shared


def bar_plot(table: TableModel, identifier: str) -> str:
    """Return the table's bars as SVG; empty where nothing was measured."""
    rows = [row for row in table.measurable if row.rps is not None or row.published is not None]
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
        _rate_axis(axes, "x")
        figure.legend(handles=_bar_legend(table, rows), loc="outside upper right", ncols=3, fontsize=8.5)
        title = f"{table.title}: requests per second"
        return _svg(figure, identifier, title, _describe(rows))


def scaling_plot(view: RunView, identifier: str) -> str:
    """Return requests per second over threads as SVG; empty where only one thread count was measured."""
    series = scaling_series(view)
    counts = sorted({threads for line in series for threads, _, _ in line.points})
    if len(counts) < 2:
        return ""
    modes = list(dict.fromkeys(line.mode for line in series))
    labels = list(dict.fromkeys(line.label for line in series))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, 3.4 + 0.18 * ((len(labels) + 2) // 3)), layout="constrained")
        panels = figure.subplots(1, len(modes), squeeze=False)[0]
        for axes, mode in zip(panels, modes, strict=True):
            for line in (line for line in series if line.mode == mode):
                _draw_series(axes, line, labels.index(line.label))
            axes.set_title(f"{mode} connections", loc="left", fontsize=9.5)
            axes.set_xlabel("server threads")
            axes.set_xticks(counts)
            axes.set_xlim(min(counts) - 0.25, max(counts) + 0.25)
            axes.grid(visible=True, axis="y")
            axes.set_ylim(bottom=0)
            _rate_axis(axes, "y")
        figure.legend(handles=_series_legend(labels), loc="outside lower left", ncols=3, fontsize=8.5)
        described = "; ".join(_describe_series(line) for line in series)
        return _svg(figure, identifier, "Requests per second over server threads", described)


def scaling_series(view: RunView) -> tuple[Series, ...]:
    """Return a line for each variant, connection count and mode that has two thread counts or more."""
    found: dict[tuple[str, int, str, str], list[tuple[int, Estimate, bool]]] = {}
    for cell in (cell for cell in view.cells if not cell.twin_of):
        rates = [trial.requests_per_s or 0 for trial in ok_trials(view.trials.get(cell.id, ()))]
        if rates:
            key = (cell.title, cell.connections, cell.load, cell.mode)
            found.setdefault(key, []).append((cell.threads, median(rates), cell.shared))
    connections = {key[1] for key in found}
    loads = {key[2] for key in found}
    series = []
    for (title, count, load, mode), points in found.items():
        if len(points) > 1:
            label = title + (f", {count} connections" if len(connections) > 1 else "")
            label += f", {load}" if len(loads) > 1 else ""
            series.append(Series(clean(one_line(label), ""), mode, tuple(sorted(points, key=lambda p: p[0]))))
    return tuple(series)


def _draw_bars(axes: Axes, rows: Sequence[Row]) -> None:
    """Draw each row's bar with its spread; a row without a number says why, beside a published mark."""
    longest = max(max(row.rps.value if row.rps else 0, row.published or 0) for row in rows)
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
        handles.append(Patch(facecolor=BAR, label="this run, with its spread"))
    if any(row.rps and row.shared for row in rows):
        handles.append(Patch(facecolor=SHARED, hatch="////", edgecolor=PAPER, linewidth=0,
                             label="this run, CPUs shared with the load"))  # fmt: skip
    if table.published and any(row.published is not None for row in rows):
        name = clipped(clean(table.published.name, ""), LABEL_CHARACTERS)
        handles.append(Line2D([], [], linestyle="", marker="D", markersize=5.5, markerfacecolor=PAPER,
                              markeredgecolor=THEN, markeredgewidth=1.3,
                              label=f"published, another machine: {name}"))  # fmt: skip
    return handles


def _draw_series(axes: Axes, line: Series, number: int) -> None:
    """Draw a variant's line; a point whose CPUs were shared is hollow."""
    colour, marker = SERIES[number % len(SERIES)], MARKERS[number % len(MARKERS)]
    dash = DASHES[number // len(SERIES) % len(DASHES)]
    threads = [point[0] for point in line.points]
    axes.plot(threads, [point[1].value for point in line.points], dash, color=colour, linewidth=1.4)
    for count, rate, shared in line.points:
        axes.plot([count], [rate.value], linestyle="", marker=marker, markersize=6, markeredgewidth=1.4,
                  markerfacecolor=PAPER if shared else colour, markeredgecolor=colour)  # fmt: skip
        if rate.interval:
            axes.plot([count, count], [rate.interval.low, rate.interval.high], color=colour, linewidth=1)


def _series_legend(labels: Sequence[str]) -> list[Line2D]:
    handles = [
        Line2D([], [], color=SERIES[number % len(SERIES)], marker=MARKERS[number % len(MARKERS)],
               linestyle=DASHES[number // len(SERIES) % len(DASHES)], label=clipped(label, LABEL_CHARACTERS))
        for number, label in enumerate(labels)
    ]  # fmt: skip
    hollow = Line2D([], [], linestyle="", marker="o", markerfacecolor="none", markeredgecolor=INK,
                    label="hollow: CPUs shared with the load")  # fmt: skip
    return [*handles, hollow]


def _rate_axis(axes: Axes, which: str) -> None:
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_formatter(FuncFormatter(_thousands))
    axis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 2.5, 5, 10]))
    axis.set_label_text("requests per second")


def _thousands(value: float, _position: int | None = None) -> str:
    """Return 150000 as "150k", 1500000 as "1.5M"."""
    if abs(value) >= 1e6:
        return f"{value / 1e6:g}M"
    return f"{value / 1e3:g}k" if abs(value) >= 1e3 else f"{value:g}"


def _label(row: Row) -> str:
    return clipped(clean(one_line(named(row)), ""), LABEL_CHARACTERS)


def _describe(rows: Sequence[Row]) -> str:
    """Return the plot in words, for people who do not see it."""
    parts = []
    for row in rows:
        now = f"{row.rps.value:.0f}" if row.rps else row.status
        then = f", published {row.published:.0f}" if row.published is not None else ""
        parts.append(f"{_label(row)}: {now}{then}")
    return "; ".join(parts)


def _describe_series(line: Series) -> str:
    points = ", ".join(f"{rate.value:.0f} with {threads}" for threads, rate, _ in line.points)
    return f"{line.label}, {line.mode}: {points}"


def _svg(figure: Figure, identifier: str, title: str, description: str) -> str:
    """Return a figure as an SVG element that fits into a page."""
    FigureCanvasSVG(figure)
    stream = io.StringIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a glyph that matplotlib's font lacks: the browser has its own
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    body = stream.getvalue()
    return _embed(body[body.index("<svg") :], identifier, title, description)


def _embed(svg: str, identifier: str, title: str, description: str) -> str:
    """Return matplotlib's SVG without what would leak into the page, with unique ids and words for its content."""
    svg = re.sub(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>|<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\b(id="|xlink:href="#|href="#|url\(#)', rf"\g<1>{identifier}-", svg)
    svg = svg.replace("xlink:href=", "href=")
    svg = re.sub(r"font-family: [^;\"]+", "font-family: var(--sans)", svg)
    for sentinel, colour in CSS_COLOURS.items():
        svg = svg.replace(sentinel, colour)
    width, height = re.search(r'viewBox="0 0 ([0-9.]+) ([0-9.]+)"', svg).groups()  # type: ignore[union-attr]
    opening = (
        f'<svg class="plot" id="{identifier}" role="img" aria-labelledby="{identifier}-title {identifier}-desc"'
        f' viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">'
        f'<title id="{identifier}-title">{html.escape(clean(title, ""))}</title>'
        f'<desc id="{identifier}-desc">{html.escape(clean(description, ""))}</desc>'
    )
    return re.sub(r"\s*\n\s*", "\n", opening + svg[svg.index(">") + 1 :])
