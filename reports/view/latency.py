"""Latencies of cells, from the exact histograms of their valid trials together. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from runners.errors import BadInput
from runners.records.trial import Trial
from runners.stats.histogram import SAMPLES_ABOVE, decode, merge, percentile_us

Histogram = Mapping[int, int]
STEPS_PER_DECADE = 10  # of a percentile curve: 90 to 99 % is one decade


@dataclass(frozen=True)
class Latency:
    """Latencies of all valid trials of a cell, in microseconds; None: too few samples above, or unknown."""

    requests: int
    p50_us: int | None
    p90_us: int | None
    p99_us: int | None
    max_us: int


def latency_of(trials: Sequence[Trial]) -> Latency | None:
    """Return the latencies of all valid trials, from their merged histograms; None if none was kept."""
    histogram = merged(trials)
    if not histogram:
        return None
    return Latency(
        requests=sum(histogram.values()),
        p50_us=percentile_us(histogram, 50),
        p90_us=percentile_us(histogram, 90),
        p99_us=percentile_us(histogram, 99),
        max_us=max(histogram),
    )


def merged(trials: Iterable[Trial]) -> dict[int, int]:
    """Return the sum of the valid trials' histograms, microseconds to requests; unreadable ones are left out."""
    return merged_of(trial.latency for trial in trials if trial.verdict == "ok")


def merged_of(encoded: Iterable[str | None]) -> dict[int, int]:
    """Return the sum of histograms; those that are missing or unreadable are left out."""
    return merge(_histograms(encoded))


def _histograms(encoded: Iterable[str | None]) -> Iterator[Histogram]:
    for text in encoded:
        if text:
            try:
                yield decode(text)
            except (BadInput, ValueError):
                continue


def curve(histogram: Histogram) -> tuple[tuple[float, int], ...]:
    """Return points (n, the microseconds that one in n requests took at least), evenly on a logarithmic axis.

    They end at the highest percentile with at least ten requests above it.
    """
    total, seen = sum(histogram.values()), 0
    wanted = list(_steps(total))
    points: list[tuple[float, int]] = []
    for value in sorted(histogram):
        seen += histogram[value]
        while len(points) < len(wanted) and seen >= total * (1 - 1 / wanted[len(points)]):
            points.append((wanted[len(points)], value))
    return tuple(points)


def _steps(total: int) -> Iterator[float]:
    step = 1
    while total and (one_in := 10 ** (step / STEPS_PER_DECADE)) <= total / SAMPLES_ABOVE:
        yield one_in
        step += 1
