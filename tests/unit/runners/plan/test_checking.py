"""Which cells a checker must ask, and how fast: those whose answers' lengths tell nothing."""

from __future__ import annotations

from dataclasses import replace

from runners.matrix.cells import Cell
from runners.plan.checking import CheckedAnswers, checkable
from runners.plan.order import Slot
from runners.records.trial import Check, Outcome, Trial
from runners.trial.trial import blanks
from tests.support.latency_matrix import cells, matrix

CELLS = tuple(cells(matrix()))
STAGE = CheckedAnswers(CELLS, 2.0)


def trial(cell: Cell, outcome: Outcome, rate: float = 50_000.0) -> Trial:
    """Return a trial of a cell with an outcome of V24."""
    (blank,) = blanks((cell,), Slot((cell.id,), cell.family, 0, 0, 0))
    return replace(blank, verdict="ok", requests_per_s=rate, checks=(Check("V24", "r", outcome, ""),))


def answer(slot: Slot, outcome: Outcome) -> Trial:
    """Return the trial that a slot of the stage asks for."""
    (cell,) = (cell for cell in CELLS if cell.id == slot.cells[0])
    (blank,) = blanks((cell,), slot)
    return replace(blank, verdict="ok", checks=(Check("V24", "r", outcome, ""),))


def test_only_cells_whose_answers_differ_in_length_are_checked() -> None:
    """For the rest, the number of bytes has told already."""
    first, *others = CELLS
    trials = [trial(first, "unknown"), *(trial(cell, "pass") for cell in others)]
    (slot,) = STAGE.following(trials)
    assert (slot.cells, slot.design, slot.family) == ((first.id,), "checked", f"{first.family}/checked")
    assert STAGE.following([*trials, answer(slot, "pass")]) == ()


def test_a_hundredth_of_the_rate_is_asked_at_least_one_a_second() -> None:
    """So slowly that the server hardly notices, but never not at all."""
    for rate, asked in ((50_000.0, 500.0), (30.0, 1.0)):
        (slot,) = STAGE.following([trial(CELLS[0], "unknown", rate)])
        assert slot.checking is not None
        assert (slot.checking.rate_per_s, slot.checking.duration_s) == (asked, 2.0)


def test_wrong_answers_are_found_once_and_a_trial_that_told_nothing_is_repeated_once() -> None:
    """A resumed run goes on where it was."""
    trials = [trial(CELLS[0], "unknown")]
    (first,) = STAGE.following(trials)
    assert STAGE.following([*trials, answer(first, "fail")]) == ()
    trials.append(answer(first, "unknown"))
    (again,) = STAGE.following(trials)
    assert (again.attempt, again.design) == (1, "checked")
    assert STAGE.following([*trials, answer(again, "unknown")]) == ()


def test_what_is_left_is_counted_once_it_is_known() -> None:
    """Nothing before any cell is measured: most need no checker."""
    assert STAGE.whole.items == 0
    trials = [trial(CELLS[0], "unknown")]
    assert STAGE.left(trials).items == 1
    (slot,) = STAGE.following(trials)
    assert STAGE.left([*trials, answer(slot, "pass")]).items == 0


def test_twins_fleets_and_users_of_a_locustfile_are_left_out() -> None:
    """A twin is the same server; the others send what the checker does not know, or from elsewhere."""
    cell = CELLS[0]
    elsewhere = replace(cell, load=replace(cell.load, clients=2))
    assert checkable([cell, replace(cell, twin=True), elsewhere]) == (cell,)
