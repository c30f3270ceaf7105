"""The output of oha, as text and as JSON.

Requests that were under way when the time was up are no errors. Sizes are those of bodies alone, so they are left out.
oha does not print its options: say `--rate` for a run with -q.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from runners.foreign.sample import Foreign, Sample, Unreadable, count, counted, known, number, parsed, table, time_us
from runners.records.trial import Errors

DEADLINE = "aborted due to deadline"
ENDS = {"average": "mean", "fastest": "min", "slowest": "max"}
_TIMES = re.compile(r"^ +(Total|Slowest|Fastest|Average):\s+(\S+ (?:ns|us|µs|ms|sec|secs|s|min|m|h))$", re.MULTILINE)
_RATE = re.compile(r"^ +Requests/sec:\s+(\S+)$", re.MULTILINE)
_PERCENTILE = re.compile(r"^ +(\d{1,2}(?:\.\d{1,4})?)% in (\S+ \w+)$", re.MULTILINE)
_LINE = re.compile(r"^ +\[(\d{3})\] (\d+) responses$", re.MULTILINE)
_ERROR = re.compile(r"^ +\[(\d+)\] (.*)$", re.MULTILINE)


def recognizes(file: Foreign) -> bool:
    """Return whether a file is oha's."""
    data = table(file.data)
    return (
        "requestsPerSec" in table(data.get("summary"))
        or ("Success rate:" in file.text and "Requests/sec:" in file.text)
    )  # fmt: skip


def samples(file: Foreign) -> Iterator[Sample]:
    """Yield the one measurement in a file."""
    yield _of_json(table(file.data)) if table(file.data) else _of_text(file.text)


def _of_json(data: dict[str, Any]) -> Sample:
    summary, statuses = table(data.get("summary")), table(data.get("statusCodeDistribution"))
    percentiles = table(data.get("latencyPercentiles")).items()
    seconds = [*((ENDS[key], summary.get(key)) for key in ENDS), *percentiles]
    return _sample(
        rate=number(summary.get("requestsPerSec")),
        total_us=_us(summary.get("total")),
        statuses={key: count(value) for key, value in statuses.items()},
        errors={key: count(value) for key, value in table(data.get("errorDistribution")).items()},
        latency_us=known((key, _us(value)) for key, value in seconds),
    )


def _us(seconds: Any) -> float | None:
    found = number(seconds)
    return None if found is None else number(found * 1e6)


def _of_text(text: str) -> Sample:
    times = {label.lower(): time_us(value) for label, value in _TIMES.findall(text)}
    rate, errors = _RATE.search(text), text.partition("Error distribution:")[2]
    if rate is None:
        raise Unreadable("oha printed no Requests/sec")
    percentiles = ((f"p{float(percent):g}", time_us(value)) for percent, value in _PERCENTILE.findall(text))
    return _sample(
        rate=parsed(rate[1]),
        total_us=times.get("total"),
        statuses={status: counted(number_) for status, number_ in _LINE.findall(text)},
        errors={why: counted(number_) for number_, why in _ERROR.findall(errors)},
        latency_us=known([*((ENDS[label], value) for label, value in times.items() if label in ENDS), *percentiles]),
    )


def _sample(
    *,
    rate: float | None,
    total_us: float | None,
    statuses: dict[str, int],
    errors: dict[str, int],
    latency_us: dict[str, float],
) -> Sample:
    failed = sum(number_ for why, number_ in errors.items() if why.strip() != DEADLINE)
    timeouts = sum(number_ for why, number_ in errors.items() if "timeout" in why.lower())
    return Sample(
        load="oha",
        requests_per_s=rate,
        requests=sum(statuses.values()),
        duration_us=round(total_us) if total_us else None,
        errors=Errors(
            read=failed - timeouts,
            status=sum(number_ for status, number_ in statuses.items() if status >= "400"),
            timeout=timeouts,
        ),
        latency_us=latency_us,
    )
