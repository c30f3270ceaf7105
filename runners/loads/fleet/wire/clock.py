"""Estimates how far apart two hosts' clocks are, from questions and answers between them. Pure except for `now_us`.

All times are of monotonic clocks, which are never set: a host whose wall clock is wrong still starts on time.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Exchange:
    """One question: asked and answered by the master's clock, read by the worker's in between, in microseconds."""

    asked_us: int
    read_us: int
    answered_us: int


@dataclass(frozen=True)
class Offset:
    """The worker's clock minus the master's, and the largest possible error of that, in microseconds."""

    offset_us: int
    uncertainty_us: int

    def of_worker(self, master_us: int) -> int:
        """Return the time on the worker's clock at a time on the master's."""
        return master_us + self.offset_us

    def of_master(self, worker_us: int) -> int:
        """Return the time on the master's clock at a time on the worker's."""
        return worker_us - self.offset_us


def now_us() -> int:
    """Return this host's monotonic clock in microseconds."""
    return time.monotonic_ns() // 1000


def estimate(exchanges: Iterable[Exchange]) -> Offset:
    """Return the offset from the quickest exchange: the worker read its clock somewhere between question and answer.

    Raise ValueError without an exchange.
    """
    quickest = min(exchanges, key=lambda each: each.answered_us - each.asked_us)
    middle_us = (quickest.asked_us + quickest.answered_us) // 2
    return Offset(quickest.read_us - middle_us, (quickest.answered_us - quickest.asked_us + 1) // 2)
