"""A verdict shows again, or is contradicted, or nobody knows."""

from __future__ import annotations

import pytest

from reports.changes.reproduced import Within, outcome_of


@pytest.mark.parametrize(
    ("before", "then", "after", "now", "outcome"),
    [
        ("faster", (1.1, 1.2), "faster", (1.5, 1.6), "reproduced"),
        ("costlier", (1.1, 1.2), "slower", (1.1, 1.2), "reproduced"),
        ("faster", (1.1, 1.2), "slower", (0.8, 0.9), "contradicted"),
        ("faster", (1.1, 1.2), "equivalent", (0.99, 1.01), "contradicted"),
        ("faster", (1.015, 1.2), "equivalent", (0.99, 1.018), "not resolved"),
        ("faster", (1.1, 1.2), "not resolved", (0.9, 1.1), "not resolved"),
        ("faster", (1.1, 1.2), None, (None, None), "not resolved"),
        ("equivalent", (0.99, 1.01), "equivalent", (None, None), "reproduced"),
    ],
)
def test_directions_and_intervals_decide(
    before: str, then: Within, after: str | None, now: Within, outcome: str
) -> None:
    """Two intervals that meet contradict nothing."""
    assert outcome_of(before, then, after, now) == outcome
