"""The output of hey. It prints neither its connections nor its rate: say `--connections`, and `--rate` with -q.

Percentiles that too few requests allow are printed as 0, so they are not known. Sizes are those of bodies alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from runners.foreign.sample import Foreign, Sample, Unreadable, counted, known, parsed, time_us
from runners.records.trial import Errors

ENDS = {"Average": "mean", "Fastest": "min", "Slowest": "max"}
_TIMES = re.compile(r"^ +(Total|Slowest|Fastest|Average):\s+(\S+ secs)$", re.MULTILINE)
_RATE = re.compile(r"^ +Requests/sec:\s+(\S+)$", re.MULTILINE)
_PERCENTILE = re.compile(r"^ +(\d{1,2})%{1,2} in (\S+ secs)$", re.MULTILINE)
_STATUS = re.compile(r"^ +\[(\d{3})\]\s+(\d+) responses$", re.MULTILINE)
_ERROR = re.compile(r"^ +\[(\d+)\]\s+(.*)$", re.MULTILINE)


def recognizes(file: Foreign) -> bool:
    """Return whether a file is hey's."""
    return "Latency distribution:" in file.text and "Requests/sec:" in file.text and "Success rate" not in file.text


def samples(file: Foreign) -> Iterator[Sample]:
    """Yield the one measurement in a file."""
    rate = _RATE.search(file.text)
    if rate is None:
        raise Unreadable("hey printed no Requests/sec")
    times = {label: time_us(value) for label, value in _TIMES.findall(file.text)}
    statuses = {status: counted(number) for status, number in _STATUS.findall(file.text)}
    failed = _ERROR.findall(file.text.partition("Error distribution:")[2])
    total = times.get("Total")
    percentiles = ((f"p{percent}", time_us(value) or None) for percent, value in _PERCENTILE.findall(file.text))
    timeouts = sum(counted(number) for number, why in failed if "timeout" in why.lower())
    yield Sample(
        load="hey",
        requests_per_s=parsed(rate[1]),
        requests=sum(statuses.values()),
        duration_us=round(total) if total else None,
        errors=Errors(
            read=sum(counted(number) for number, _ in failed) - timeouts,
            status=sum(number for status, number in statuses.items() if status >= "400"),
            timeout=timeouts,
        ),
        latency_us=known([*((ENDS[label], value) for label, value in times.items() if label in ENDS), *percentiles]),
    )
