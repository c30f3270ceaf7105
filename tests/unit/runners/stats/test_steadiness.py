"""When a server is warm: its cost per request no longer falls, as far as noise lets that be seen."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from runners.records.trial import Trial
from runners.stats.steadiness import costs, drift, fall, is_steady, needs_warm_up, why_cold

MOST = 100  # windows


def start(**found: object) -> Trial:
    """Return a trial of which only its warmth is known."""
    known = {"cell": "s", "server": "s", "variant": None, "threads": 1, "connections": 8, "mode": "persistent"}
    return Trial(**known, machine="local", verdict="ok", **found)  # type: ignore[arg-type]


def warmed(cost: Callable[[float], float], noise: float, seed: int) -> int:
    """Return after how many windows a server with this cost after so many seconds is called steady."""
    chance = random.Random(seed)  # noqa: S311 - noise, not a secret
    found: list[float] = []
    while len(found) < MOST and not is_steady(found):
        found.append(cost(0.1 * len(found)) * chance.lognormvariate(0, noise))
    return len(found)


@pytest.mark.parametrize("noise", [0.01, 0.05, 0.1])
def test_a_server_without_warm_up_is_steady_within_two_seconds(noise: float) -> None:
    """In at least nine of ten starts."""
    needed = sorted(warmed(lambda _: 30.0, noise, seed) for seed in range(100))
    assert needed[90] <= 20


@pytest.mark.parametrize("noise", [0.01, 0.05, 0.1])
def test_a_just_in_time_compiler_is_waited_for(noise: float) -> None:
    """Until no more than a tenth of its cost is left to fall, which was three times as high at first."""

    def cost(at_s: float) -> float:
        return 30.0 * (1 + 2 * math.exp(-at_s / 0.3) + 0.2 * math.exp(-at_s / 2))

    left = sorted(cost(0.1 * warmed(cost, noise, seed)) / 30.0 - 1 for seed in range(100))
    assert left[90] < 0.1


def test_noise_in_which_no_fall_could_be_seen_is_not_called_steady() -> None:
    """It is not known then; after three seconds it is taken as it is."""
    chance = random.Random(1)  # noqa: S311
    assert not is_steady([30.0 * chance.lognormvariate(0, 0.5) for _ in range(10)])
    assert max(warmed(lambda _: 30.0, 0.5, seed) for seed in range(100)) < 80


def test_costs_are_those_between_samples_and_leave_out_what_is_not_known() -> None:
    """Nor do they count a window in which nothing was sent."""
    run_us = [0.0, 1000.0, None, 2000.0, 3000.0, 3000.0]
    assert costs(run_us, [0, 100, 200, 300, 350, 400]) == [10.0, 20.0]
    assert costs(run_us, [None, 100, 200, 300, 300, 400]) == []


def test_a_drift_compares_the_later_costs_with_the_earlier() -> None:
    """It takes two windows at least."""
    assert drift([20.0, 20.0, 15.0, 10.0, 10.0]) == pytest.approx(math.log(0.5))
    assert drift([20.0]) is None


def test_a_fall_must_be_certain_and_visible() -> None:
    """Few starts tell nothing, and a small change is none."""
    assert fall([-0.5] * 4) is None
    assert fall([-0.02 - 0.001 * number for number in range(20)]) is None
    assert fall([-0.5, 0.5] * 10) is None
    found = fall([-0.5 - 0.001 * number for number in range(20)])
    assert found is not None
    assert found.value == pytest.approx(math.exp(-0.5095))


@pytest.mark.parametrize(
    ("drifts", "needed"),
    [
        ([0.01, -0.02, 0.1, -0.1, 0.0], True),
        ([0.01, -0.02, 0.1, -0.1, 0.0, 0.01], False),
        ([0.01, -0.02, 0.1, -0.1, 0.0, -1.0], True),
        ([-0.06, -0.06, -0.06, -0.06, 0.0, 0.0], True),
        ([-0.25, -0.15, -0.05, 0.05, 0.15, 0.25] * 4, False),
        ([-0.9, -0.5, -0.2, 0.2, 0.5, 0.8], True),
        ([-0.9, -0.5, -0.2, 0.2, 0.5, 0.8] * 2, False),
        ([-0.9, -0.5, -0.4, -0.2, -0.1, -0.6] * 2, True),
    ],
    ids=[
        "too few starts",
        "steady from the beginning",
        "one start fell",
        "it falls a little",
        "noisy, but many",
        "too noisy to tell",
        "too noisy to tell, after many",
        "noisy, but it certainly falls",
    ],
)
def test_a_warm_up_is_dropped_once_several_starts_did_without(drifts: list[float], *, needed: bool) -> None:
    """Any sign of a fall keeps it."""
    starts = [start(warmup_drift=each) for each in drifts] + [start(warmup_drift=None)] * 3
    assert needs_warm_up(starts) is needed


def test_what_was_not_warm_is_said_with_what_to_do() -> None:
    """A warm-up that waits is offered only where there was none; most starts must show it."""
    falling = [start(cost_drift=-0.5 - 0.001 * number) for number in range(20)]
    said = 'its CPU time per request fell by 40% within the measured time; warm it up longer, or with warmup = "auto"'
    assert why_cold(falling) == said
    never = [start(warmed_us=10_000_000, steady=False)] * 3 + [start(warmed_us=2_000_000, steady=True)] * 2
    assert why_cold(never) == "its CPU time per request still fell after 10s of load"
    assert why_cold(never[1:]) == ""
    assert why_cold([start(warmed_us=1_000_000, steady=True, cost_drift=0.01)] * 20) == ""
    assert why_cold([]) == ""
