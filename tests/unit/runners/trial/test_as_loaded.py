"""How long the sides of a trial are warmed up, each as its own server needs it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runners.plan.order import Offer, Slot
from runners.trial.trial import _as_loaded
from tests.support.latency_matrix import cells, matrix


@pytest.mark.parametrize(
    ("own_s", "others_s", "both_s"), [(None, 0.05, None), (3.0, 0.05, 3.0), (0.05, 0.05, 0.05), (None, None, None)]
)
def test_both_sides_of_a_duet_warm_up_for_the_longer_of_their_times(
    own_s: float | None, others_s: float | None, both_s: float | None
) -> None:
    """They are measured at the same moments, so neither can begin before the other is warm."""
    pair = [
        replace(cell, load=replace(cell.load, duet=(warmup_s, 0.2)))
        for cell, warmup_s in zip(cells(matrix(mode="persistent"))[:2], (own_s, others_s), strict=True)
    ]
    slot = Slot((pair[0].id, pair[1].id), "f", 0, 0, 0)
    for order in (pair, pair[::-1]):
        assert [cell.load.warmup_s for cell in _as_loaded(order, slot)] == [both_s, both_s]
        assert [cell.program for cell in _as_loaded(order, slot)] == [cell.program for cell in order]
    assert {cell.load.warmup_s for cell in _as_loaded(pair, replace(slot, warmup_s=0.05))} == {0.05}


def test_a_paced_duet_is_warmed_up_as_any_other() -> None:
    """By the generator that paces, at full load."""
    pair = [replace(cell, load=replace(cell.load, warmup_s=None)) for cell in cells(matrix(mode="persistent"))[:2]]
    slot = Slot((pair[0].id, pair[1].id), "f", 0, 0, 0, Offer("paced", 100.0, 200.0, 3.0))
    assert {(cell.load.kind, cell.load.warmup_s, cell.load.duration_s) for cell in _as_loaded(pair, slot)} == {
        ("h2load", None, 3.0)
    }
