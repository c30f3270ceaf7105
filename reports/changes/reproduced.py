"""Whether a verdict showed again when it was measured again: by its direction, and by both intervals. Pure."""

from __future__ import annotations

from typing import Literal

Outcome = Literal["reproduced", "contradicted", "not resolved"]
DIRECTIONS = {"faster": 1, "cheaper": 1, "equivalent": 0, "slower": -1, "costlier": -1}
Within = tuple[float | None, float | None]


def outcome_of(before: str, then: Within, after: str | None, now: Within) -> Outcome:
    """Return what a second measurement says of a verdict, which must say something.

    The same direction reproduces it. Another one contradicts it if the two intervals do not meet, or if the directions
    are opposite; otherwise both may be right, and nothing is resolved.
    """
    if after not in DIRECTIONS:
        return "not resolved"
    if DIRECTIONS[before] == DIRECTIONS[after]:
        return "reproduced"
    opposite = DIRECTIONS[before] * DIRECTIONS[after] < 0
    return "contradicted" if opposite or apart(then, now) else "not resolved"


def apart(one: Within, other: Within) -> bool:
    """Return whether two intervals do not meet; an interval that is not known may be anywhere."""
    if one[0] is None or one[1] is None or other[0] is None or other[1] is None:
        return False
    return one[1] < other[0] or other[1] < one[0]
