"""One table as a picture to share, 1200 x 630 pixels: the answer, bars with their intervals, machine and date."""

from __future__ import annotations

import io
import textwrap
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from reports.tables.charts import Bar, Chart
from reports.view.words import clean, clipped, one_line

WIDTH_PX, HEIGHT_PX, DPI = 1200, 630, 100
MOST_BARS = 6
LIGHT = {
    "paper": "#ffffff", "ink": "#1c2127", "muted": "#5d6875", "soft": "#eef0f3", "bar": "#3a6ea5", "pale": "#9db7d3",
    "then": "#a3501a",
}  # fmt: skip
DARK = {
    "paper": "#15181c", "ink": "#d9dee4", "muted": "#96a1ad", "soft": "#262b32", "bar": "#6a9fd4", "pale": "#3d5a78",
    "then": "#e59a62",
}  # fmt: skip
STYLE: dict[Any, Any] = {
    "svg.fonttype": "path",  # a picture looks alike wherever it is shown
    "svg.hashsalt": "speedup",
    "text.parse_math": False,
    "font.size": 15,
}


@dataclass(frozen=True)
class Card:
    """What a card says."""

    title: str
    answer: str
    chart: Chart
    place: str


def draw_card(card: Card, form: str, *, dark: bool = False) -> bytes:
    """Return a card as "svg" or "png"; the same card gives the same bytes."""
    colours = DARK if dark else LIGHT
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about glyphs that the font lacks
        figure = Figure(figsize=(WIDTH_PX / DPI, HEIGHT_PX / DPI), dpi=DPI, facecolor=colours["paper"])
        FigureCanvasAgg(figure)  # measures words
        _words(figure, card, colours)
        _bars(figure.add_axes((0.30, 0.17, 0.42, 0.47)), card.chart, colours)
        stream = io.BytesIO()
        unsaid = {"Date": None, "Creator": None} if form == "svg" else {"Software": None}
        figure.savefig(stream, format=form, facecolor=colours["paper"], metadata=unsaid)
    return stream.getvalue()


def _words(figure: Figure, card: Card, colours: Mapping[str, str]) -> None:
    """Write the title, the answer and, at the foot, what the bars are, where and when."""
    wide = 0.92 * WIDTH_PX
    _fit(figure.text(0.04, 0.915, _plain(card.title, 90), color=colours["muted"], fontsize=15), wide)
    lines = textwrap.wrap(_plain(card.answer, 400), 64)
    answer = "\n".join([*lines[:2], f"{lines[2]} \u2026"] if len(lines) > 3 else lines)
    bold: dict[str, Any] = {"fontsize": 20, "fontweight": "bold", "va": "top", "linespacing": 1.35}
    _shrink(figure.text(0.04, 0.885, answer, color=colours["ink"], **bold), wide)
    place = f"{card.place} \u00b7 http-speedup"
    for height, words in ((0.085, _legend(card.chart)), (0.04, place)):
        _fit(figure.text(0.04, height, _plain(words, 150), color=colours["muted"], fontsize=12.5), wide)


def _fit(text: Text, most_px: float) -> None:
    """Shorten a line until it is no wider than that."""
    while (wide := text.get_window_extent().width) > most_px:
        words = text.get_text()
        text.set_text(clipped(words, min(len(words) - 1, int(len(words) * most_px / wide))))


def _shrink(text: Text, most_px: float) -> None:
    """Write words smaller if they are wider than that."""
    wide = text.get_window_extent().width
    if wide > most_px:
        text.set_fontsize(float(text.get_fontsize()) * most_px / wide * 0.99)


def _legend(chart: Chart) -> str:
    if not chart.factors:
        return "Requests per second, which decide nothing here"
    level = f" \u00b7 {chart.level} intervals" if chart.level else ""
    then = f" \u00b7 \u25c7 {chart.then}" if chart.then else ""
    return f"Longer is better: {chart.work}, \u00d7 {chart.baseline}; {chart.basis}{level}{then}"


def _bars(axes: Axes, chart: Chart, colours: Mapping[str, str]) -> None:
    """Draw the first bars, and always the baseline's."""
    bars = chart.bars[:MOST_BARS]
    baseline = [bar for bar in chart.bars[MOST_BARS:] if bar.row.baseline]
    bars = (*bars[: MOST_BARS - len(baseline)], *baseline)
    axes.set_axis_off()
    axes.set_xlim(0, chart.longest)
    axes.set_ylim(max(4, len(bars)) - 0.4, -0.6)
    for number, bar in enumerate(bars):
        _bar(axes, bar, number, chart, colours)


def _bar(axes: Axes, bar: Bar, number: int, chart: Chart, colours: Mapping[str, str]) -> None:
    axes.barh(number, chart.longest, height=0.56, color=colours["soft"])
    axes.barh(number, bar.value, height=0.56, color=colours["bar" if bar.sure else "pale"])
    if bar.interval and not bar.row.baseline:
        ends = [bar.interval.low, bar.interval.high]
        axes.plot(ends, [number, number], color=colours["ink"], linewidth=1.6, marker="|", markersize=9)
    if bar.then:
        axes.plot([bar.then], [number], linestyle="", marker="D", markersize=8, markerfacecolor=colours["paper"],
                  markeredgecolor=colours["then"], markeredgewidth=1.8, clip_on=False)  # fmt: skip
    place = f"{bar.place}  " if bar.place else ""
    says = f"{bar.value:.2f}\u00d7" if chart.factors else f"{bar.value:.0f}/s"
    beside: dict[str, Any] = {
        "va": "center",
        "color": colours["ink"],
        "annotation_clip": False,
        "textcoords": "offset points",
    }
    axes.annotate(_plain(f"{place}{bar.row.name}", 29), (0, number), (-10, 0), ha="right", fontsize=13.5, **beside)
    axes.annotate(says, (chart.longest, number), (12, 0), fontsize=16, fontweight="bold", **beside)
    axes.annotate(_plain(bar.says, 30), (chart.longest, number), (88, 0), fontsize=12, **beside)


def _plain(text: str, most: int) -> str:
    """Return text on one line, harmless and not too long."""
    return clipped(clean(one_line(text), ""), most)
