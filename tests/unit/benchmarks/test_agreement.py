"""Whether two runs agree on what both resolved."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from benchmarks.agreement import Agreement, lines, main, verdicts
from reports.forms.answers import run_data
from reports.forms.summary import summarize
from reports.view.view import view_run
from runners.records.folder import append_trials, write_run
from runners.records.run import RunFolder
from tests.support.small_run import duet_run, small_run

SPEEDS = {"a": 1.0, "b": 1.5, "c": 1.0}


def agreement(one: RunFolder, other: RunFolder) -> Agreement:
    """Return what two runs say of the same rows."""
    first, second = (verdicts(run_data(summarize(view_run(folder)))) for folder in (one, other))
    return Agreement(first, second)


def written(folder: RunFolder, path: Path) -> str:
    """Write a run folder and return its path."""
    path.mkdir()
    write_run(path, folder.run)
    append_trials(path, folder.trials)
    return str(path)


def test_a_run_agrees_with_itself() -> None:
    """On everything that it resolved."""
    found = agreement(small_run(SPEEDS), small_run(SPEEDS))

    assert len(found.resolved) == 2
    assert (found.opposed, found.apart) == ((), ())
    assert list(lines(found))[-1] == "both resolved 2 of 2 in common, and disagree on the direction of 0"


@pytest.mark.parametrize(
    ("other", "opposed", "apart"),
    [
        ({"b": 0.7}, 1, 0),
        ({"b": 1.8}, 0, 1),
        ({"c": 1.3}, 0, 1),
    ],
    ids=["better and worse", "better, by another amount", "equivalent and better"],
)
def test_only_better_and_worse_oppose_each_other(other: Mapping[str, float], opposed: int, apart: int) -> None:
    """Other differences between intervals are told, but agree on the direction."""
    found = agreement(small_run(SPEEDS), small_run({**SPEEDS, **other}))

    assert (len(found.opposed), len(found.apart)) == (opposed, apart)


def test_what_one_run_did_not_resolve_is_no_disagreement() -> None:
    """A noisy run says less, not something else."""
    found = agreement(small_run(SPEEDS), small_run({"a": 1.0, "b": 0.97, "c": 1.0}, noise=0.2))

    assert found.resolved == ()
    assert "the second run resolved 0 of 2 comparisons (0 %)" in list(lines(found))


def test_duets_are_compared_too() -> None:
    """By their cells."""
    found = agreement(duet_run({"plain": 1.0, "lean": 0.8}), duet_run({"plain": 1.0, "lean": 1.2}))

    assert [name[:2] for name in found.opposed] == [("Duets", "lean")]


def test_the_command_fails_if_verdicts_oppose_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """0, 1, or 3 if nothing can be compared; a folder that is none is an error."""
    one, same, opposite, few = (
        written(folder, tmp_path / name)
        for name, folder in {
            "one": small_run(SPEEDS),
            "same": small_run(SPEEDS),
            "opposite": small_run({**SPEEDS, "b": 0.7}),
            "few": small_run(SPEEDS, blocks=1),
        }.items()
    )

    def code(*runs: str) -> int:
        monkeypatch.setattr(sys, "argv", ["agreement", *runs])
        return main()

    assert [code(one, same), code(one, opposite), code(one, few)] == [0, 1, 3]
    assert "DISAGREE: Speed: b: faster (1.4" in capsys.readouterr().out
    assert code(one, str(tmp_path / "nothing")) == 2
