"""How far apart two hosts' clocks are, from questions and answers between them. Pure but for `now_us`.

All times are of monotonic clocks, which nobody sets: a host whose wall clock is wrong still starts on time.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Exchange:
    """One question: asked and answered by the master's clock, read by the worker's in between; microseconds."""

    asked_us: int
    read_us: int
    answered_us: int


@dataclass(frozen=True)
class Offset:
    """The worker's clock less the master's, and by how much that may be wrong at most; microseconds."""

    offset_us: int
    uncertainty_us: int

    def of_worker(self, master_us: int) -> int:
        """Return the worker's time at a time of the master's."""
        return master_us + self.offset_us

    def of_master(self, worker_us: int) -> int:
        """Return the master's time at a time of the worker's."""
        return worker_us - self.offset_us


def now_us() -> int:
    """Return this host's monotonic clock in microseconds."""
    return time.monotonic_ns() // 1000


def estimate(exchanges: Iterable[Exchange]) -> Offset:
    """Return the offset by the quickest exchange: the worker read its clock somewhere between question and answer.

    ValueError where there is none.
    """
    quickest = min(exchanges, key=lambda each: each.answered_us - each.asked_us)
    middle_us = (quickest.asked_us + quickest.answered_us) // 2
    return Offset(quickest.read_us - middle_us, (quickest.answered_us - quickest.asked_us + 1) // 2)
