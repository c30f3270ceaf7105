"""The-benchmarker's data.json: `metrics`, each a figure of a framework at a level of connections.

Every figure is an average over several requests, so counts need not be whole; those that are not stay unknown, since
they are counts of nothing that happened. What it calls `duration_ms` are microseconds, as wrk reports them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from runners.foreign.sample import Foreign, Sample, count, entries, known, name, number, table, whole
from runners.records.trial import Errors

LATENCIES = {"average_latency": "mean", "minimum_latency": "min", "maximum_latency": "max"}
PERCENTILE = "percentile_"
_DATE = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC")


def recognizes(file: Foreign) -> bool:
    """Return whether a file is such a data.json."""
    data = table(file.data)
    return isinstance(data.get("frameworks"), list) and isinstance(data.get("metrics"), list)


def samples(file: Foreign) -> Iterator[Sample]:
    """Yield each framework at each level of connections."""
    frameworks = {whole(each.get("id")): each for each in entries(file.data["frameworks"])}
    found: defaultdict[tuple[int, int | None], dict[str, Any]] = defaultdict(dict)
    for metric in entries(file.data["metrics"]):
        framework, label = whole(metric.get("framework_id")), metric.get("label")
        if framework in frameworks and isinstance(label, str):
            found[framework or 0, whole(metric.get("level"))][label] = metric.get("value")
    when = _date(file.data.get("updated_at"))
    yield from (_sample(frameworks[key], level, of, when) for (key, level), of in found.items())


def _sample(framework: Mapping[str, Any], level: int | None, of: Mapping[str, Any], when: str | None) -> Sample:
    duration = number(of.get("duration_ms"))
    latencies = [(LATENCIES[label], number(value)) for label, value in of.items() if label in LATENCIES]
    percentiles = [(label, number(value)) for label, value in of.items() if label.startswith(PERCENTILE)]
    variant = name(framework.get("variant"))
    label = name(framework.get("label"))
    printed = ((f"p{label.removeprefix(PERCENTILE)}", value) for label, value in percentiles)
    return Sample(
        load="wrk",
        server=f"{label} {variant}" if label and variant else label,
        language=name(framework.get("language")),
        connections=level,
        requests=whole(of.get("total_requests")),
        duration_us=round(duration) if duration else None,
        requests_per_s=number(of.get("total_requests_per_s")),
        bytes_read=whole(of.get("total_bytes_received")),
        errors=Errors(
            connect=count(of.get("socket_connection_errors")),
            read=count(of.get("socket_read_errors")),
            write=count(of.get("socket_write_errors")),
            status=count(of.get("http_errors")),
            timeout=count(of.get("request_timeouts")),
        ),
        latency_us=known([*latencies, *printed]),
        started_at=when,
    )


def _date(text: Any) -> str | None:
    """Return a time such as "2026-04-15 16:36:50 UTC" as it is written elsewhere; None if it is none."""
    words = _DATE.match(text) if isinstance(text, str) else None
    return f"{words[1]}T{words[2]}Z" if words else None
