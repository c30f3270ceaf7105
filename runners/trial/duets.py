"""The figure of a duet: a server's CPU time per request divided by its partner's, in the same time. Pure.

Both are counted in full, from before the load until after it: a server that collects garbage now and then pays for it
in few moments, and a figure that leaves out unusual moments would leave out these.
"""

from __future__ import annotations

import math


def cost_log_ratio(mine_us: float | None, theirs_us: float | None) -> float | None:
    """Return the natural log of a server's cost over its partner's; None if either is unknown or 0."""
    return math.log(mine_us / theirs_us) if mine_us and theirs_us else None
