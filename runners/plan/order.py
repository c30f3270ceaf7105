"""The order in which cells are measured within a block, and how long that takes. Pure.

A block contains every cell of a family once. Consecutive blocks take the rows of a randomly relabelled Williams square,
in which every cell is at every position, and right after every other cell, equally often. Drift, and the after-effects
of one trial on the next, thus affect all cells alike.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

from runners.matrix.cells import Cell
from runners.matrix.model import Preset
from runners.matrix.objective import Objective

if TYPE_CHECKING:
    from runners.records.run import Block, FamilyInfo
    from runners.records.trial import Design

DUET = "/duet"  # after the name of a family, that of the duets within it
OVERHEAD_S = 0.2  # to start, probe and stop the server and the generator of one trial, measured on two slow cores
WARMING_S = 0.5  # what an automatic warm-up takes, as a mean over starts that need none any more and others
T = TypeVar("T")


@dataclass(frozen=True)
class Offer:
    """A rate that a trial offers for `duration_s` instead of a closed loop; what for, and of which capacity."""

    design: Literal["paced", "search", "confirm"]
    rate_per_s: float
    capacity_per_s: float
    duration_s: float
    fraction: float | None = None
    objective: Objective | None = None

    @property
    def share(self) -> float:
        """Return the share of the capacity that is offered."""
        return self.rate_per_s / self.capacity_per_s if self.fraction is None else self.fraction


@dataclass(frozen=True)
class Checking:
    """A trial in which a checker reads `rate_per_s` answers whole beside the load, for `duration_s`."""

    rate_per_s: float
    duration_s: float


@dataclass(frozen=True)
class Slot:
    """One planned trial of one cell, or of the two cells of a duet in the order they start.

    It should take `expected_s` seconds. `warmup_s` is there if earlier starts showed that an automatic warm-up need not
    be any longer.
    """

    cells: tuple[str, ...]
    family: str
    block: int
    attempt: int
    position: int
    offer: Offer | None = None
    expected_s: float = 0.0
    checking: Checking | None = None
    warmup_s: float | None = None

    @property
    def design(self) -> Design:
        """Return how its cells are measured."""
        if self.offer is not None:
            return self.offer.design
        return "checked" if self.checking else "duet" if len(self.cells) > 1 else "solo"


@dataclass(frozen=True)
class Duet:
    """Two cells that are measured at the same time: a row, and the baseline that it is compared with."""

    row: Cell
    baseline: Cell

    @property
    def cells(self) -> tuple[str, str]:
        """Return the ids of both cells."""
        return self.row.id, self.baseline.id

    @property
    def family(self) -> str:
        """Return the name of the family of duets within the family of the baseline."""
        return f"{self.baseline.family}{DUET}"


Member = TypeVar("Member", Cell, Duet)


def plan_families(
    cells: Sequence[Cell],
    duets: Sequence[Duet],
    blocks: int,
    seed: int,
    *,
    duet_blocks: int | None = None,
    baselines: Mapping[str, str] | None = None,
    fewer: Mapping[int, int] | None = None,
) -> tuple[FamilyInfo, ...]:
    """Return the families, each block a random order of its cells or duets; the same seed gives the same order.

    Families of duets get `duet_blocks` if given, otherwise as many blocks as the others. A family is compared with its
    cell in `baselines` or, if that is not measured, with the first cell of its first block. Numbers of threads in
    `fewer` get so many blocks.
    """
    chance = random.Random(seed)  # noqa: S311 - an order, not a secret
    wanted, number = baselines or {}, blocks if duet_blocks is None else duet_blocks
    solos = _by_family(cells)
    solo_blocks = {
        family: squares([cell.id for cell in members], (fewer or {}).get(members[0].threads, blocks), chance)
        for family, members in solos.items()
    }
    pairs = _by_family(duets)
    duet_rows = {family: _duet_blocks(members, number, chance) for family, members in pairs.items()}
    return (
        *(_family(name, "solo", solos[name][0], rows, wanted) for name, rows in solo_blocks.items()),
        *(_family(name, "duet", pairs[name][0].baseline, rows, wanted) for name, rows in duet_rows.items()),
    )


def _family(
    name: str, design: Literal["solo", "duet"], like: Cell, blocks: tuple[Block, ...], baselines: Mapping[str, str]
) -> FamilyInfo:
    from runners.records.run import FamilyInfo  # noqa: PLC0415 - slow to import, and a plan only counts the blocks

    ids = [cell for item in blocks[0] for cell in item]
    wanted = baselines.get(name)
    baseline = wanted if wanted in ids else like.id if design == "duet" else ids[0]
    return FamilyInfo(name, design, like.threads, like.connections, like.mode, baseline or ids[0], blocks)


def _by_family(members: Sequence[Member]) -> dict[str, list[Member]]:
    families: dict[str, list[Member]] = {}
    for member in members:
        families.setdefault(member.family, []).append(member)
    return families


def squares(ids: Sequence[str], blocks: int, chance: random.Random) -> tuple[Block, ...]:
    """Return so many blocks, each an order of the cells: rows of Williams squares with random labels."""
    rows: list[Block] = []
    while len(rows) < blocks:
        labels = chance.sample(ids, len(ids))
        square = [tuple((labels[number],) for number in row) for row in williams(len(ids))]
        rows += chance.sample(square, len(square))
    return tuple(rows[:blocks])


def _duet_blocks(duets: Sequence[Duet], blocks: int, chance: random.Random) -> tuple[Block, ...]:
    orders = {duet.cells: starts(duet.cells, blocks, chance) for duet in duets}
    return tuple(
        tuple(orders[duet.cells][block] for duet in chance.sample(duets, len(duets))) for block in range(blocks)
    )


def starts(pair: tuple[T, T], blocks: int, chance: random.Random) -> tuple[tuple[T, T], ...]:
    """Return the order in which the two of a pair start in each block: both orders in every two blocks, at random.

    They do not alternate, since whatever else alternates on the machine would always meet the same order, and look like
    a difference.
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


def first_round(families: Sequence[str], block: int, seed: int) -> list[str]:
    """Return the families in a random order for one round."""
    chance = random.Random(f"{seed}/{block}")  # noqa: S311 - an order, not a secret
    return chance.sample(families, len(families))


def trial_s(cell: Cell) -> float:
    """Return how long one trial of a cell should take, in seconds."""
    warmup_s = WARMING_S if cell.load.warmup_s is None else cell.load.warmup_s
    return warmup_s + cell.load.duration_s + OVERHEAD_S


def duet_s(duet: Duet) -> float:
    """Return how long one duet should take, in seconds."""
    return trial_s(duet.row.in_duet)


def estimated_s(cells: Sequence[Cell], duets: Sequence[Duet], preset: Preset, fewer: Mapping[int, int]) -> float:
    """Return the longest time that the trials may take, in seconds, without building."""
    solo, duet = preset.blocks, preset.duet_blocks
    most_s = sum(fewer.get(cell.threads, solo.max) * trial_s(cell) for cell in cells)
    most_s += duet.max * sum(map(duet_s, duets))
    if preset.limit is None:
        return most_s
    least_s = sum(min(fewer.get(cell.threads, solo.min), solo.min) * trial_s(cell) for cell in cells)
    return min(most_s, max(preset.limit, least_s + duet.min * sum(map(duet_s, duets))))
