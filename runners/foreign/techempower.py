"""TechEmpower's results.json: `rawData` by test and framework, with a list of levels for each.

A level is a number of connections; for query and update tests, of queries per request at the most connections. Its
plaintext test pipelines 16 requests on each connection. Times are whole seconds, so rates are only as exact as these.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from runners.foreign.sample import Foreign, Sample, count, known, name, number, table, time_us, whole
from runners.records.trial import Errors

PIPELINED = "plaintext"
DEPTH = 16
QUERIES = {"query": "queryIntervals", "update": "queryIntervals", "cached-query": "cachedQueryIntervals",
           "cached_query": "cachedQueryIntervals"}  # fmt: skip


def recognizes(file: Foreign) -> bool:
    """Return whether a file is such a results.json."""
    return isinstance(table(file.data).get("rawData"), dict)


def samples(file: Foreign) -> Iterator[Sample]:
    """Yield each level of each framework in each test, without those that failed TechEmpower's verification."""
    failed = table(file.data.get("failed"))
    for test, frameworks in file.data["rawData"].items():
        of_test = failed.get(test)
        out = of_test if isinstance(of_test, list) else ()
        for framework, levels in table(frameworks).items():
            if isinstance(levels, list) and framework not in out:
                yield from _levels(test, framework, levels, file.data)


def _levels(test: str, framework: str, levels: list[Any], head: dict[str, Any]) -> Iterator[Sample]:
    told = _list(head, QUERIES.get(test, "pipelineConcurrencyLevels" if test == PIPELINED else "concurrencyLevels"))
    for place, level in enumerate(levels):
        found = table(level)
        seconds = (number(found.get("endTime")) or 0) - (number(found.get("startTime")) or 0)
        requests = whole(found.get("totalRequests"))
        if requests is None or seconds <= 0:
            continue
        value = whole(told[place]) if place < len(told) else None
        queries = test in QUERIES
        most = max((whole(each) or 0 for each in _list(head, "concurrencyLevels")), default=0) or None
        yield Sample(
            load="wrk",
            server=name(framework),
            request=name(f"{test}-{value}" if queries and value else test),
            connections=most if queries else value,
            mode="pipelined" if test == PIPELINED else None,
            pipeline_depth=DEPTH if test == PIPELINED else None,
            requests=requests,
            duration_us=round(seconds * 1e6),
            requests_per_s=requests / seconds,
            errors=_errors(found),
            latency_us=known((("mean", time_us(found.get("latencyAvg"))), ("max", time_us(found.get("latencyMax"))))),
            started_at=_date(found.get("startTime")),
        )


def _list(head: dict[str, Any], key: str) -> list[Any]:
    found = head.get(key)
    return found if isinstance(found, list) else []


def _errors(level: dict[str, Any]) -> Errors:
    """Return the errors; only those that happened are in the file."""
    kinds = ("connect", "read", "write", "5xx", "timeout")
    return Errors(*(count(level.get(kind)) for kind in kinds))


def _date(seconds: Any) -> str | None:
    found = number(seconds)
    if found is None or found > dt.datetime(2200, 1, 1, tzinfo=dt.UTC).timestamp():
        return None
    return f"{dt.datetime.fromtimestamp(found, dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
