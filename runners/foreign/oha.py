"""The output of oha, as text and as JSON.

Its rate counts every request that ended, also those that failed and those that the end of the run cut off, so here the
answered ones' share of it is taken. What the end cut off is no error. Sizes are those of bodies alone, so they are left
out. oha does not print its options: say `--connections`, and `--rate` for a run with -q.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from runners.foreign.sample import (
    TIMES_US,
    Foreign,
    Sample,
    Unreadable,
    count,
    counted,
    known,
    number,
    parsed,
    table,
)
from runners.records.trial import Errors

DEADLINE = "aborted due to deadline"
ENDS = {"average": "mean", "fastest": "min", "slowest": "max"}
UNITS_US = {**TIMES_US, "hr": TIMES_US["h"], "10 sec": 10 * TIMES_US["s"], "10 min": 10 * TIMES_US["m"]}
_UNIT = r"(ns|us|ms|secs|sec|min|hr|10 sec|10 min)$"  # it chooses one for all times
_TIME = re.compile(rf"^ +(Total|Slowest|Fastest|Average):\s+([\d.]+) {_UNIT}", re.MULTILINE)
_RATE = re.compile(r"^ +Requests/sec:\s+(\S+)$", re.MULTILINE)
_PERCENTILE = re.compile(rf"^ +(\d{{1,2}}(?:\.\d{{1,4}})?)% in ([\d.]+) {_UNIT}", re.MULTILINE)
_STATUS = re.compile(r"^ +\[(\d{3})\] (\d+) responses$", re.MULTILINE)
_ERROR = re.compile(r"^ +\[(\d+)\] (.*)$", re.MULTILINE)


def recognizes(file: Foreign) -> bool:
    """Return whether a file is oha's."""
    if isinstance(file.data, dict):
        return "requestsPerSec" in table(file.data.get("summary"))
    return "Success rate:" in file.text and "Requests/sec:" in file.text


def samples(file: Foreign) -> Iterator[Sample]:
    """Yield the one measurement in a file."""
    yield _of_json(file.data) if isinstance(file.data, dict) else _of_text(file.text)


def _of_json(data: dict[str, Any]) -> Sample:
    summary, statuses = table(data.get("summary")), table(data.get("statusCodeDistribution"))
    percentiles = table(data.get("latencyPercentiles")).items()
    return _sample(
        printed_rate=number(summary.get("requestsPerSec")),
        total_us=_us(summary.get("total")),
        statuses={key: count(value) for key, value in statuses.items()},
        errors={key: count(value) for key, value in table(data.get("errorDistribution")).items()},
        latency_us=known([*((name, _us(summary.get(key))) for key, name in ENDS.items()), *_all_us(percentiles)]),
    )


def _all_us(seconds: Any) -> Iterator[tuple[str, float | None]]:
    yield from ((key, _us(value)) for key, value in seconds)


def _us(seconds: Any) -> float | None:
    found = number(seconds)
    return None if found is None else number(found * 1e6)


def _of_text(text: str) -> Sample:
    times = {label.lower(): _scaled(value, unit) for label, value, unit in _TIME.findall(text)}
    rate, errors = _RATE.search(text), text.partition("Error distribution:")[2]
    if rate is None:
        raise Unreadable("oha printed no Requests/sec")
    all_answers = text.partition("Response time distribution:")[2].partition("\n\n")[0]  # others are of some statuses
    percentiles = ((f"p{float(of):g}", _scaled(value, unit)) for of, value, unit in _PERCENTILE.findall(all_answers))
    return _sample(
        printed_rate=parsed(rate[1]),
        total_us=times.get("total"),
        statuses={status: counted(answers) for status, answers in _STATUS.findall(text)},
        errors={why: counted(failures) for failures, why in _ERROR.findall(errors)},
        latency_us=known([*((name, times.get(key)) for key, name in ENDS.items()), *percentiles]),
    )


def _scaled(value: str, unit: str) -> float | None:
    found = parsed(value)
    return None if found is None else number(found * UNITS_US[unit])


def _sample(
    *,
    printed_rate: float | None,
    total_us: float | None,
    statuses: Mapping[str, int],
    errors: Mapping[str, int],
    latency_us: dict[str, float],
) -> Sample:
    answered, ended = sum(statuses.values()), sum(errors.values())
    failed = sum(failures for why, failures in errors.items() if why.strip() != DEADLINE)
    timeouts = sum(failures for why, failures in errors.items() if "timeout" in why.lower())
    share = answered / (answered + ended) if answered + ended else 1.0
    return Sample(
        load="oha",
        requests_per_s=None if printed_rate is None else printed_rate * share,
        requests=answered,
        duration_us=round(total_us) if total_us else None,
        errors=Errors(
            read=failed - timeouts,
            status=sum(answers for status, answers in statuses.items() if status >= "400"),
            timeout=timeouts,
        ),
        latency_us=latency_us,
    )
