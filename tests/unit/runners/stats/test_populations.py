"""Two groups of starts are told apart from one that is merely wide."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from runners.stats.populations import two_populations

Draw = Callable[[random.Random], float]
ONE: dict[str, Draw] = {
    "normal": lambda chance: chance.gauss(0, 1),
    "Laplace": lambda chance: chance.expovariate(1) * chance.choice((-1, 1)),
    "t(2)": lambda chance: chance.gauss(0, 1) / math.sqrt(chance.expovariate(1)),
    "5 % outliers at 20 sd": lambda chance: chance.gauss(0, 1) * (20 if chance.random() < 0.05 else 1),
}


@pytest.mark.parametrize("starts", [12, 20, 40])
@pytest.mark.parametrize("kind", ONE)
def test_one_population_is_hardly_ever_called_two(kind: str, starts: int) -> None:
    """At most 3 of 400 samples; about one in a thousand is expected."""
    chance = random.Random(3)  # noqa: S311 - noise, not a secret
    samples = ([ONE[kind](chance) for _ in range(starts)] for _ in range(400))
    assert sum(two_populations(sample) is not None for sample in samples) <= 3


@pytest.mark.parametrize("starts", [20, 40])
def test_two_populations_are_told_with_both_figures(starts: int) -> None:
    """Ten per cent apart, with a spread of half a per cent, in any share from a third on."""
    chance = random.Random(3)  # noqa: S311
    logs = [chance.gauss(0.1 * (number % 3 == 0), 0.005) for number in range(starts)]
    found = two_populations(chance.sample(logs, starts))
    assert found is not None
    assert [size for _, size in found.groups] == [starts - math.ceil(starts / 3), math.ceil(starts / 3)]
    assert [mean for mean, _ in found.groups] == pytest.approx([0.0, 0.1], abs=0.01)


def test_groups_that_do_not_matter_or_are_too_few_are_not_told() -> None:
    """Two per cent apart, eleven starts, or an outlier."""
    apart = [0.0, 0.0001, 0.0002] * 4
    assert two_populations([*apart, *(value + 0.02 for value in apart)]) is None
    assert two_populations([*apart[:6], *(value + 0.1 for value in apart[:5])]) is None
    assert two_populations([*apart, 0.5, 0.6]) is None
    assert two_populations([*apart, *(value + 0.1 for value in apart)]) is not None
