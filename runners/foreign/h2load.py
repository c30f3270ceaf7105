"""The output of h2load. It does not print how many requests each connection had under way (-m).

With a duration (-D), its rate is that of the main duration, and the time in which it "finished" is longer than that.
Over HTTP/1.1 that is one unless -m says otherwise; over HTTP/2 and 3 it is not known, so no rule counts on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from runners.foreign.sample import Foreign, Sample, Unreadable, counted, known, parsed, parsed_whole, time_us
from runners.records.trial import Errors

_FINISHED = re.compile(r"^finished in (?P<duration>[^\s,]+), (?P<rate>\S+) req/s", re.MULTILINE)
_REQUESTS = re.compile(
    r"^requests: \d+ total, \d+ started, (?P<done>\d+) done, .* (?P<errored>\d+) errored, (?P<timeout>\d+) timeout$",
    re.MULTILINE,
)
_STATUSES = re.compile(r"^status codes: \d+ 2xx, \d+ 3xx, (\d+) 4xx, (\d+) 5xx$", re.MULTILINE)
_TRAFFIC = re.compile(r"^traffic: \S+ \((\d+)\) total", re.MULTILINE)
_MAIN = re.compile(r" (\d+\S*) of main duration")
_CLIENTS = re.compile(r"^spawning thread #\d+: (\d+) total client", re.MULTILINE)
_PROTOCOL = re.compile(r"^Application protocol: (\S+)$", re.MULTILINE)
_TIMES = re.compile(r"^(?P<head> +min .*)\ntime for request: (?P<row>.*)$", re.MULTILINE)
COLUMNS = {"min": "min", "max": "max", "mean": "mean", "median": "p50", "p95": "p95", "p99": "p99"}


def recognizes(file: Foreign) -> bool:
    """Return whether a file is h2load's."""
    return _FINISHED.search(file.text) is not None and "status codes:" in file.text


def samples(file: Foreign) -> Iterator[Sample]:
    """Yield the one measurement in a file."""
    text = file.text
    finished, requests, statuses = (form.search(text) for form in (_FINISHED, _REQUESTS, _STATUSES))
    if finished is None or requests is None:
        raise Unreadable("h2load printed no totals")
    protocol, traffic = _PROTOCOL.search(text), _TRAFFIC.search(text)
    main = _MAIN.search(text)
    duration = time_us(main[1] if main else finished["duration"])
    errored, timeout = counted(requests["errored"]), counted(requests["timeout"])
    yield Sample(
        load="h2load",
        requests_per_s=parsed(finished["rate"]),
        connections=sum(map(counted, _CLIENTS.findall(text))) or None,
        mode=None if protocol and protocol[1] == "http/1.1" else "multiplexed",
        requests=parsed_whole(requests["done"]),
        duration_us=round(duration) if duration else None,
        bytes_read=parsed_whole(traffic[1]) if traffic else None,
        errors=Errors(
            read=max(0, errored - timeout),
            status=sum(map(counted, statuses.groups())) if statuses else 0,
            timeout=timeout,
        ),
        latency_us=_latency(text),
    )


def _latency(text: str) -> dict[str, float]:
    """Return the times of a request by the column that each stands in; versions have different columns."""
    times = _TIMES.search(text)
    if times is None:
        return {}
    columns = zip(times["head"].split(), times["row"].split(), strict=False)
    return known((COLUMNS[column], time_us(value)) for column, value in columns if column in COLUMNS)
