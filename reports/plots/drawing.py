"""What all plots share: colours that follow the page, axes, and SVG that can be embedded in one HTML file.

Plots are drawn with matplotlib's Figure (no pyplot, no global state). Text and lines have sentinel colours, which are
replaced by `currentColor` and CSS variables, so that dark mode works. Ids get a prefix, so that one page can hold
several figures. Without a date and with a fixed hash salt, the bytes depend on the numbers alone.
"""

from __future__ import annotations

import html
import io
import re
import warnings
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from matplotlib.typing import LineStyleType

from reports.view.words import clean

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
Drawn = TypeVar("Drawn")
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


def top(items: Iterable[Drawn], value: Callable[[Drawn], float], most: int) -> list[Drawn]:
    """Return at most so many items, those of the highest values, in their order."""
    items = list(items)
    best = sorted(range(len(items)), key=lambda number: -value(items[number]))[:most]
    return [items[number] for number in sorted(best)]


def rate_axis(axes: Axes, which: str) -> None:
    """Make the x or y axis one of requests per second, with a few short, round numbers."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_formatter(FuncFormatter(_thousands))
    axis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 2.5, 5, 10]))
    axis.set_label_text("requests per second")


def _thousands(value: float, _position: int | None = None) -> str:
    """Return 150000 as "150k", 1500000 as "1.5M"."""
    if abs(value) >= 1e6:
        return f"{value / 1e6:g}M"
    return f"{value / 1e3:g}k" if abs(value) >= 1e3 else f"{value:g}"


def svg_of(figure: Figure, identifier: str, title: str, description: str) -> str:
    """Return a figure as an SVG element for a page."""
    FigureCanvasSVG(figure)
    stream = io.StringIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about glyphs that matplotlib's font lacks: the browser has them
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    body = stream.getvalue()
    return _embed(body[body.index("<svg") :], identifier, title, description)


def _embed(svg: str, identifier: str, title: str, description: str) -> str:
    """Return matplotlib's SVG without styles that would leak into the page, with unique ids and a description."""
    svg = re.sub(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>|<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\b(id="|xlink:href="#|href="#|url\(#)', rf"\g<1>{identifier}-", svg)
    svg = svg.replace("xlink:href=", "href=")
    svg = re.sub(r"font-family: [^;\"]+", "font-family: var(--sans)", svg)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)  # nothing refers to groups
    svg = re.sub(r' transform="rotate\(-0 [^"]*\)"', "", svg)
    svg = re.sub(r"(\d\.\d\d)\d+", r"\1", svg)  # nobody sees less than a hundredth of a pixel
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
