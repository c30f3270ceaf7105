"""Bencher Metric Format: benchmark -> measure -> value with its bounds. Pure.

Only rows that were measured are in it. Measures are named with their units.
"""

from __future__ import annotations

import json

from reports.exports.columns import Record
from reports.exports.numbers import Numbers

MEASURES = {  # column -> measure
    "requests_per_s": "requests-per-s",
    "server_cpu_us_per_request": "server-cpu-us-per-request",
    "client_cpu_us_per_request": "client-cpu-us-per-request",
    "machine_cpu_us_per_request": "machine-cpu-us-per-request",
    "rss_bytes": "rss-bytes",
}


def to_bmf(numbers: Numbers) -> str:
    """Return the measured rows in Bencher Metric Format."""
    benchmarks = {name: _measures(row) for name, row in numbers.measured.items()}
    return json.dumps(benchmarks, indent=1, allow_nan=False) + "\n"


def _measures(row: Record) -> dict[str, Record]:
    return {measure: _metric(row, column) for column, measure in MEASURES.items() if row[column] is not None}


def _metric(row: Record, column: str) -> Record:
    bounds = {"lower_value": row.get(f"{column}_low"), "upper_value": row.get(f"{column}_high")}
    return {"value": row[column]} | {name: bound for name, bound in bounds.items() if bound is not None}
