"""What one measurement of somebody else says, and how its figures are read. Unknown is None, whatever is missing.

A file may come from anywhere, so every figure is checked: what is no number, is negative or larger than any machine
could count, is not known.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from runners.records.trial import Errors
from runners.units import printable

MOST = 2.0**63
MOST_CHARACTERS = 120  # of a name
TIMES_US = {
    "ns": 1e-3, "us": 1.0, "µs": 1.0, "μs": 1.0, "ms": 1e3, "s": 1e6, "sec": 1e6, "secs": 1e6, "m": 60e6, "min": 60e6,
    "h": 3600e6,
}  # fmt: skip
SIZES_BYTES = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}  # wrk's KB is what others call KiB
_LATENCY = re.compile(r"mean|min|max|p\d{1,2}(?:\.\d{1,5})?")
_TIME = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(ns|us|µs|μs|ms|secs|sec|s|min|m|h)")
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([kKMGT]?)i?B")


class Unreadable(ValueError):
    """A file has none of the numbers that its format promises; the message says what is missing."""


@dataclass(frozen=True)
class Sample:
    """One measurement: what was loaded, how, and what was counted.

    `pipeline_depth` is how many requests each connection had under way at once. `open_loop` says that requests were
    sent on a schedule, at `offered_per_s` if that is known. `duration_us` is the measured duration, None if only the
    requested one is known. `argv` is the generator's command line as far as the file tells.
    """

    load: str | None
    requests_per_s: float | None
    server: str | None = None
    language: str | None = None
    request: str | None = None
    connections: int | None = None
    mode: str | None = None
    pipeline_depth: int | None = None
    open_loop: bool = False
    offered_per_s: float | None = None
    requests: int | None = None
    duration_us: int | None = None
    bytes_read: int | None = None
    errors: Errors | None = None
    latency_us: Mapping[str, float] = field(default_factory=dict)
    started_at: str | None = None
    argv: tuple[str, ...] = ()


@dataclass(frozen=True)
class Foreign:
    """A file to import: its name, its text, and what it holds if that is JSON."""

    name: str
    text: str
    data: Any = None


def number(value: Any) -> float | None:
    """Return a number that can be a measurement; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < MOST else None


def whole(value: Any) -> int | None:
    """Return a number without a fraction; None for anything else."""
    found = number(value)
    return int(found) if found is not None and found.is_integer() else None


def count(value: Any) -> int:
    """Return a number of errors, rounded up; 0 if none is given, as programs leave out what did not happen."""
    return math.ceil(number(value) or 0)


def parsed(text: str | None) -> float | None:
    """Return a number in a text; None if it is none."""
    try:
        return number(float(text)) if text else None
    except ValueError:
        return None


def parsed_whole(text: str | None) -> int | None:
    """Return a whole number in a text; None if it is none."""
    return whole(parsed(text))


def counted(text: str | None) -> int:
    """Return a number of errors in a text; 0 if there is none."""
    return count(parsed(text))


def name(value: Any) -> str | None:
    """Return a name on one line, harmless on a terminal and not too long; None if there is none."""
    if not isinstance(value, str):
        return None
    return " ".join(printable(value[: 2 * MOST_CHARACTERS]).split())[:MOST_CHARACTERS] or None


def time_us(text: Any) -> float | None:
    """Return a time such as "71.33us", "1m3.5s" or "0.0042 secs" in microseconds."""
    if not isinstance(text, str) or len(text) > MOST_CHARACTERS:
        return None
    parts = _TIME.findall(text)
    if not parts or _TIME.sub("", text).strip():
        return None
    return number(sum(float(value) * TIMES_US[unit] for value, unit in parts))


def size_bytes(text: Any) -> int | None:
    """Return a size such as "1.02GB", which programs round to three digits, in bytes."""
    match = _SIZE.fullmatch(text) if isinstance(text, str) and len(text) < MOST_CHARACTERS else None
    found = number(float(match[1]) * SIZES_BYTES[match[2].lower()]) if match else None
    return None if found is None else round(found)


def known(figures: Iterable[tuple[str, float | None]]) -> dict[str, float]:
    """Return the latencies that are known, by the names that they have in a trial; others are left out."""
    return {key: value for key, value in figures if value is not None and _LATENCY.fullmatch(key)}


def entries(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the objects in a list, or in an object's values; nothing from anything else."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    yield from (item for item in items if isinstance(item, dict))


def table(value: Any) -> dict[str, Any]:
    """Return an object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}
