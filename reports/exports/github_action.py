"""The arrays of github-action-benchmark: its tools customBiggerIsBetter and customSmallerIsBetter. Pure.

A file holds one figure, since all its numbers get better in the same direction. Only rows that were measured are in it.
"""

from __future__ import annotations

import json
from typing import Literal

from reports.exports.columns import Record
from reports.exports.numbers import Numbers

FigureName = Literal["requests_per_s", "server_cpu_us_per_request"]
UNITS: dict[FigureName, str] = {"requests_per_s": "requests/s", "server_cpu_us_per_request": "us/request"}


def to_github_action(numbers: Numbers, figure: FigureName) -> str:
    """Return the array of one figure: requests per second are better bigger, CPU time per request is smaller."""
    entries = [_entry(name, row, figure) for name, row in numbers.measured.items() if row[figure] is not None]
    return json.dumps(entries, indent=1, allow_nan=False) + "\n"


def _entry(name: str, row: Record, figure: FigureName) -> Record:
    reach = _reach(row, figure)
    entry = {"name": f"{name} {figure}", "unit": UNITS[figure], "value": row[figure]}
    return entry | ({} if reach is None else {"range": f"± {reach!r}"}) | {"extra": _extra(row, figure)}


def _reach(row: Record, figure: FigureName) -> float | None:
    """Return how far the interval reaches from the value; its range is a single number, so the farther end counts."""
    value, low, high = (row[name] for name in (figure, f"{figure}_low", f"{figure}_high"))
    if not isinstance(value, float) or not isinstance(low, float) or not isinstance(high, float):
        return None
    return max(high - value, value - low)


def _extra(row: Record, figure: FigureName) -> str:
    low, high, level = (row[f"{figure}_{name}"] for name in ("low", "high", "level"))
    lines = [
        f"run {row['run']}, machine {row['machine']}, started {row['run_started_at'] or 'at an unknown time'}",
        f"{row['trials_valid']} of {row['trials']} trials valid, bound: {row['bound'] or 'unknown'}",
        *([f"interval of the median: {low!r} to {high!r} at level {level!r}"] if level is not None else []),
        *([f"against the baseline: {row['comparison_verdict']}"] if row["comparison_verdict"] else []),
    ]
    return "\n".join(lines)
