"""The order of trials: every cell once in each round, families together, reproducible by the seed."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.cells import Cell, LoadSettings, Program
from runners.matrix import Blocks, Preset
from runners.order import OVERHEAD_S, estimated_s, shuffled_rounds, slots


def cell(server: str, threads: int) -> Cell:
    """Return a cell."""
    program = Program(
        server=server, variant=None, title=server, language=None, class_="realistic", group="document", needs=(),
        dir="d", build=(), run=("x",), config=None, flags=(), env={}, unavailable=None,
    )  # fmt: skip
    load = LoadSettings("wrk", 0.3, 1.0, None)
    return Cell(program, threads, 64, "persistent", "local", load, None, "Hello World", "/")


CELLS = st.lists(
    st.builds(cell, st.sampled_from("abcdef"), st.integers(1, 4)), unique_by=lambda cell: cell.id, max_size=12
)
BLOCKS, SEEDS = st.integers(1, 8), st.integers(0, 2**32)


@given(cells=CELLS, blocks=BLOCKS, seed=SEEDS)
def test_each_round_holds_every_cell_once(cells: list[Cell], blocks: int, seed: int) -> None:
    """No cell is favoured."""
    rounds = shuffled_rounds(cells, blocks, seed)
    assert len(rounds) == blocks
    for ids in rounds:
        assert sorted(ids) == sorted(cell.id for cell in cells)


@given(cells=CELLS, blocks=BLOCKS, seed=SEEDS)
def test_the_same_seed_gives_the_same_order(cells: list[Cell], blocks: int, seed: int) -> None:
    """A run's order can be told again from its seed."""
    assert shuffled_rounds(cells, blocks, seed) == shuffled_rounds(cells, blocks, seed)


@given(cells=CELLS, blocks=BLOCKS, seed=SEEDS)
def test_families_stay_together_within_a_round(cells: list[Cell], blocks: int, seed: int) -> None:
    """What is compared is measured close in time."""
    families = {cell.id: cell.family for cell in cells}
    for ids in shuffled_rounds(cells, blocks, seed):
        runs = [family for family, _ in itertools.groupby(ids, key=families.__getitem__)]
        assert len(runs) == len(set(runs))


def test_another_seed_gives_another_order() -> None:
    """Over several rounds of twelve cells, that is as good as certain."""
    cells = [cell(server, threads) for server in "abcdef" for threads in (1, 2)]
    assert shuffled_rounds(cells, 5, 1) != shuffled_rounds(cells, 5, 2)


def test_the_order_changes_from_round_to_round() -> None:
    """A fixed order would always favour the same one."""
    assert len(set(shuffled_rounds([cell(server, 1) for server in "abcdef"], 10, 7))) > 5


@given(cells=CELLS, blocks=BLOCKS, seed=SEEDS)
def test_slots_number_all_trials_of_a_run(cells: list[Cell], blocks: int, seed: int) -> None:
    """Positions count through, blocks count rounds."""
    trials = slots(shuffled_rounds(cells, blocks, seed))
    assert [slot.position for slot in trials] == list(range(len(cells) * blocks))
    assert len({(slot.cell, slot.block) for slot in trials}) == len(trials)
    assert [slot.block for slot in trials] == sorted(slot.block for slot in trials)


def test_the_estimate_counts_every_second_of_every_trial() -> None:
    """Warm-up, measured time and what starting and stopping costs."""
    slow = replace(cell("b", 1), load=LoadSettings("wrk", 1.0, 5.0, None))
    preset = Preset.model_validate({"warmup": "1s", "duration": "1s", "blocks": Blocks(min=2, max=3)})
    assert estimated_s([cell("a", 1), slow], preset) == pytest.approx(3 * (1.3 + 6.0 + 2 * OVERHEAD_S))
    assert estimated_s([], preset) == 0
