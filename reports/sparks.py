"""Throughput over a trial's time as a line of a few hundred bytes of SVG; matplotlib's would be 100 times as long.

Pure. The kernel's count of segments, ten times a second, gives the shape; the trial's own rate gives the height.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from reports.rows import plural
from runners.records import Trial

WIDTH, HEIGHT, MOST_POINTS = 90, 20, 40


def throughput(trial: Trial) -> tuple[float, ...]:
    """Return requests per second in the trial's slices of time; empty where nothing was sampled."""
    if trial.evidence is None or not trial.requests_per_s:
        return ()
    series = trial.evidence.series
    points = [(at, sent) for at, sent in zip(series.at_us, series.segments, strict=False) if sent is not None]
    steps = itertools.pairwise(_thinned(points))
    rates = [max(0.0, (sent - before) / (at - since)) for (since, before), (at, sent) in steps if at > since]
    mean = sum(rates) / len(rates) if rates else 0.0
    return tuple(rate / mean * trial.requests_per_s for rate in rates) if mean > 0 else ()


def _thinned(points: Sequence[tuple[int, int]]) -> Sequence[tuple[int, int]]:
    """Return at most so many of the counts; counts add up, so nothing is lost between them."""
    step = -(-len(points) // MOST_POINTS) if points else 1
    return points[::step]


def highest(series: Iterable[Sequence[float]]) -> float:
    """Return the scale that several lines share, so that they can be compared by eye."""
    return max((rate for line in series for rate in line), default=0.0)


def spark(rates: Sequence[float], top: float) -> str:
    """Return a line from zero to `top` as SVG, with words for people who do not see it; empty without two points."""
    if len(rates) < 2 or top <= 0:
        return ""
    step = WIDTH / (len(rates) - 1)
    heights = [HEIGHT - 1 - rate / top * (HEIGHT - 2) for rate in rates]
    points = " ".join(f"{number * step:.4g},{height:.3g}" for number, height in enumerate(heights))
    words = f"{plural(len(rates), 'slice')} of time, {min(rates):.0f} to {max(rates):.0f} requests per second"
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    return f'<svg class="spark" role="img" {size}><title>{words}</title><polyline points="{points}"/></svg>'
