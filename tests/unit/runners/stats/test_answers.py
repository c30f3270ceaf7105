"""What wrong answers under load do to all trials of a cell."""

from __future__ import annotations

from dataclasses import replace

from runners.records.trial import Check, Outcome, Trial
from runners.stats.answers import believed, right_answers, wrong_answers

SAID = "3 of 9 answers under load were wrong"


def trial(cell: str, *, beside: str | None = None) -> Trial:
    """Return a valid trial, alone or beside another cell."""
    one = Trial(cell, cell, None, 1, 8, "persistent", "local", "ok", design="duet" if beside else "solo")
    return replace(one, pair=(min(cell, beside), max(cell, beside))) if beside else one


def checked(cell: str, outcome: Outcome) -> Trial:
    """Return the trial in which a checker read a cell's answers."""
    return replace(trial(cell), design="checked", checks=(Check("V24", "response length", outcome, SAID),))


def test_right_and_wrong_answers_are_told_apart() -> None:
    """And both from cells whose answers nobody read."""
    assert (wrong_answers([checked("a", "fail")]), right_answers([checked("a", "fail")])) == (SAID, None)
    assert (wrong_answers([checked("a", "pass")]), right_answers([checked("a", "pass")])) == (None, SAID)
    assert (wrong_answers([trial("a")]), right_answers([trial("a")])) == (None, None)


def test_no_trial_of_a_cell_with_wrong_answers_counts_nor_any_beside_it() -> None:
    """A duet with it compares different work; all others stay as they are."""
    trials = [trial("a"), trial("a", beside="b"), trial("b", beside="a"), trial("b"), checked("a", "fail")]
    found = [(each.cell, each.verdict, each.reason) for each in believed(trials)]
    assert found[:4] == [
        ("a", "invalid", SAID),
        ("a", "invalid", SAID),
        ("b", "invalid", f"its partner is invalid: {SAID}"),
        ("b", "ok", None),
    ]


def test_what_did_not_count_before_keeps_its_reason() -> None:
    """It was the first fault that was seen."""
    spoilt = replace(trial("a"), verdict="invalid", reason="V15")
    assert believed([spoilt, checked("a", "fail")])[0] == spoilt


def test_right_answers_change_nothing() -> None:
    """Neither do answers that could not be read."""
    trials = (trial("a"), checked("a", "pass"), checked("a", "unknown"))
    assert believed(trials) == trials
