"""HttpArena's results: a framework's file, a profile's list, or a single result.

CPU and memory are what its containers showed, which is another measure than ours, so they are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from runners.foreign.sample import Foreign, Sample, count, entries, known, name, number, table, time_us, whole
from runners.records.trial import Errors

STATUSES = ("status_2xx", "status_3xx", "status_4xx", "status_5xx")


def recognizes(file: Foreign) -> bool:
    """Return whether a file holds results with a framework, a rate and counts by status."""
    return any(_is_result(result) for result in _results(file.data))


def samples(file: Foreign) -> Iterator[Sample]:
    """Yield each result."""
    data = table(file.data)
    profiles: list[str | None] = list(table(data.get("results"))) or [None]
    results = list(_results(file.data))
    named = profiles if len(profiles) == len(results) else [None] * len(results)
    yield from (_sample(result, profile) for result, profile in zip(results, named, strict=True) if _is_result(result))


def _results(data: Any) -> Iterator[dict[str, Any]]:
    nested = table(data).get("results")
    yield from entries(nested if nested is not None else data if isinstance(data, list) else [data])


def _is_result(result: dict[str, Any]) -> bool:
    return isinstance(result.get("framework"), str) and "rps" in result and "status_2xx" in result


def _sample(result: dict[str, Any], profile: str | None) -> Sample:
    depth, counts = whole(result.get("pipeline")) or 1, [whole(result.get(key)) for key in STATUSES]
    connections = whole(result.get("connections"))
    duration = time_us(result.get("duration"))
    return Sample(
        load=None,
        server=name(result["framework"]),
        language=name(result.get("language")),
        request=name((profile or "").removesuffix(f"-{connections}")),
        connections=connections,
        mode="reconnecting" if number(result.get("reconnects")) else "pipelined" if depth > 1 else None,
        pipeline_depth=depth if depth > 1 else None,
        requests=None if None in counts else sum(each or 0 for each in counts),
        duration_us=round(duration) if duration else None,
        requests_per_s=number(result.get("rps")),
        errors=Errors(status=count(result.get("status_4xx")) + count(result.get("status_5xx"))),
        latency_us=known((("mean", time_us(result.get("avg_latency"))), ("p99", time_us(result.get("p99_latency"))))),
    )
