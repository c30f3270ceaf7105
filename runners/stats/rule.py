"""The rule by which rows are said to differ from their baseline. Pure.

A family is one table, number of threads and of connections, mode and figure; `rows` of it are compared with its
baseline, twins excluded. What the plan says of the blocks fixes at which numbers of them it is looked whether that is
enough. A row is called different if and only if its exact interval at level 1 - 0.05 / (rows x looks) lies wholly
outside the margin. By Bonferroni's inequality all intervals of all looks then hold together at 95 %, whichever look was
the last. With fewer blocks than that level needs there is no interval, and no verdict.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from runners.stats.statistics import (
    Answer,
    Estimate,
    Judgement,
    attainable_level,
    blocks_for_level,
    family_level,
    judge,
    ratio,
)

LOOKS = (12, 20, 40)  # blocks
MARGINS = {"duet": 0.002, "solo": 0.01}  # differences up to these are none
Design = Literal["solo", "duet"]


def looks_of(least: int, most: int) -> tuple[int, ...]:
    """Return at which numbers of blocks it is decided whether more are needed: the least, the most, some between."""
    least = max(1, min(least, most))
    return tuple(sorted({least, *(look for look in LOOKS if least < look < most), max(least, most)}))


def last_look(done: int, looks: Sequence[int]) -> int:
    """Return the last look at which so many blocks have arrived; 0 before the first."""
    return max((look for look in looks if look <= done), default=0)


def bias_of(twin: Sequence[float]) -> float:
    """Return how far from 1 the twin's ratio may lie, as a share, if it is not 1; else 0, however wide its interval."""
    found = ratio(twin).interval if twin else None
    return 0.0 if found is None or found.low <= 1 <= found.high else max(found.high, 1 / found.low) - 1


@dataclass(frozen=True)
class Rule:
    """How the rows of a family are judged; `bias` is how far its baseline may differ from its own twin, as a share."""

    design: Design
    rows: int
    looks: int
    bias: float = 0.0

    @property
    def level(self) -> float:
        """Return the level of each interval, at which those of all rows and looks hold together."""
        return family_level(self.rows * self.looks)

    @property
    def margin(self) -> float:
        """Return the difference that must be exceeded, as a share."""
        return max(MARGINS[self.design], self.bias)

    @property
    def blocks(self) -> int:
        """Return how many blocks the level needs."""
        return blocks_for_level(self.level)

    def estimate(self, logs: Sequence[float]) -> Estimate | None:
        """Return the ratio with its interval; no interval if the blocks are too few, and None without any."""
        return ratio(logs, self.level) if logs else None

    def judge(self, estimate: Estimate, above: Answer, below: Answer) -> Judgement:
        """Return the verdict on a ratio, and how many more blocks may resolve it."""
        if estimate.interval is None:
            return Judgement("not resolved", max(1, self.blocks - estimate.count))
        return judge(estimate, above, below, self.margin, self.bias)

    def resolves(self, estimate: Estimate) -> float | None:
        """Return the smallest difference that could be resolved, as a share: half the interval, and the margin."""
        found = estimate.interval
        return None if found is None else math.sqrt(found.high / found.low) - 1 + self.margin


def twin_estimate(logs: Sequence[float]) -> Estimate | None:
    """Return the twin's ratio, at 95 % or what its blocks allow; None without any."""
    return ratio(logs, attainable_level(len(logs), family_level(1))) if logs else None
