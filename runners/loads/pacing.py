"""Was a paced load really paced, and how long would each request have taken if sent on time? Pure.

Works on a log of requests that were due at a constant rate, over any number of connections. The log does not say which
connection a request belongs to, so the starts, in order, are compared with the due times, in order. The sum of all
delays is still exact. A generator sends in ticks, so only a request that is more than one tick late counts as late.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

TICK_US = 10_000  # h2load's shortest
SETTLED = 10  # the tenth of requests that were earliest relative to the schedule says when it began


@dataclass(frozen=True)
class Request:
    """One line of the log: when it was sent (microseconds since 1970), its status (-1: broken), and its latency."""

    start_us: int
    status: int
    latency_us: int


@dataclass(frozen=True)
class Pacing:
    """How well a load was paced: requests more than a tick late, how late the latest was, and how they were bunched.

    `bunching` is the variance of the number of requests sent in a millisecond, divided by its mean: 0 for a metronome,
    1 for independent arrivals, the number of connections if all of them send at once.
    """

    late: int
    late_max_us: int
    bunching: float


def read_requests(log: bytes) -> list[Request]:
    """Return the requests of a log in the order of their start; raise ValueError if any line but the last is torn."""
    lines = log.split(b"\n")
    if lines.pop() and not lines:
        raise ValueError("it has no complete line")
    rows = (line.split(b"\t") for line in lines)
    return sorted((Request(int(start), int(status), int(took)) for start, status, took in rows), key=_start)


def _start(request: Request) -> int:
    return request.start_us


def window_of(requests: Sequence[Request], after_s: float, length_s: float) -> list[Request]:
    """Return the requests sent in the `length_s` seconds that begin `after_s` seconds after the first request."""
    if not requests:
        return []
    begin = requests[0].start_us + round(after_s * 1e6)
    end = begin + round(length_s * 1e6)
    return [request for request in requests if begin <= request.start_us < end]


def pacing_of(requests: Sequence[Request], rate_per_s: float, connections: int) -> tuple[list[Request], Pacing]:
    """Return the requests, each with its delay in sending added to its latency, and how well they were paced."""
    lags = _lags_us(requests, rate_per_s)
    tick_us = max(TICK_US, connections / rate_per_s * 1e6)
    late = [lag if lag > tick_us else 0 for lag in lags]
    corrected = [
        replace(request, latency_us=request.latency_us + lag) if lag else request
        for request, lag in zip(requests, late, strict=True)
    ]
    return corrected, Pacing(sum(lag > 0 for lag in late), max(late, default=0), bunching(requests))


def _lags_us(requests: Sequence[Request], rate_per_s: float) -> list[int]:
    """Return how late each request was sent compared with the schedule, in the order of their start."""
    against = [request.start_us - number * 1e6 / rate_per_s for number, request in enumerate(requests)]
    begin = statistics.quantiles(against, n=SETTLED)[0] if len(against) > 1 else sum(against)
    return [round(at - begin) for at in against]


def bunching(requests: Sequence[Request]) -> float:
    """Return variance / mean of the number of requests sent in each millisecond from the first to the last."""
    if not requests:
        return 0.0
    first, last = requests[0].start_us, requests[-1].start_us
    counts = Counter((request.start_us - first) // 1000 for request in requests)
    milliseconds = (last - first) // 1000 + 1
    mean = len(requests) / milliseconds
    return sum(count * count for count in counts.values()) / len(requests) - mean
