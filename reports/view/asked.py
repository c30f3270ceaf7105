"""What each request of a cell's mix got. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.view.latency import merged_of
from runners.records.trial import Trial
from runners.stats.histogram import percentile_us


@dataclass(frozen=True)
class PartView:
    """One request of a mix over the valid trials: its share of the answers, and latencies in microseconds."""

    name: str
    requests: int
    share: float
    p50_us: int | None
    p99_us: int | None


def parts_of(trials: Sequence[Trial]) -> tuple[PartView, ...]:
    """Return the requests of a mix, the most frequent first; empty if the generator could not tell them apart."""
    counted = [part for trial in trials if trial.verdict == "ok" for part in trial.parts]
    total = sum(part.requests for part in counted)
    found = []
    for name in dict.fromkeys(part.name for part in counted):
        own = [part for part in counted if part.name == name]
        histogram = merged_of(part.latency for part in own)
        requests = sum(part.requests for part in own)
        p50_us, p99_us = (percentile_us(histogram, percent) if histogram else None for percent in (50, 99))
        found.append(PartView(name, requests, requests / total, p50_us, p99_us))
    return tuple(sorted(found, key=lambda part: -part.requests))
