"""What `compare --prove` counts, from made-up comparisons whose truth is known, and how it slows a server."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from reports.changes.change import change_of
from reports.changes.slowdowns import Bound
from runners.matrix.starter.learned import Launch
from runners.matrix.starter.writing import Row
from runners.records.folder import append_trials, write_run
from speedup import entry
from speedup.comparing.proving import Proof, counted, data_of, is_called, slowed
from tests.support.changes import Truth, comparison


def test_slowdowns_that_are_caught_and_false_alarms_are_counted(tmp_path: Path) -> None:
    """In turns, so many of each."""
    asked: list[float] = []

    def compare(share: float) -> Path:
        asked.append(share)
        made = comparison(Truth(cpu=1 + share, seed=len(asked)))
        folder = tmp_path / str(len(asked))
        folder.mkdir()
        write_run(folder, made.run)
        append_trials(folder, made.trials)
        return folder

    proof = counted(0.1, 3, (), compare)
    assert asked == [0.1, 0, 0.1, 0, 0.1, 0]
    assert (proof.caught, proof.alarms, len(proof.runs)) == (3, 0, 6)


def test_the_answer_has_exact_bounds() -> None:
    """All of ten tries is not always."""
    proof = Proof(0.02, 10, 0, 10, "any verdict on CPU per request")
    assert proof.sentence.startswith(
        "A 2 % slowdown was caught in 10 of 10 tries (at least 74 %, 95 % sure); false alarms 0 of 10 (at most 26 %"
    )
    assert data_of(proof)["caught_at_least"] == pytest.approx(0.741, abs=0.001)


def test_of_an_unchanged_server_any_direction_is_a_false_alarm() -> None:
    """Unless a bound of the gate decides."""
    better, worse = (change_of([comparison(Truth(cpu=cpu))]) for cpu in (0.9, 1.1))
    assert [is_called(change, (), either=True) for change in (better, worse)] == [True, True]
    assert [is_called(change, (), either=False) for change in (better, worse)] == [False, True]
    assert [is_called(worse, (Bound("cpu", share),), either=False) for share in (0.05, 0.2)] == [True, False]


def test_both_sides_start_in_the_same_way_but_for_the_share() -> None:
    """Else something other than the slowdown would differ."""
    row = Row("x", "x", Launch(("./server", "--port={port}"), {"A": "b"}))
    old, new = slowed(row, "old", "unchanged", 0.0), slowed(row, "new", "slowed", 0.02)
    assert old.launch is not None
    assert new.launch is not None
    assert old.launch.run[0] == sys.executable
    assert (old.launch.run[2], new.launch.run[2]) == ("0", "0.02")
    assert old.launch.run[3:] == new.launch.run[3:] == ("./server", "--port={port}")
    assert new.launch.env == {"A": "b"}


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["a", "--prove", "much"], "--prove much"),
        (["a", "--prove", "200%"], "above 0% and up to 100%"),
        (["a", "b", "--prove", "2%"], "--prove takes one command"),
        (["--rev", "HEAD", "--prove", "2%"], "--prove takes one command"),
    ],
)
def test_what_cannot_be_proved_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    complaint: str,
) -> None:
    """With exit code 2."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert entry.main(["compare", *words]) == 2
    assert complaint in capsys.readouterr().err
