"""Throughput and counters over a trial's time, as lines of a few hundred bytes of SVG, a hundredth of matplotlib's.

Pure. The kernel's count of segments, sampled ten times a second, gives throughput its shape, and the trial's rate its
height.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from runners.records.trial import Trial
from runners.units import plural

WIDTH, HEIGHT, MOST_POINTS = 90, 20, 40
Sample = TypeVar("Sample")


def throughput(trial: Trial) -> tuple[float, ...]:
    """Return requests per second in slices of the trial's time; empty if nothing was sampled."""
    if trial.evidence is None or not trial.requests_per_s:
        return ()
    series = trial.evidence.series
    points = [(at, sent) for at, sent in zip(series.at_us, series.segments, strict=False) if sent is not None]
    steps = itertools.pairwise(_thinned(points))
    rates = [max(0.0, (sent - before) / (at - since)) for (since, before), (at, sent) in steps if at > since]
    mean = sum(rates) / len(rates) if rates else 0.0
    return tuple(rate / mean * trial.requests_per_s for rate in rates) if mean > 0 else ()


def _thinned(values: Sequence[Sample]) -> Sequence[Sample]:
    """Return at most `MOST_POINTS` of the values; of counts, which add up, nothing is lost between them."""
    return values[:: max(1, -(-len(values) // MOST_POINTS))]


def highest(series: Iterable[Sequence[float]]) -> float:
    """Return the common scale of several lines, so that they can be compared by eye."""
    return max((rate for line in series for rate in line), default=0.0)


def spark(values: Sequence[float], top: float, unit: str = "requests per second") -> str:
    """Return a line from zero to `top` as SVG, described in words; empty without two points."""
    if len(values) < 2 or top <= 0:
        return ""
    step = WIDTH / (len(values) - 1)
    heights = [HEIGHT - 1 - value / top * (HEIGHT - 2) for value in values]
    points = " ".join(f"{number * step:.4g},{height:.3g}" for number, height in enumerate(heights))
    words = f"{plural(len(values), 'slice')} of time, {min(values):.4g} to {max(values):.4g} {unit}"
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    return f'<svg class="spark" role="img" {size}><title>{words}</title><polyline points="{points}"/></svg>'


@dataclass(frozen=True)
class SampledCounter:
    """What was sampled over a trial's time, in its unit, thinned to `MOST_POINTS`."""

    name: str
    unit: str
    values: tuple[float, ...]


def counters(trial: Trial) -> tuple[SampledCounter, ...]:
    """Return the samples of connections, memory and CPU time, without counters of which some samples are unknown."""
    if trial.evidence is None:
        return ()
    series = trial.evidence.series
    found = (
        SampledCounter("connections open", "sockets", _levels(series.established)),
        SampledCounter("in TIME_WAIT", "sockets", _levels(series.time_wait)),
        SampledCounter("server memory", "MiB", _levels(series.rss_bytes, 2**20)),
        SampledCounter("server CPU time", "CPUs", _growth(series.at_us, series.server_run_us)),
        SampledCounter("load generator CPU time", "CPUs", _growth(series.at_us, series.client_run_us)),
    )
    return tuple(counter for counter in found if len(counter.values) > 1)


def _levels(samples: Sequence[float | None], unit: float = 1) -> tuple[float, ...]:
    known = [sample / unit for sample in samples if sample is not None]
    return tuple(_thinned(known)) if len(known) == len(samples) else ()


def _growth(at_us: Sequence[int], run_us: Sequence[float | None]) -> tuple[float, ...]:
    """Return how many CPUs were in use in each slice of time."""
    points = [(at, run) for at, run in zip(at_us, run_us, strict=False) if run is not None]
    steps = itertools.pairwise(_thinned(points))
    return tuple(max(0.0, (run - before) / (at - since)) for (since, before), (at, run) in steps if at > since)
