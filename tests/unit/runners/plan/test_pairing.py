"""Who is compared with whom."""

from __future__ import annotations

import pytest

from runners.errors import BadInput, NothingSelected
from runners.matrix.cells import Cell, Planned, expand
from runners.matrix.model import Matrix
from runners.matrix.reading import parse_matrix
from runners.plan.pairing import family_baselines, pair_up

TEXT = """
[suite]
title = "Pairs"
modes = ["persistent"]

[preset.quick]
warmup = "100ms"
duration = "1s"

[machine.local]
threads = [1, 2]
connections = [8]

[server.a]
run = ["a"]

[server.b]
run = ["b"]

[server.c]
run = ["c"]
threads = [1]

[[table]]
title = "T"
mode = "persistent"
design = "duet"
rows = ["c", "a", "b@2", "a@2"]
"""


def cells_of(matrix: Matrix) -> tuple[Planned, ...]:
    """Expand the matrix on its only machine."""
    return expand(matrix, "local", matrix.preset["quick"], "wrk")


def planned_cells(matrix: Matrix) -> list[Cell]:
    """Return the cells alone."""
    return [planned.cell for planned in cells_of(matrix)]


MATRIX = parse_matrix(TEXT)


def test_a_familys_base_is_the_first_row_of_a_table() -> None:
    """Tables decide before the order of the servers does."""
    baselines = family_baselines(MATRIX, planned_cells(MATRIX))
    assert {baseline.slug for baseline in baselines.values()} == {"c/t1/c8/persistent", "b/t2/c8/persistent"}


def test_every_base_is_measured_again_as_its_own_twin() -> None:
    """A twin is the same cell under another name, with another id, in the same family."""
    pairing = pair_up(MATRIX, cells_of(MATRIX), twin=True, duet=None)
    twins = [planned.cell for planned in pairing.cells if planned.cell.twin]
    assert [twin.slug for twin in twins] == ["c~twin/t1/c8/persistent", "b~twin/t2/c8/persistent"]
    assert len({planned.cell.id for planned in pairing.cells}) == len(pairing.cells)


def test_a_duet_table_pairs_each_row_with_the_first_of_its_family_and_the_twin() -> None:
    """Rows of other families are not paired: their CPUs differ."""
    pairing = pair_up(MATRIX, cells_of(MATRIX), twin=True, duet=None)
    pairs = [(duet.row.name, duet.baseline.name, duet.row.threads) for duet in pairing.duets]
    assert pairs[:4] == [("a", "c", 1), ("c~twin", "c", 1), ("a", "b", 2), ("b~twin", "b", 2)]


def test_a_cell_in_no_table_gets_its_duet_too() -> None:
    """As a new variant that somebody has just added; but not where no table asks for duets."""
    pairs = [
        (duet.row.name, duet.row.threads) for duet in pair_up(MATRIX, cells_of(MATRIX), twin=True, duet=None).duets
    ]
    assert pairs[4:] == [("b", 1)]
    alone = parse_matrix(TEXT.replace('design = "duet"', 'design = "solo"'))
    assert pair_up(alone, cells_of(alone), twin=True, duet=None).duets == ()


def test_without_twins_there_is_no_twin_anywhere() -> None:
    """`twin = false` in a preset saves the time, and the proof."""
    pairing = pair_up(MATRIX, cells_of(MATRIX), twin=False, duet=None)
    assert not any(planned.cell.twin for planned in pairing.cells)
    assert not any(duet.row.twin for duet in pairing.duets)


def test_a_family_of_one_has_no_twin() -> None:
    """A single cell is compared with nobody."""
    alone = [planned for planned in cells_of(MATRIX) if planned.cell.slug.startswith("c/")]
    assert not any(planned.cell.twin for planned in pair_up(MATRIX, alone, twin=True, duet=None).cells)


def test_one_duet_holds_the_pair_and_the_bases_twin() -> None:
    """`--duet A B` compares A with B, and B with itself, in every family they share."""
    pairing = pair_up(MATRIX, cells_of(MATRIX), twin=True, duet=("a", "b"))
    assert [(duet.row.name, duet.baseline.name) for duet in pairing.duets] == [
        ("a", "b"), ("a", "b"), ("b~twin", "b"), ("b~twin", "b"),
    ]  # fmt: skip
    assert all(family.endswith("/duet") for family in pairing.baselines)


def test_a_variant_can_be_paired_with_itself() -> None:
    """That is the noise floor alone."""
    pairing = pair_up(MATRIX, cells_of(MATRIX), twin=True, duet=("c", "c"))
    assert [(duet.row.name, duet.baseline.name) for duet in pairing.duets] == [("c~twin", "c")]


def test_a_duet_of_unknown_variants_selects_nothing() -> None:
    """The glob that matches nothing is named."""
    with pytest.raises(NothingSelected, match="'nobody'"):
        pair_up(MATRIX, cells_of(MATRIX), twin=True, duet=("a", "nobody"))


def test_variants_without_a_common_family_cannot_be_paired() -> None:
    """Different thread counts are different CPUs."""
    with pytest.raises(BadInput, match="have no family in common"):
        pair_up(MATRIX, cells_of(MATRIX), twin=True, duet=("c/t1*", "a/t2*"))
