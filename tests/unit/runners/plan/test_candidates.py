"""The servers that `check` asks: without load, and with no other tools than their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from runners.errors import NothingSelected
from runners.matrix.cells import Selection
from runners.plan.candidates import find_candidates
from tests.unit.runners.plan.test_planning import matrix_file

__all__ = ["matrix_file"]


def test_the_selected_servers_are_found_with_their_tools_alone(matrix: Path) -> None:
    """Neither a load generator nor the tools of other servers are looked for; there are no twins."""
    found = find_candidates(matrix, Selection(only=("b",)))
    assert {cell.slug for cell in found.cells} == {"b/t1/c64/persistent", "b/t1/c64/non-persistent"}
    assert found.tools == {}
    assert set(found.layouts) == {1}
    assert found.root == matrix.parent.resolve()


def test_a_missing_load_generator_keeps_nobody_from_asking(matrix: Path) -> None:
    """Only load takes it."""
    (matrix.parent / "bin/wrk").unlink()
    found = find_candidates(matrix, Selection(only=("a/t1/*/persistent",)))
    assert [cell.program.name for cell in found.cells] == ["a"]
    assert found.tools["comp"].version == "comp 1.0"


def test_what_cannot_be_started_here_is_named_with_the_reason(matrix: Path) -> None:
    """So that a missing server is noticed."""
    found = find_candidates(matrix, Selection(only=("a*",)))
    assert {cell.program.name for cell in found.cells} == {"a"}
    assert found.lacking == {"a.fast": "Rare is missing. Ask your administrator"}


def test_a_selection_of_nothing_says_what_there_is(matrix: Path) -> None:
    """As for a plan."""
    with pytest.raises(NothingSelected, match=r"variants are a, a\.fast, b, old"):
        find_candidates(matrix, Selection(only=("zzz",)))
