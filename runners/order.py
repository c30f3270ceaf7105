"""In which order cells are measured, and how long that takes. Pure."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from runners.cells import Cell
from runners.matrix import Preset

OVERHEAD_S = 0.35  # start, probe, generator's start and stop of one trial, seen on two slow cores


@dataclass(frozen=True)
class Slot:
    """One planned trial: a cell in a block, at a position of the whole run."""

    cell: str
    block: int
    position: int


def shuffled_rounds(cells: Sequence[Cell], blocks: int, seed: int) -> tuple[tuple[str, ...], ...]:
    """Return the ids of all cells for each round, families and their cells in a new random order every time.

    A round holds one block of every family, so that what drifts during the run meets all cells alike.
    """
    families: dict[str, list[str]] = {}
    for cell in cells:
        families.setdefault(cell.family, []).append(cell.id)
    chance = random.Random(seed)  # noqa: S311 - an order, not a secret
    return tuple(_round(list(families.values()), chance) for _ in range(blocks))


def _round(families: list[list[str]], chance: random.Random) -> tuple[str, ...]:
    shuffled = [chance.sample(family, len(family)) for family in families]
    return tuple(cell for family in chance.sample(shuffled, len(shuffled)) for cell in family)


def slots(rounds: Sequence[Sequence[str]]) -> tuple[Slot, ...]:
    """Return all trials of a run, in order."""
    trials = [(cell, block) for block, cells in enumerate(rounds) for cell in cells]
    return tuple(Slot(cell, block, position) for position, (cell, block) in enumerate(trials))


def estimated_s(cells: Sequence[Cell], preset: Preset) -> float:
    """Return how long the trials of these cells will take, in seconds, without building."""
    return preset.blocks.max * sum(cell.load.warmup_s + cell.load.duration_s + OVERHEAD_S for cell in cells)
