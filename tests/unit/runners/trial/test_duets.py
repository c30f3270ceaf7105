"""A duet's figure: the ratio of two costs per request in the same time."""

from __future__ import annotations

import math

import pytest

from runners.records.trial import Trial
from runners.trial.duets import with_cost_ratios


def trial(cost_us: float | None) -> Trial:
    """Return one side that used so much CPU time for each request."""
    return Trial(
        cell="a", server="a", variant=None, threads=1, connections=8, mode="persistent", machine="local", verdict="ok",
        server_cpu_us_per_request=cost_us,
    )  # fmt: skip


def test_the_two_sides_of_a_duet_carry_opposite_figures() -> None:
    """Whichever is asked, the pair says the same."""
    first, second = with_cost_ratios(trial(6.6), trial(6.0))
    assert first.cost_log_ratio == pytest.approx(math.log(1.1))
    assert second.cost_log_ratio == pytest.approx(-math.log(1.1))


@pytest.mark.parametrize("costs", [(None, 6.0), (6.0, None), (0.0, 6.0), (None, None)], ids=str)
def test_an_unknown_cost_gives_no_figure(costs: tuple[float | None, float | None]) -> None:
    """Where the kernel does not tell."""
    assert [side.cost_log_ratio for side in with_cost_ratios(*map(trial, costs))] == [None, None]
