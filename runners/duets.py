"""A duet's figure: the CPU time of one server's request over that of its partner's, in the same moments. Pure.

Both servers are looked at together, fifty times a second. In each window between two looks the cost per request of
either side follows from the scheduler's run time and the kernel's count of segments; what disturbs the machine
disturbs both, and cancels in their ratio. The Hodges-Lehmann estimate over the windows keeps a disturbance that hits
one side alone from counting for more than its windows.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

from runners.records import Evidence, Glances, Series, Trial
from runners.statistics import hodges_lehmann

LEAST_REQUESTS = 50  # in a window; with fewer, one request more or less is noise of its own
LEAST_WINDOWS = 4

Spent = tuple[float, float]  # CPU microseconds, requests


def with_cost_ratios(first: Trial, second: Trial) -> tuple[Trial, Trial]:
    """Return the two trials of a duet with the log of their cost ratio, each against its partner."""
    log_ratio = log_cost_ratio(first, second)
    if log_ratio is None:
        return first, second
    return replace(first, cost_log_ratio=log_ratio), replace(second, cost_log_ratio=-log_ratio)


def log_cost_ratio(mine: Trial, theirs: Trial) -> float | None:
    """Return ln(my CPU time per request / theirs): over windows where they hold enough, else over the whole trial."""
    if mine.evidence is None or theirs.evidence is None:
        return None
    windows = window_log_ratios(mine.evidence, theirs.evidence)
    if len(windows) >= LEAST_WINDOWS:
        return hodges_lehmann(windows).value
    costs = (mine.server_cpu_us_per_request, theirs.server_cpu_us_per_request)
    return math.log(costs[0] / costs[1]) if costs[0] and costs[1] else None


def window_log_ratios(mine: Evidence, theirs: Evidence) -> list[float]:
    """Return the log cost ratio of each window in which both sides answered enough.

    Slow servers answer too little between two glances, so that their windows are those between samples.
    """
    fine = _log_ratios(_windows(mine, mine.glances), _windows(theirs, theirs.glances))
    if len(fine) >= LEAST_WINDOWS:
        return fine
    return _log_ratios(_windows(mine, mine.series), _windows(theirs, theirs.series))


def _log_ratios(mine: Sequence[Spent], theirs: Sequence[Spent]) -> list[float]:
    return [
        math.log((my_us / my_requests) / (their_us / their_requests))
        for (my_us, my_requests), (their_us, their_requests) in zip(mine, theirs, strict=False)
        if min(my_requests, their_requests) >= LEAST_REQUESTS and my_us > 0 and their_us > 0
    ]


def _windows(evidence: Evidence, looks: Glances | Series) -> list[Spent]:
    """Return CPU microseconds and requests of each window; none where the network is shared with others.

    How many segments a request takes is the whole trial's own exact figure, so that it need not be assumed.
    """
    sent = evidence.tcp.get("TCPOrigDataSent")
    if not sent or evidence.network == "host":
        return []
    requests_per_segment = evidence.served / sent
    points = zip(looks.server_run_us, looks.segments, strict=True)
    whole = [(run_us, segments) for run_us, segments in points if run_us is not None and segments is not None]
    if len(whole) != len(looks.at_us):
        return []
    return [
        (run1 - run0, (segments1 - segments0) * requests_per_segment)
        for (run0, segments0), (run1, segments1) in itertools.pairwise(whole)
    ]
