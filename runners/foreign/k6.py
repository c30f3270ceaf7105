"""The summary that k6 prints at the end, and what it writes with --summary-export or handleSummary.

Its virtual users run a script, which may wait, so they need not always have a request under way. Scenarios with an
arrival rate send on a schedule.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from runners.foreign.sample import (
    Foreign,
    Sample,
    Unreadable,
    count,
    counted,
    known,
    number,
    parsed,
    parsed_whole,
    table,
    time_us,
    whole,
)
from runners.records.trial import Errors

ENDS = {"avg": "mean", "min": "min", "med": "p50", "max": "max"}
_REQUESTS = re.compile(r"http_reqs\.*: +(\d+) +(\S+)/s")
_DURATION = re.compile(r"http_req_duration\.*: +(.*)")
_FIGURE = re.compile(r"(avg|min|med|max|p\([\d.]{1,8}\))=(\S+)")
_FAILED = re.compile(r"http_req_failed\.*: +\S+ +(?:✓ )?(\d+)")
_USERS = re.compile(r"\* \S+: (?:Up to |\d+ iterations (?:shared among|for each of) )?(\d+) (?:looping )?VUs")
_ARRIVALS = re.compile(r"\* \S+: (?P<up>Up to )?(?P<rate>[\d.]+) iterations/s")


def recognizes(file: Foreign) -> bool:
    """Return whether a file is k6's."""
    return "http_reqs" in table(table(file.data).get("metrics")) or _REQUESTS.search(file.text) is not None


def samples(file: Foreign) -> Iterator[Sample]:
    """Yield the one measurement in a file."""
    metrics = table(table(file.data).get("metrics"))
    yield _of_json(metrics) if metrics else _of_text(file.text)


def _of_text(text: str) -> Sample:
    requests, durations, failed = (form.search(text) for form in (_REQUESTS, _DURATION, _FAILED))
    if requests is None:
        raise Unreadable("k6 printed no http_reqs")
    users, arrivals = _USERS.findall(text), _ARRIVALS.search(text)
    figures = _FIGURE.findall(durations[1]) if durations else []
    return Sample(
        load="k6",
        requests_per_s=parsed(requests[2]),
        connections=parsed_whole(users[0]) if len(users) == 1 and not arrivals else None,
        open_loop=arrivals is not None,
        offered_per_s=parsed(arrivals["rate"]) if arrivals and not arrivals["up"] else None,
        requests=parsed_whole(requests[1]),
        errors=Errors(status=counted(failed[1])) if failed else None,
        latency_us=known((_named(key), time_us(value)) for key, value in figures),
    )


def _of_json(metrics: dict[str, Any]) -> Sample:
    requests, durations, failed = (
        _values(metrics, key) for key in ("http_reqs", "http_req_duration", "http_req_failed")
    )
    milliseconds = ((key, number(value)) for key, value in durations.items() if key in ENDS or key.startswith("p("))
    return Sample(
        load="k6",
        requests_per_s=number(requests.get("rate")),
        connections=whole(_values(metrics, "vus_max").get("value")),
        requests=whole(requests.get("count")),
        errors=Errors(status=count(failed.get("passes"))) if failed else None,  # what passes is: it failed
        latency_us=known((_named(key), None if value is None else value * 1000) for key, value in milliseconds),
    )


def _values(metrics: dict[str, Any], key: str) -> dict[str, Any]:
    """Return a metric's figures, which handleSummary nests one level deeper."""
    metric = table(metrics.get(key))
    return table(metric.get("values")) or metric


def _named(key: str) -> str:
    """Return "p95" for "p(95)"."""
    return ENDS.get(key) or key.replace("(", "").replace(")", "")
