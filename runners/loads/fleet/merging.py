"""Adds up what the clients of a fleet counted: exact histograms by addition, the rate from the common window. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from runners.loads.base import LoadResult
from runners.records.trial import ClientHost, Errors
from runners.stats.histogram import merge

EDGE_S = 0.5  # cut off both ends of the time in which all clients generate load, if it is long enough
EDGE_SHARE = 0.1  # this share of it is cut off instead if it is not

Points = Sequence[tuple[int, int]]
Parse = Callable[[str, int, int], LoadResult]


def merged(told: Sequence[Mapping[str, Any]], parse: Parse, *, punctual: bool = False) -> LoadResult:
    """Return the fleet's result from what each client reported.

    `parse` reads a generator's output, given its connections and threads. Raise KeyError, TypeError or ValueError if a
    client reported nonsense. `punctual` generators count from one given moment to another, so that the common window is
    the whole time.
    """
    results = [parse(each["output"], each["connections"], each["threads"]) for each in told]
    for each, result in zip(told, results, strict=True):
        if result.requests < 0 or result.duration_us <= 0:
            raise ValueError(f"{each['name']}: {result.requests} requests in {result.duration_us} us")
    first_us = min(each["started_us"] for each in told)
    window = common_window(told, [result.duration_us for result in results], punctual=punctual)
    clients = tuple(
        _client(each, result, first_us, None if punctual else window)
        for each, result in zip(told, results, strict=True)
    )
    known = [result.latency for result in results if result.latency is not None]
    return LoadResult(
        requests=sum(result.requests for result in results),
        duration_us=round(sum(result.duration_us for result in results) / len(results)),
        bytes_read=_sum([result.bytes_read for result in results]),
        errors=sum_errors([result.errors for result in results]),
        latency=merge(known) if len(known) == len(results) else None,
        client_cpu_us=_sum([result.client_cpu_us for result in results]),
        uncounted=sum(result.uncounted for result in results),
        counted_twice=all(result.counted_twice for result in results),
        clients=clients,
        window_us=window,
        window_per_s=None if punctual else _window_per_s(clients, window),
    )


def common_window(
    told: Sequence[Mapping[str, Any]], durations_us: Sequence[int], *, punctual: bool = False
) -> tuple[int, int] | None:
    """Return the middle of the time in which all clients generate load, by the master's clock; None without one."""
    begin = max(each["started_us"] for each in told)
    end = min(each["started_us"] + duration_us for each, duration_us in zip(told, durations_us, strict=True))
    edge = 0.0 if punctual else edge_us(end - begin)
    return (round(begin + edge), round(end - edge)) if end > begin else None


def edge_us(duration_us: float) -> float:
    """Return how much to cut off both ends of a duration, in microseconds."""
    return min(EDGE_S * 1e6, EDGE_SHARE * duration_us)


def _since_start(told: Mapping[str, Any]) -> Points:
    """Return what a client's host has sent since its load began; the count from just before still holds then."""
    counted = [(moment, sent) for moment, sent in told["samples"]]
    first = [(told["started_us"], counted[0][1])] if counted else []
    return first + [(moment, sent) for moment, sent in counted[1:] if moment > told["started_us"]]


def at(points: Points, moment_us: int) -> float | None:
    """Return a counter's value at a moment, interpolated linearly between two samples; None outside of them."""
    for (low, below), (high, above) in itertools.pairwise(points):
        if low <= moment_us <= high and high > low:
            return below + (above - below) * (moment_us - low) / (high - low)
    return None


def _in_window(points: Points, requests: int, window: tuple[int, int] | None) -> float | None:
    """Return how many of a client's requests fell into the window, None if that is not known.

    Their share is that of the kernel's counter, which includes the host's other traffic inside and outside the window.
    """
    if window is None or not points:
        return None
    low, high, total = at(points, window[0]), at(points, window[1]), points[-1][1] - points[0][1]
    return None if low is None or high is None or total <= 0 else requests * (high - low) / total


def _client(told: Mapping[str, Any], result: LoadResult, first_us: int, window: tuple[int, int] | None) -> ClientHost:
    points = _since_start(told)
    within = _in_window(points, result.requests, window)
    return ClientHost(
        name=told["name"],
        connections=told["connections"],
        threads=told["threads"],
        cpus=told["facts"]["cpus"],
        requests=result.requests,
        duration_us=result.duration_us,
        window_requests=None if within is None else round(within),
        started_us=told["started_us"] - first_us,
        errors=result.errors.total,
        segments_sent=told["tcp"].get("TCPOrigDataSent"),
        segments_lost=_lost(told["tcp"]),
        cpu_us=result.client_cpu_us,
        thread_share=told["thread_share"],
        wait_share=told["wait_share"],
        host_share=told["host_share"],
        clock_offset_us=told["clock_offset_us"],
        clock_uncertainty_us=told["clock_uncertainty_us"],
        clock_drift_us=told["clock_drift_us"],
    )


def _lost(tcp: Mapping[str, int]) -> int | None:
    known = [tcp[name] for name in ("TCPSynRetrans", "RetransSegs", "TCPTimeouts") if name in tcp]
    return sum(known) if known else None


def _window_per_s(clients: Sequence[ClientHost], window: tuple[int, int] | None) -> float | None:
    within = _sum([client.window_requests for client in clients])
    return None if within is None or window is None else within / (window[1] - window[0]) * 1e6


def sum_errors(errors: Sequence[Errors]) -> Errors:
    """Return the errors of all clients, added up by kind."""
    return Errors(**{field.name: sum(getattr(each, field.name) for each in errors) for field in fields(Errors)})


def _sum(values: Sequence[float | None]) -> Any:
    """Return the sum; None if any part is unknown."""
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None
