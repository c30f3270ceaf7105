"""A figure over time, in a few bytes of SVG for each point: its interval, its ratio, and marked changes. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from reports.changes.history import Point

WIDTH, HEIGHT, EDGE = 720, 90, 4
LEAST_REACH = math.log(1.05)  # a scale of at least 5 % on each side, so that noise does not look like change
MOST_REACH = math.log(8)


def timeline(points: Sequence[Point], entries: int, words: str) -> str:
    """Return a chart of a series on a logarithmic scale around 1, described in words, which must be escaped already."""
    reach = _reach(points)
    marks = "".join(_drawn(point, entries, reach) for point in points)
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}"'
    middle = f'<path class="one" d="M0 {HEIGHT / 2:g}H{WIDTH}"/>'
    return f'<svg class="timeline" role="img" {size}><title>{words}</title>{middle}{marks}</svg>'


def _reach(points: Sequence[Point]) -> float:
    logs = [abs(math.log(point.ratio.value)) for point in points]
    return min(MOST_REACH, max([LEAST_REACH, *logs])) * 1.1


def _drawn(point: Point, entries: int, reach: float) -> str:
    across = EDGE + (WIDTH - 2 * EDGE) * (point.entry + 0.5) / entries
    interval = point.ratio.interval
    line = ""
    if interval:
        line = f'<path d="M{across:.1f} {_height(interval.low, reach)}V{_height(interval.high, reach)}"/>'
    height = _height(point.ratio.value, reach)
    if not point.mark:
        return f'{line}<circle cx="{across:.1f}" cy="{height}" r="1.5"/>'
    tip = "" if point.mark == "better" else "-"  # the triangle's tip points up for better, down for worse
    return f'{line}<path class="{point.mark}" d="M{across:.1f} {height}l-4 {tip}7h8z"/>'


def _height(ratio: float, reach: float) -> str:
    within = max(-1.0, min(1.0, math.log(ratio) / reach))
    return f"{HEIGHT / 2 - within * (HEIGHT / 2 - EDGE):.1f}"
