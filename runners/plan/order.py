"""In which order cells are measured within a block, and how long that takes. Pure.

A block holds every cell of a family once. Consecutive blocks take the rows of a randomly relabelled Williams square,
in which every cell stands at every position, and behind every other cell, equally often: what drifts, and what one
trial leaves for the next, meets all cells alike.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from runners.matrix.cells import Cell
from runners.matrix.model import Preset
from runners.matrix.objective import Objective

OVERHEAD_S = 0.2  # start, probe, generator's start and stop of one trial, seen on two slow cores
TOGETHER = " + "  # joins the two cells of a duet; cell ids hold no blanks

DUETS = "/duet"  # ends the name of a family of duets

Block = tuple[str, ...]
T = TypeVar("T")


@dataclass(frozen=True)
class Offer:
    """A rate that a trial offers, for `duration_s`, in place of a closed loop; why, and of which capacity."""

    design: Literal["paced", "search", "confirm"]
    rate_per_s: float
    capacity_per_s: float
    duration_s: float
    fraction: float | None = None
    objective: Objective | None = None


@dataclass(frozen=True)
class Slot:
    """One planned trial of one cell, or of the two cells of a duet in the order in which they start."""

    cells: tuple[str, ...]
    family: str
    block: int
    attempt: int
    position: int
    offer: Offer | None = None


@dataclass(frozen=True)
class Duet:
    """Two cells that are measured at the same moment: a row, and the cell that it is compared with."""

    row: Cell
    baseline: Cell

    @property
    def pair(self) -> str:
        """Return the pair's name, whichever starts first."""
        return TOGETHER.join((self.row.id, self.baseline.id))

    @property
    def family(self) -> str:
        """Return the family of all duets against the same cell."""
        return f"{self.baseline.family}{DUETS}"


def is_duet_family(name: str) -> bool:
    """Return whether a family holds duets."""
    return name.endswith(DUETS)


def family_blocks(
    cells: Sequence[Cell], duets: Sequence[Duet], blocks: int, seed: int, duet_blocks: int | None = None
) -> dict[str, tuple[Block, ...]]:
    """Return each family's blocks, each a random order of its cells or duets; the same seed gives the same order.

    Families of duets get as many blocks, or `duet_blocks`.
    """
    chance = random.Random(seed)  # noqa: S311 - an order, not a secret
    families: dict[str, list[str]] = {}
    for cell in cells:
        families.setdefault(cell.family, []).append(cell.id)
    planned = {family: _squares(ids, blocks, chance) for family, ids in families.items()}
    pairs: dict[str, list[Duet]] = {}
    for duet in duets:
        pairs.setdefault(duet.family, []).append(duet)
    number = blocks if duet_blocks is None else duet_blocks
    return planned | {family: _duet_blocks(members, number, chance) for family, members in pairs.items()}


def _squares(ids: Sequence[str], blocks: int, chance: random.Random) -> tuple[Block, ...]:
    rows: list[Block] = []
    while len(rows) < blocks:
        labels = chance.sample(ids, len(ids))
        square = [tuple(labels[number] for number in row) for row in williams(len(ids))]
        rows += chance.sample(square, len(square))
    return tuple(rows[:blocks])


def _duet_blocks(duets: Sequence[Duet], blocks: int, chance: random.Random) -> tuple[Block, ...]:
    orders = {duet.pair: starts((duet.row.id, duet.baseline.id), blocks, chance) for duet in duets}
    return tuple(
        tuple(TOGETHER.join(orders[duet.pair][block]) for duet in chance.sample(duets, len(duets)))
        for block in range(blocks)
    )


def starts(pair: tuple[T, T], blocks: int, chance: random.Random) -> tuple[tuple[T, T], ...]:
    """Return in which order the two of a pair start in each block: both orders in every two blocks, at random.

    Not in turn: whatever the machine does in turns, too, would always meet the same order, and look like a difference.
    """
    drawn = [chance.sample(pair, 2) for _ in range(0, blocks, 2)]
    return tuple(order for one, other in drawn for order in ((one, other), (other, one)))[:blocks]


def williams(size: int) -> Iterator[tuple[int, ...]]:
    """Yield the rows of a Williams square over 0..size-1: `size` rows if even, twice as many if odd (Williams 1949)."""
    zigzag = [0]
    low, high = 1, size - 1
    while low <= high:
        zigzag.append(low)
        if low != high:
            zigzag.append(high)
        low, high = low + 1, high - 1
    rows = [tuple((step + shift) % size for step in zigzag) for shift in range(size)]
    yield from rows
    if size % 2 and size > 1:
        yield from (tuple(reversed(row)) for row in rows)


def first_round(order: Mapping[str, Sequence[Block]], block: int, seed: int) -> list[str]:
    """Return the families in the random order of one round."""
    chance = random.Random(f"{seed}/{block}")  # noqa: S311 - an order, not a secret
    return chance.sample(list(order), len(order))


def trial_s(cell: Cell) -> float:
    """Return how long one trial of a cell should take, in seconds."""
    return cell.load.warmup_s + cell.load.duration_s + OVERHEAD_S


def duet_s(duet: Duet) -> float:
    """Return how long one duet should take, in seconds."""
    return trial_s(duet.row.in_duet)


def estimated_s(cells: Sequence[Cell], duets: Sequence[Duet], preset: Preset) -> float:
    """Return how long the trials will take at most, in seconds, without building."""
    return preset.blocks.max * sum(map(trial_s, cells)) + preset.duet_blocks.max * sum(map(duet_s, duets))
