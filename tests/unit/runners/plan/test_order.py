"""The order of trials: every cell once in each block, balanced over blocks, reproducible by the seed."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.matrix.cells import Cell, LoadSettings, Program
from runners.matrix.model import Blocks, Preset
from runners.plan.order import (
    OVERHEAD_S,
    Duet,
    estimated_s,
    first_round,
    plan_families,
    starts,
    trial_s,
    williams,
)


def cell(server: str, threads: int = 1) -> Cell:
    """Return a cell."""
    program = Program(
        server=server, variant=None, title=server, language=None, class_="realistic", group="document", needs=(),
        dir="d", build=(), run=("x",), config=None, flags=(), env={}, unavailable=None,
    )  # fmt: skip
    load = LoadSettings("wrk", 0.3, 1.0, None)
    return Cell(program, threads, 64, "persistent", "local", load, None)


CELLS = st.lists(
    st.builds(cell, st.sampled_from("abcdef"), st.integers(1, 4)), unique_by=lambda cell: cell.id, max_size=12
)
BLOCKS, SEEDS, SIZES = st.integers(1, 8), st.integers(0, 2**32), st.integers(1, 12)


@given(cells=CELLS, blocks=BLOCKS, seed=SEEDS)
def test_each_block_holds_every_cell_of_its_family_once(cells: list[Cell], blocks: int, seed: int) -> None:
    """No cell is favoured, and what is compared is measured close in time."""
    planned = plan_families(cells, [], blocks, seed)
    assert {family.name for family in planned} == {cell.family for cell in cells}
    for family in planned:
        assert len(family.blocks) == blocks
        for row in family.blocks:
            assert sorted(row) == sorted((cell.id,) for cell in cells if cell.family == family.name)


@given(cells=CELLS, blocks=BLOCKS, seed=SEEDS)
def test_the_same_seed_gives_the_same_order(cells: list[Cell], blocks: int, seed: int) -> None:
    """A run's order can be told again from its seed."""
    duets = [Duet(cells[0], other) for other in cells[1:]]
    assert plan_families(cells, duets, blocks, seed) == plan_families(cells, duets, blocks, seed)


def test_another_seed_gives_another_order() -> None:
    """Over several blocks of six cells, that is as good as certain."""
    cells = [cell(server) for server in "abcdef"]
    assert plan_families(cells, [], 6, 1) != plan_families(cells, [], 6, 2)


@given(SIZES)
def test_in_a_williams_square_every_cell_stands_everywhere_equally_often(size: int) -> None:
    """Drift during a block meets all alike."""
    rows = list(williams(size))
    for position in range(size):
        counts = Counter(row[position] for row in rows)
        assert set(counts) == set(range(size))
        assert len(set(counts.values())) == 1


@given(SIZES)
def test_in_a_williams_square_every_cell_follows_every_other_equally_often(size: int) -> None:
    """What one trial leaves for the next meets all alike."""
    follows = Counter(pair for row in williams(size) for pair in itertools.pairwise(row))
    assert set(follows) == set(itertools.permutations(range(size), 2))
    assert len(set(follows.values())) <= 1


@given(st.integers(2, 6), SEEDS)
def test_blocks_are_balanced_once_there_are_enough(size: int, seed: int) -> None:
    """After a whole square each cell has stood at each position equally often."""
    cells = [cell(server) for server in "abcdef"[:size]]
    rows = plan_families(cells, [], size * (1 + size % 2), seed)[0].blocks
    for position in range(size):
        counts = Counter(row[position] for row in rows)
        assert len(counts) == size
        assert len(set(counts.values())) == 1


@given(servers=st.lists(st.sampled_from("bcdef"), unique=True, min_size=1), blocks=BLOCKS, seed=SEEDS)
def test_each_block_holds_every_duet_once_and_every_two_blocks_both_orders(
    servers: list[str], blocks: int, seed: int
) -> None:
    """Being first must not favour a server."""
    duets = [Duet(cell(server), cell("a")) for server in servers]
    rows = plan_families([], duets, blocks, seed)[0].blocks
    assert len(rows) == blocks
    firsts: dict[str, list[str]] = {duet.row.id: [] for duet in duets}
    for row in rows:
        for pair in row:
            first, second = pair
            (other,) = {first, second} - {cell("a").id}
            firsts[other].append(first)
    for seen in firsts.values():
        assert len(seen) == blocks
        assert all(before != after for before, after in zip(seen[::2], seen[1::2], strict=False))


def test_who_starts_first_in_a_duet_does_not_alternate() -> None:
    """What the machine does in turns, too, must not always meet the same order."""
    orders = starts(("a", "b"), 400, random.Random(1))  # noqa: S311 - an order, not a secret
    repeats = sum(before == after for before, after in itertools.pairwise(orders))
    assert 60 < repeats < 140


@given(cells=CELLS, seed=SEEDS, block=st.integers(0, 30))
def test_each_round_holds_every_family_once(cells: list[Cell], seed: int, block: int) -> None:
    """In an order that can be told again."""
    planned = [family.name for family in plan_families(cells, [], 1, seed)]
    assert sorted(first_round(planned, block, seed)) == sorted(planned)
    assert first_round(planned, block, seed) == first_round(planned, block, seed)


def test_the_estimate_counts_every_second_of_every_trial() -> None:
    """Warm-up, measured time and what starting and stopping costs; a duet takes the time of one."""
    slow = replace(cell("b"), load=LoadSettings("wrk", 1.0, 5.0, None))
    preset = Preset.model_validate({"warmup": "1s", "duration": "1s", "blocks": Blocks(min=2, max=3)})
    assert trial_s(slow) == pytest.approx(6 + OVERHEAD_S)
    assert estimated_s([cell("a"), slow], [], preset, {}) == pytest.approx(3 * (1.3 + 6.0 + 2 * OVERHEAD_S))
    assert estimated_s([], [Duet(slow, cell("a"))], preset, {}) == pytest.approx(3 * (6.0 + OVERHEAD_S))
    assert estimated_s([], [], preset, {}) == 0


def test_the_estimate_knows_that_some_thread_counts_get_fewer_blocks_and_that_time_is_limited() -> None:
    """The least blocks are measured whatever the time."""
    blocks = {"min": 2, "max": 10}
    preset = Preset.model_validate({"warmup": "300ms", "duration": "1s", "blocks": blocks, "limit": "10s"})
    each_s = trial_s(cell("a"))
    few, many = cell("a"), replace(cell("b"), threads=8)
    assert estimated_s([few, many], [], preset, {8: 1}) == pytest.approx(10.0)
    assert estimated_s([many], [], preset, {8: 1}) == pytest.approx(each_s)
    assert estimated_s([few] * 20, [], preset, {}) == pytest.approx(20 * 2 * each_s)


def test_thread_counts_with_fewer_blocks_are_planned_so() -> None:
    """Those beyond the machine's CPUs get one short look."""
    families = plan_families([cell("a"), replace(cell("b"), threads=8)], [], 6, 1, fewer={8: 1})
    assert {family.threads: len(family.blocks) for family in families} == {cell("a").threads: 6, 8: 1}


def test_the_estimate_knows_that_duets_are_shorter_and_more() -> None:
    """A preset may give duets lengths and blocks of their own."""
    short = replace(cell("b"), load=LoadSettings("wrk", 1.0, 5.0, None, (0.1, 0.3)))
    lengths = {"warmup": "100ms", "duration": "300ms", "blocks": {"min": 20, "max": 20}}
    preset = Preset.model_validate({"warmup": "1s", "duration": "1s", "duet": lengths})
    assert estimated_s([], [Duet(short, cell("a"))], preset, {}) == pytest.approx(20 * (0.4 + OVERHEAD_S))
    (family,) = plan_families([], [Duet(short, cell("a"))], 6, 1, duet_blocks=20)
    assert len(family.blocks) == 20


def test_a_family_knows_what_its_cells_share_and_whom_they_are_compared_with() -> None:
    """Nobody has to read its name; a baseline that is not measured is replaced by the first cell."""
    cells = [cell("a"), cell("b")]
    (solo, duet) = plan_families(cells, [Duet(cells[1], cells[0])], 6, 1, baselines={cells[0].family: cells[1].id})
    assert (solo.design, solo.threads, solo.connections, solo.mode) == ("solo", 1, 64, "persistent")
    assert solo.baseline == cells[1].id
    assert (duet.design, duet.baseline, duet.name) == ("duet", cells[0].id, f"{solo.name}/duet")
    (orphaned,) = plan_families(cells, [], 6, 1, baselines={cells[0].family: "gone"})
    assert orphaned.baseline == orphaned.blocks[0][0][0]
