"""The Go benchmark format (golang/proposal design/14313), a line per trial, for benchstat and its relatives. Pure.

Only trials that count are in it, twins excepted: to benchstat they would be more trials of the baseline. Of a run, only
what two runs to be compared have in common is a configuration line, since benchstat compares nothing across lines that
differ; the rest is a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from reports.exports.columns import Record
from reports.exports.numbers import Numbers

UNITS = {  # column -> unit of the format, and which is better
    "requests_per_s": ("requests/s", "higher"),
    "server_cpu_us_per_request": ("server-cpu-us/request", "lower"),
    "client_cpu_us_per_request": ("client-cpu-us/request", "lower"),
    "machine_cpu_us_per_request": ("machine-cpu-us/request", "lower"),
    "rss_bytes": ("rss-B", "lower"),
    "latency_p50_us": ("latency-p50-us", "lower"),
    "latency_p99_us": ("latency-p99-us", "lower"),
}
# The last is text: a name that ended with a number would be read as one with GOMAXPROCS.
KEYS = ("server", "variant", "threads", "connections", "mode", "request", "design", "offered_per_s", "load")


def to_benchstat(numbers: Numbers) -> str:
    """Return the trials as Go benchmark results."""
    units = (f"Unit {unit} better={better}" for unit, better in UNITS.values())
    runs = groupby(numbers.trials.records, lambda trial: trial["run"])
    return "\n".join([*units, *(line for _, trials in runs for line in _run(list(trials)))]) + "\n"


def _run(trials: Sequence[Record]) -> Iterator[str]:
    first, shown = trials[0], [trial for trial in trials if trial["counts"] and not trial["twin"]]
    yield f"# run {_word(first['run'])}, started {first['run_started_at'] or 'at an unknown time'}:"
    yield f"# {sum(bool(trial['counts']) for trial in trials)} of {len(trials)} trials count"
    yield from (f"{key}: {_line(first[key])}" for key in ("machine", "cpu") if first[key])
    yield from map(_result, shown)


def _result(trial: Record) -> str:
    name = "".join(f"/{key}={_word(trial[key])}" for key in KEYS if trial[key] is not None)
    values = ((trial[column], unit) for column, (unit, _) in UNITS.items())
    figures = (f"{value!r} {unit}" for value, unit in values if value is not None)
    return " ".join((f"BenchmarkHTTP{name}", str(trial["requests"] or 1), *figures))


def _word(value: object) -> str:
    """Return a value as part of a name, which has neither spaces nor slashes of its own."""
    return re.sub(r"[^\w.:@+-]+", "_", str(value))


def _line(value: object) -> str:
    return " ".join(str(value).split())
