"""Throughput and counters over a trial's time, as lines of a few hundred bytes of SVG: matplotlib's are 100 times that.

Pure. The kernel's count of segments, ten times a second, gives throughput its shape; the trial's own rate gives the
height.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reports.view.rows import plural
from runners.records.trial import Trial

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


def spark(values: Sequence[float], top: float, unit: str = "requests per second") -> str:
    """Return a line from zero to `top` as SVG, with words for people who do not see it; empty without two points."""
    if len(values) < 2 or top <= 0:
        return ""
    step = WIDTH / (len(values) - 1)
    heights = [HEIGHT - 1 - value / top * (HEIGHT - 2) for value in values]
    points = " ".join(f"{number * step:.4g},{height:.3g}" for number, height in enumerate(heights))
    words = f"{plural(len(values), 'slice')} of time, {min(values):.4g} to {max(values):.4g} {unit}"
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    return f'<svg class="spark" role="img" {size}><title>{words}</title><polyline points="{points}"/></svg>'


@dataclass(frozen=True)
class Counter:
    """What was sampled over a trial's time, in its unit, at most so many values."""

    name: str
    unit: str
    values: tuple[float, ...]


def counters(trial: Trial) -> tuple[Counter, ...]:
    """Return what was sampled of connections, memory and CPU time; what was not known all the time is left out."""
    if trial.evidence is None:
        return ()
    series = trial.evidence.series
    found = (
        Counter("connections open", "sockets", _levels(series.established)),
        Counter("in TIME_WAIT", "sockets", _levels(series.time_wait)),
        Counter("memory of the server", "MiB", _levels(series.rss_bytes, 2**20)),
        Counter("CPU time of the server", "CPUs", _growth(series.at_us, series.server_run_us)),
        Counter("CPU time of the load", "CPUs", _growth(series.at_us, series.client_run_us)),
    )
    return tuple(counter for counter in found if len(counter.values) > 1)


def _levels(samples: Sequence[float | None], unit: float = 1) -> tuple[float, ...]:
    known = [sample / unit for sample in samples if sample is not None]
    step = -(-len(known) // MOST_POINTS) if known else 1
    return tuple(known[::step]) if len(known) == len(samples) else ()


def _growth(at_us: Sequence[int], run_us: Sequence[float | None]) -> tuple[float, ...]:
    """Return CPU time over time: how many CPUs were used in each slice."""
    points = [(at, run) for at, run in zip(at_us, run_us, strict=False) if run is not None]
    steps = itertools.pairwise(points[:: -(-len(points) // MOST_POINTS) if points else 1])
    return tuple(max(0.0, (run - before) / (at - since)) for (since, before), (at, run) in steps if at > since)
