"""Exact latency histograms: microseconds -> number of requests.

wrk inflates its histogram at exit ("correction" for coordinated omission); `uncorrected` undoes that exactly, so what
is recorded is what was measured. Histograms of trials and hosts are merged by adding their counts.
"""

from __future__ import annotations

import base64
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction

from runners.errors import BadInput

MOST_BYTES = 8 << 20  # inflated: each latency takes at least two, and no machine shows four million different ones
MOST_BITS = 63  # of a number: a latency of 292,000 years, or as many requests as nobody counts
SAMPLES_ABOVE = 10  # a percentile is stated only if at least this many samples lie above it


def uncorrected(corrected: Mapping[int, int], duration_us: int, requests: int, connections: int) -> dict[int, int]:
    """Return the histogram as measured, given the one that wrk 4.x "corrected" at exit.

    wrk adds every count at n to n-e, n-2e, ... too, as long as those exceed e = duration // (requests // connections).
    Contributions to n thus come only from n + k*e, so one subtraction per value undoes them all. A negative count means
    that the input was not such a histogram; it is kept for the conservation check to find.
    """
    rounds = requests // connections
    if rounds == 0:
        return dict(corrected)
    interval = duration_us // rounds
    measured = {
        value: count - (corrected.get(value + interval, 0) if value > interval else 0)
        for value, count in corrected.items()
    }
    return {value: count for value, count in measured.items() if count}


def merge(histograms: Iterable[Mapping[int, int]]) -> dict[int, int]:
    """Return the sum of histograms; it loses nothing, and their order does not matter."""
    total: Counter[int] = Counter()
    for histogram in histograms:
        total.update(histogram)
    return dict(total)


def percentile_us(histogram: Mapping[int, int], percent: float) -> int | None:
    """Return the smallest latency that at least `percent` % of requests did not exceed, in microseconds.

    None if fewer than ten samples lie above it: such a figure would depend on chance.
    """
    total = sum(histogram.values())
    wanted = total * Fraction(str(percent)) / 100  # exact: a tenth of 100 requests is ten, not 9.99
    if total - wanted < SAMPLES_ABOVE:
        return None
    seen = 0
    for value in sorted(histogram):
        seen += histogram[value]
        if seen >= wanted:
            return value
    return None


def mean_us(histogram: Mapping[int, int]) -> float | None:
    """Return the mean latency in microseconds; None without samples."""
    total = sum(histogram.values())
    return sum(value * count for value, count in histogram.items()) / total if total else None


def encode(histogram: Mapping[int, int]) -> str:
    """Return the histogram as text: deltas of the sorted values and their counts, as varints, deflated, in base64."""
    data = bytearray()
    previous = 0
    for value in sorted(histogram):
        data += _varint(value - previous) + _varint(histogram[value])
        previous = value
    return base64.b64encode(zlib.compress(bytes(data), 9)).decode()


def decode(text: str) -> dict[int, int]:
    """Return the histogram that `encode` wrote; raise BadInput if the text is something else."""
    try:
        numbers = _unvarint(_inflated(base64.b64decode(text, validate=True)))
        histogram: dict[int, int] = {}
        value = 0
        for delta, count in zip(numbers, numbers, strict=True):
            value += delta
            histogram[value] = count
    except (ValueError, zlib.error) as error:
        raise BadInput(f"not a latency histogram: {error}") from error
    return histogram


def _inflated(data: bytes) -> bytes:
    """Return what a zlib stream holds; ValueError if that is more than any histogram of ours, or not all of it."""
    inflating = zlib.decompressobj()
    found = inflating.decompress(data, MOST_BYTES)
    if inflating.unconsumed_tail:
        raise ValueError(f"it is larger than {MOST_BYTES} bytes")
    if not inflating.eof:
        raise ValueError("it does not end")
    return found


def _varint(number: int) -> bytes:
    if number < 0:
        raise ValueError(f"a histogram cannot contain a negative number: {number}")
    groups = []
    while number > 127:
        groups.append(number & 127 | 128)
        number >>= 7
    return bytes([*groups, number])


def _unvarint(data: bytes) -> Iterator[int]:
    number = shift = 0
    for byte in data:
        if shift >= MOST_BITS:
            raise ValueError(f"a number has more than {MOST_BITS} bits")
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            yield number
            number = shift = 0
    if shift:
        raise ValueError("it ends within a number")
