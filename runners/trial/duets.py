"""A duet's figure: the CPU time of one server's request over that of its partner's, in the same time. Pure.

Both are counted whole, from before the load to after it: a server that collects garbage now and then pays for it in
few moments, and a figure that passes over unusual moments would pass over these.
"""

from __future__ import annotations

import math


def cost_log_ratio(mine_us: float | None, theirs_us: float | None) -> float | None:
    """Return the log of a server's cost over its partner's; None where either is unknown."""
    return math.log(mine_us / theirs_us) if mine_us and theirs_us else None
