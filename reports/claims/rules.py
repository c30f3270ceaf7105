"""The rule of `runners.stats.rule` for a family of a report: its looks, its bias, and the blocks that count. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from reports.view.families import Family, Measure
from runners.stats.rule import Design, Rule
from runners.stats.statistics import Answer

Logs = Mapping[int, float]  # log ratios by block
WORDS: Mapping[Measure, tuple[Answer, Answer]] = {"rate": ("faster", "slower"), "cost": ("costlier", "cheaper")}


def rule_of(basis: Design, comparisons: int, measure: Measure, families: Sequence[Family]) -> Rule:
    """Return the rule for so many rows; what its families' baselines differ by from themselves adds up."""
    floors = (family.floor(measure) for family in families)
    biases = [floor.bias for floor in floors if floor]
    looks = max((family.looks for family in families), default=1)
    together = math.prod(1 + bias for bias in biases) - 1 if basis == "duet" else max(biases, default=0.0)
    return Rule(basis, max(1, comparisons), looks, together)


def seen(logs: Logs, families: Sequence[Family]) -> list[float]:
    """Return the log ratios that the last look of all families saw."""
    bounds = [family.until for family in families if family.until is not None]
    return [value for block, value in logs.items() if not bounds or block < min(bounds)]
