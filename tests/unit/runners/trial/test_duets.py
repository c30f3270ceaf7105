"""A duet's figure: the ratio of two costs per request in the same time."""

from __future__ import annotations

import math

import pytest

from runners.trial.duets import cost_log_ratio


def test_the_two_sides_of_a_duet_carry_opposite_figures() -> None:
    """Both describe the same ratio."""
    assert cost_log_ratio(6.6, 6.0) == pytest.approx(math.log(1.1))
    assert cost_log_ratio(6.0, 6.6) == pytest.approx(-math.log(1.1))


@pytest.mark.parametrize("costs", [(None, 6.0), (6.0, None), (0.0, 6.0), (None, None)], ids=str)
def test_an_unknown_cost_gives_no_figure(costs: tuple[float | None, float | None]) -> None:
    """If the kernel does not report it."""
    assert cost_log_ratio(*costs) is None
