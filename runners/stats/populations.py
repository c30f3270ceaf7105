"""Do a server's starts fall into two groups? One figure for both would belong to neither. Pure.

The values are split at their widest gap. The two parts must lie far apart for their own spread (Ashman's D: the
difference of the means over the root mean square of the standard deviations). Any split of one population looks like
two to some degree; the limit is what about one in a thousand samples of 12 to 40 normal, Laplace or t(2) values exceed.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

LEAST = 12  # starts
LEAST_SHARE = 0.25  # of the starts, in either group: fewer are outliers
APART = 7.0  # Ashman's D
VISIBLE = math.log(1.03)  # groups that are closer do not matter


@dataclass(frozen=True)
class Populations:
    """Two groups of starts: how many each has, and the mean of their logarithms."""

    low: float
    lows: int
    high: float
    highs: int

    @property
    def groups(self) -> tuple[tuple[float, int], tuple[float, int]]:
        """Return the mean and the size of each."""
        return (self.low, self.lows), (self.high, self.highs)


def two_populations(logs: Sequence[float]) -> Populations | None:
    """Return the two groups into which the logarithms of starts' values clearly fall; None if they do not."""
    ordered = sorted(logs)
    fewest = max(2, math.ceil(LEAST_SHARE * len(ordered)))
    if len(ordered) < LEAST:
        return None
    splits = [(ordered[:at], ordered[at:]) for at in range(fewest, len(ordered) - fewest + 1)]
    low, high = max(splits, key=lambda parts: parts[1][0] - parts[0][-1])
    apart = statistics.fmean(high) - statistics.fmean(low)
    spread = math.sqrt((statistics.variance(low) + statistics.variance(high)) / 2)
    if apart < VISIBLE or apart <= APART * spread:
        return None
    return Populations(statistics.fmean(low), len(low), statistics.fmean(high), len(high))
