"""The output of bombardier, as text and as JSON.

The text's rate is the mean of rates that were sampled, and its duration the requested one: requests / duration would be
another number, so the duration is not known. The JSON has the time that was taken. Its throughput counts both
directions, so bytes are not known.
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

_BOMBARDING = re.compile(r"^Bombarding \S+ .*using (?P<connections>\d+) connection", re.MULTILINE)
_RATE = re.compile(r"^ +Reqs/sec +(\S+)", re.MULTILINE)
_LATENCY = re.compile(r"^ +Latency +(?P<mean>\S+) +\S+ +(?P<max>\S+)$", re.MULTILINE)
_PERCENTILE = re.compile(r"^ +(\d{1,2})% +(\S+)$", re.MULTILINE)
_CODES = re.compile(r"1xx - (\d+), 2xx - (\d+), 3xx - (\d+), 4xx - (\d+), 5xx - (\d+)")
_OTHERS = re.compile(r"^ +others - (\d+)$", re.MULTILINE)


def recognizes(file: Foreign) -> bool:
    """Return whether a file is bombardier's."""
    data = table(file.data)
    is_json = "numberOfConnections" in table(data.get("spec")) and isinstance(data.get("result"), dict)
    return is_json or _BOMBARDING.search(file.text) is not None


def samples(file: Foreign) -> Iterator[Sample]:
    """Yield the one measurement in a file."""
    data = table(file.data)
    yield _of_json(table(data.get("spec")), table(data["result"])) if data else _of_text(file.text)


def _of_text(text: str) -> Sample:
    shape, rate, latency, codes, others = (
        form.search(text) for form in (_BOMBARDING, _RATE, _LATENCY, _CODES, _OTHERS)
    )  # fmt: skip
    if rate is None:
        raise Unreadable("bombardier printed no Reqs/sec")
    ends = [("mean", time_us(latency["mean"])), ("max", time_us(latency["max"]))] if latency else []
    percentiles = [(f"p{percent}", time_us(value)) for percent, value in _PERCENTILE.findall(text)]
    found = [counted(each) for each in codes.groups()] if codes else []
    return Sample(
        load="bombardier",
        requests_per_s=parsed(rate[1]),
        connections=parsed_whole(shape["connections"]) if shape else None,
        requests=sum(found) if found else None,
        errors=Errors(read=counted(others[1]) if others else 0, status=sum(found[3:])) if codes else None,
        latency_us=known([*ends, *percentiles]),
    )


def _of_json(spec: dict[str, Any], result: dict[str, Any]) -> Sample:
    codes = [count(result.get(f"req{kind}xx")) for kind in range(1, 6)]
    seconds, latency = number(result.get("timeTakenSeconds")), table(result.get("latency"))
    percentiles = table(latency.get("percentiles"))
    rate = number(spec.get("rate"))
    return Sample(
        load="bombardier",
        requests_per_s=sum(codes) / seconds if seconds else number(table(result.get("rps")).get("mean")),
        connections=whole(spec.get("numberOfConnections")),
        open_loop=rate is not None,
        offered_per_s=rate,
        requests=sum(codes),
        duration_us=round(seconds * 1e6) if seconds else None,
        bytes_read=whole(result.get("bytesRead")),
        errors=Errors(read=count(result.get("others")), status=sum(codes[3:])),
        latency_us=known(
            [
                *((end, number(latency.get(end))) for end in ("mean", "max")),
                *((f"p{key}", number(value)) for key, value in percentiles.items()),
            ]
        ),
    )
