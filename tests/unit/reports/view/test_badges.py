"""What a server's gates say beside its number: badges, and whether it may be ranked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.view.rows import Row, cell_row
from reports.view.view import view_run
from runners.records.run import Gate, Honesty, Run, RunFolder
from tests.support import ROOT
from tests.unit.reports.view.test_footprint import CELL


def row(class_: str, *failed: str, required: bool) -> Row:
    """Return the row of a server that fails some gates of robustness."""
    gates = tuple(Gate(name, "", required, "fail", kind="robustness") for name in failed)
    cell = replace(CELL, class_=class_)
    run = Run(kind="measured", machine="local", cells=(cell,), honesty=(Honesty("a", 1, class_, gates),))
    return cell_row(cell, "a", "", view_run(RunFolder(ROOT, run, ())))


def test_gates_that_a_server_fails_are_named_beside_its_number() -> None:
    """Up to three; more are counted, and the section on honesty has them all."""
    assert "fails date, head" in row("application", "date", "head", required=False).tags
    assert "fails 4 gates of robustness" in row("application", "a", "b", "c", "d", required=False).tags


@pytest.mark.parametrize(("class_", "gate"), [("application", "strict"), ("stripped", "date")])
def test_what_nobody_promises_and_what_a_class_says_already_is_no_badge(class_: str, gate: str) -> None:
    """A stripped server answers a constant: its tag says so."""
    assert not [tag for tag in row(class_, gate, required=False).tags if tag.startswith("fails")]


def test_a_server_that_breaks_its_class_s_promise_is_not_ranked() -> None:
    """An application promises nothing; what is historic is never ranked anyway."""
    assert row("realistic", "garbage", required=True).broken == ("garbage",)
    assert row("application", "garbage", required=False).broken == ()
    assert row("historic", "garbage", required=True).broken == ()
