"""HdrHistogram's percentile distribution (.hgrm): a file per cell, for the plotters that read it. Pure.

The counts are exact, so there is a line for each latency that occurred; values are microseconds. HdrHistogram itself
would group them into buckets first.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping

from reports.exports.numbers import Numbers

HEAD = f"{'Value':>12} {'Percentile':>14} {'TotalCount':>10} {'1/(1-Percentile)':>14}\n\n"


def to_hgrm(numbers: Numbers) -> dict[str, str]:
    """Return the percentile distribution of each cell by the name of its file."""
    return {f"{_file_name(name)}.hgrm": distribution(of) for name, of in numbers.histograms.items() if of}


def distribution(histogram: Mapping[int, int]) -> str:
    """Return the percentile distribution of microseconds -> requests."""
    return HEAD + "".join(_lines(histogram)) + "".join(_footer(histogram))


def _lines(histogram: Mapping[int, int]) -> Iterator[str]:
    total, seen = sum(histogram.values()), 0
    for value in sorted(histogram):
        seen += histogram[value]
        beyond = f"{total / (total - seen):14.2f}" if seen < total else f"{'inf':>14}"
        yield f"{value:12} {seen / total:14.12f} {seen:10} {beyond}\n"


def _footer(histogram: Mapping[int, int]) -> Iterator[str]:
    total = sum(histogram.values())
    mean = sum(value * count for value, count in histogram.items()) / total
    deviation = math.sqrt(sum(count * (value - mean) ** 2 for value, count in histogram.items()) / total)
    yield f"#[Mean    = {mean:12.3f}, StdDeviation   = {deviation:12.3f}]\n"
    yield f"#[Max     = {max(histogram):12}, Total count    = {total:12}]\n"
    yield f"#[Buckets = {1:12}, SubBuckets     = {len(histogram):12}]\n"


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.@+~-]+", "-", name).strip("-.")
