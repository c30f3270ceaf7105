"""The output of wrk and wrk2, with or without the command line above it, also as TechEmpower keeps it.

wrk2 sends on a schedule and prints a line about its calibration. What TechEmpower's scripts print between the runs
tells the test's name, and which runs only warm up.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from pathlib import PurePath

from runners.foreign.sample import (
    Foreign,
    Sample,
    Unreadable,
    counted,
    known,
    name,
    parsed,
    parsed_whole,
    size_bytes,
    time_us,
)
from runners.records.trial import Errors

PROGRAMS = ("wrk", "wrk2")
MOST_LINE = 4000  # characters of a command line
MOST_PERCENTILES = 100
MOST_LINES = 50  # above the output, among which it is sought
_RUN = re.compile(r"^Running \S+ test @ (?P<url>\S+)$", re.MULTILINE)
_SHAPE = re.compile(r"^ +(?P<threads>\d+) threads and (?P<connections>\d+) connections$", re.MULTILINE)
_HEADER = re.compile(r"^ +Thread Stats +Avg +Stdev +Max ", re.MULTILINE)
_LATENCY = re.compile(r"^ +Latency +(?P<mean>\S+) +\S+ +(?P<max>\S+) ", re.MULTILINE)
_PERCENTILE = re.compile(r"^ *(?P<percent>\d{1,3}(?:\.\d{1,5})?)% +(?P<value>\d\S*)$", re.MULTILINE)
_TOTAL = re.compile(r"^ +(?P<requests>\d+) requests in (?P<duration>\S+), (?P<read>\S+) read$", re.MULTILINE)
_RATE = re.compile(r"^Requests/sec: +(?P<rate>\S+)", re.MULTILINE)
_SOCKETS = re.compile(r"^ +Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)$", re.MULTILINE)
_STATUSES = re.compile(r"^ +Non-2xx or 3xx responses: (\d+)$", re.MULTILINE)
_TEST = re.compile(r"^ *Concurrency: \d+ for (?P<test>[\w-]+)$", re.MULTILINE)
_WARMS_UP = re.compile(r"^ *Running (Primer|Warmup)\b", re.MULTILINE)
CALIBRATION = "Thread calibration:"


def recognizes(file: Foreign) -> bool:
    """Return whether a file holds output of wrk or wrk2."""
    return _RUN.search(file.text) is not None


def samples(file: Foreign) -> Iterator[Sample]:
    """Yield each run of wrk in a file, without those that only warm up."""
    starts = [match.start() for match in _RUN.finditer(file.text)]
    before = 0
    for start, end in pairwise([*starts, len(file.text)]):
        above, output = file.text[before:start], file.text[start:end]
        before = start
        above = above.rpartition("Requests/sec:")[2]
        if not _WARMS_UP.search(above):
            yield _sample(above, output)


def _sample(above: str, output: str) -> Sample:
    total, rate, shape, url = (form.search(output) for form in (_TOTAL, _RATE, _SHAPE, _RUN))
    if rate is None or url is None:
        raise Unreadable("wrk printed no Requests/sec: it was stopped, or its output is cut off")
    argv, test = command_line(above), _TEST.search(above)
    paced = CALIBRATION in output or _option(argv, "-R", "--rate") is not None
    depth, close = depth_of(argv), any("connection: close" in word.lower() for word in argv)
    duration = time_us(total["duration"]) if total else None
    return Sample(
        load="wrk2" if paced else "wrk",
        requests_per_s=parsed(rate["rate"]),
        request=name(test["test"]) if test else None,
        connections=parsed_whole(shape["connections"]) if shape else None,
        mode="pipelined" if is_pipelined(argv) else "non-persistent" if close else None,
        pipeline_depth=depth,
        open_loop=paced,
        offered_per_s=parsed(_option(argv, "-R", "--rate")),
        requests=parsed_whole(total["requests"]) if total else None,
        duration_us=round(duration) if duration else None,
        bytes_read=size_bytes(total["read"]) if total else None,
        errors=_errors(output),
        latency_us=_latency(output),
        argv=argv or _argv("wrk2" if paced else "wrk", shape, url["url"]),
    )


def _errors(output: str) -> Errors:
    """Return the errors; wrk prints none if there are none."""
    sockets, statuses = _SOCKETS.search(output), _STATUSES.search(output)
    connect, read, write, timeout = map(counted, sockets.groups()) if sockets else (0, 0, 0, 0)
    return Errors(connect, read, write, counted(statuses[1]) if statuses else 0, timeout)


def _latency(output: str) -> dict[str, float]:
    """Return mean, maximum and percentiles; a fork that prints another column than the maximum has no maximum."""
    stats = _LATENCY.search(output) if _HEADER.search(output) else None
    ends = [("mean", time_us(stats["mean"])), ("max", time_us(stats["max"]))] if stats else []
    found = islice(_PERCENTILE.finditer(output), MOST_PERCENTILES)
    percents = [(float(match["percent"]), time_us(match["value"])) for match in found]
    return known([*ends, *((f"p{percent:g}", value) for percent, value in percents if percent < 100)])


def command_line(above: str) -> tuple[str, ...]:
    """Return the last command line of wrk in the text above its output; empty if there is none."""
    for line in reversed(above.splitlines()[-MOST_LINES:]):
        if "wrk" in line and len(line) < MOST_LINE:
            try:
                words = shlex.split(line.replace("$", " ", 1))
            except ValueError:
                continue
            found = next((place for place, word in enumerate(words) if PurePath(word).name in PROGRAMS), None)
            if found is not None and len(words) > found + 1:
                return tuple(words[found:])
    return ()


def is_pipelined(argv: Sequence[str]) -> bool:
    """Return whether a command line runs a script named after pipelining, as wrk's own and TechEmpower's are."""
    return any("pipeline" in PurePath(word).name and word.endswith(".lua") for word in argv)


def depth_of(argv: Sequence[str]) -> int | None:
    """Return the depth that a script for pipelining is given behind "--"; None if it is not told."""
    after = argv[argv.index("--") + 1 :] if "--" in argv else ()
    return parsed_whole(after[-1]) if after and is_pipelined(argv) else None


def _option(argv: Sequence[str], *names: str) -> str | None:
    for word, after in pairwise((*argv, "")):
        for option in names:
            if word == option:
                return after
            if word.startswith(option) and word != option:
                return word.removeprefix(option).removeprefix("=")
    return None


def _argv(program: str, shape: re.Match[str] | None, url: str) -> tuple[str, ...]:
    """Return the options that the output shows, as a command line."""
    return (program, "-t", shape["threads"], "-c", shape["connections"], url) if shape else ()
