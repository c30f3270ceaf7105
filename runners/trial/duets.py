"""A duet's figure: the CPU time of one server's request over that of its partner's, in the same time. Pure.

Both are counted whole, from before the load to after it: a server that collects garbage now and then pays for it in
few moments, and a figure that passes over unusual moments would pass over these.
"""

from __future__ import annotations

import math
from dataclasses import replace

from runners.records.trial import Trial


def with_cost_ratios(first: Trial, second: Trial) -> tuple[Trial, Trial]:
    """Return the two trials of a duet with the log of their cost ratio, each against its partner."""
    mine, theirs = first.server_cpu_us_per_request, second.server_cpu_us_per_request
    if not mine or not theirs:
        return first, second
    log_ratio = math.log(mine / theirs)
    return replace(first, cost_log_ratio=log_ratio), replace(second, cost_log_ratio=-log_ratio)
