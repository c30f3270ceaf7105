"""`compare` answers from what was recorded, refuses what cannot be compared, and keeps exit code 1 for slowdowns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runners.errors import BadInput, DiskFull, Interrupted, NothingSelected, UnfitMachine
from runners.matrix.starter.comparison import comparison_matrix, lengths_for
from runners.matrix.starter.learned import Launch, Learned
from runners.matrix.starter.writing import Row
from runners.plan.planning import Options, make_plan
from runners.records.folder import append_trials, write_run
from runners.records.run import CellInfo, Run, RunFolder
from runners.records.trial import Check, Trial
from speedup import entry
from speedup.comparing.endings import DoesNotStart, failure_code, gate_code
from speedup.comparing.live import so_far
from speedup.comparing.measuring import check_measured
from speedup.comparing.sides import answers_alike, check_same, labels
from speedup.measure.plan import beyond, what
from tests.support.changes import Truth, comparison
from tests.support.machine import only_wrk


def learned(
    *bodies: bytes, status: int = 200, modes: tuple[str, ...] = ("persistent",), took_s: float = 0.0001
) -> Learned:
    """Return what was learned of a server that answers these bodies."""
    return Learned("/", status, "text/plain", bodies, modes, 64, took_s)  # type: ignore[arg-type]


def recorded(folder: Path, truth: Truth) -> str:
    """Write a made-up comparison into a run folder."""
    made = comparison(truth)
    folder.mkdir()
    write_run(folder, made.run)
    append_trials(folder, made.trials)
    return str(folder)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ([], 0),
        (["--fail-slower", "2%"], 1),
        (["--fail-slower", "20%"], 0),
        (["--fail-slower", "2%", "--bisect-codes"], 1),
        (["--fail-slower", "p99:10%", "--fail-slower", "2%"], 1),
    ],
)
def test_a_recorded_comparison_is_answered_and_judged_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int
) -> None:
    """Without measuring anything; the report's path comes last."""
    run = recorded(tmp_path / "run", Truth(cpu=1.1))
    assert entry.main(["compare", run, *words]) == code
    lines = capsys.readouterr().out.rstrip().splitlines()
    assert lines[0].startswith("new needs 10.")
    assert lines[-1].endswith("run/report.html")


@pytest.mark.parametrize(("bisecting", "code"), [(False, 0), (True, 125)])
def test_what_is_not_resolved_is_no_slowdown(tmp_path: Path, bisecting: bool, code: int) -> None:  # noqa: FBT001 - a parameter
    """For `git bisect run` it is a revision to skip."""
    run = recorded(tmp_path / "run", Truth(cpu=1.021, noise=0.02))
    words = ["--bisect-codes"] if bisecting else []
    assert entry.main(["compare", run, "--fail-slower", "2%", *words]) == code


def test_json_and_markdown_are_other_forms_of_the_same_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the same sentence."""
    run = recorded(tmp_path / "run", Truth(cpu=0.9))
    assert entry.main(["compare", run, "--json"]) == 0
    sentence = json.loads(capsys.readouterr().out)["sentence"]
    assert entry.main(["compare", run, "--format", "md"]) == 0
    assert f"**{sentence}**" in capsys.readouterr().out


@pytest.fixture(name="folder")
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder to stand in, with a cache of its own: nobody else's run is in the way."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "name two commands, as in speedup compare"),
        (["./old"], "name two commands"),
        (["a", "b", "c"], "name two commands"),
        (["a", "b", "--build", "make"], "--build belongs to --rev REV"),
        (["a", "b", "--rev", "main"], "give two commands, or --rev, not both"),
        (["a | b", "c"], "'|' needs a shell"),
        (["'a", "c"], "No closing quotation"),
    ],
)
def test_what_names_no_two_sides_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], complaint: str
) -> None:
    """With one message, nothing written, and the codes for bad input."""
    assert entry.main(["compare", *words]) == 2
    assert complaint in capsys.readouterr().err
    assert entry.main(["compare", *words, "--fail-slower", "2%", "--bisect-codes"]) == 128
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("side", "complaint"),
    [("false", "old: false: it ended with exit status 1"), ("/nowhere/server", "cannot start /nowhere/server")],
)
@pytest.mark.usefixtures("folder")
def test_a_side_that_does_not_start_is_skipped_by_bisect(
    capsys: pytest.CaptureFixture[str], side: str, complaint: str
) -> None:
    """For people it is bad input, and it says why."""
    assert entry.main(["compare", side, side]) == 2
    assert complaint in capsys.readouterr().err
    assert entry.main(["compare", side, side, "--fail-slower", "2%", "--bisect-codes"]) == 125


@pytest.mark.usefixtures("folder")
def test_codes_for_bisect_need_to_know_what_is_bad(capsys: pytest.CaptureFixture[str]) -> None:
    """Else every revision would be good."""
    assert entry.main(["compare", "a", "b", "--bisect-codes"]) == 128
    assert "--bisect-codes needs a bound" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "code"), [(["--fail-slower", "fast"], 2), (["--bisect-codes", "--nonsense"], 128)])
def test_wrong_options_end_with_the_code_for_bad_input(
    capsys: pytest.CaptureFixture[str], words: list[str], code: int
) -> None:
    """`git bisect run` would take 2 for a bad revision."""
    with pytest.raises(SystemExit) as ended:
        entry.main(["compare", "a", "b", *words])
    assert ended.value.code == code
    assert "see speedup" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "plain", "bisecting"),
    [
        (BadInput("x"), 2, 128),
        (DoesNotStart("x"), 2, 125),
        (NothingSelected("x"), 2, 128),
        (UnfitMachine("x"), 4, 128),
        (DiskFull("x"), 4, 128),
        (Interrupted("x"), 130, 130),
        (ZeroDivisionError("ours"), 4, 128),
    ],
)
def test_no_failure_looks_like_a_slowdown(error: Exception, plain: int, bisecting: int) -> None:
    """Not even a fault of ours."""
    assert failure_code(error, bisecting=False) == plain
    assert failure_code(error, bisecting=True) == bisecting


def test_a_gate_is_not_green_where_nothing_was_measured() -> None:
    """Exit code 4: this machine cannot tell."""
    assert [gate_code("not measured", bisecting=each) for each in (False, True)] == [4, 125]
    assert [gate_code(None, bisecting=each) for each in (False, True)] == [0, 0]


def test_different_answers_are_refused_side_by_side_unless_agreed_to() -> None:
    """Their numbers would compare different work."""
    one, other = learned(b'{"a": 1}'), learned(b'{"a": 2}')
    with pytest.raises(BadInput) as refused:
        check_same("old", one, "new", other, agreed=False)
    lines = str(refused.value).splitlines()
    assert [line.split(":")[0].strip() for line in lines[1:3]] == ["old", "new"]
    assert lines[3].endswith("add --different-answers")
    check_same("old", one, "new", other, agreed=True)


def test_different_statuses_cannot_be_agreed_to() -> None:
    """One of them would be wrong all the time."""
    with pytest.raises(BadInput, match="different statuses"):
        check_same("old", learned(b"x"), "new", learned(b"x", status=201), agreed=True)


def test_answers_that_always_differ_are_alike_if_they_differ_in_the_same_way() -> None:
    """Such as JSON with the time in it, or a page of about the same length."""
    assert answers_alike(
        learned(b'{"a": 1, "now": 1}', b'{"a": 1, "now": 2}'), learned(b'{"a": 1, "now": 3}', b'{"a": 1, "now": 4}')
    )
    assert answers_alike(learned(b"a" * 500, b"b" * 510), learned(b"c" * 505, b"d" * 520))
    assert not answers_alike(learned(b"a" * 500, b"b" * 510), learned(b"c" * 5000, b"d" * 5000))


@pytest.mark.parametrize(
    ("commands", "wanted"),
    [
        (("./old", "./new"), ("old", "new")),
        (("./a/server", "./b/server"), ("old", "new")),
        (("x", "x"), ("old", "new")),
    ],
)
def test_sides_are_called_by_their_programs_unless_those_are_alike(
    commands: tuple[str, str], wanted: tuple[str, str]
) -> None:
    """Then they are old and new."""
    assert labels([Launch((command,)) for command in commands]) == wanted


@pytest.mark.usefixtures("wrk_on_path")
@pytest.mark.parametrize("budget_s", [5.0, 20.0, 60.0, 600.0])
@pytest.mark.parametrize("modes", [("persistent",), ("persistent", "non-persistent")], ids=["one mode", "two modes"])
def test_the_matrix_of_a_comparison_can_be_planned_within_its_budget(budget_s: float, modes: tuple[str, ...]) -> None:
    """One request at a time is measured in duets only; a short budget still gives duets enough for an interval."""
    asked = learned(b"Hello", modes=modes)
    old, new = (Row(side, side, Launch(("./server", "--port={port}"))) for side in ("old", "new"))
    plan = make_plan(Options(text=comparison_matrix(old, new, asked, budget_s), machine="local"))
    assert {(duet.row.name, duet.baseline.name) for duet in plan.duets} == {("new", "old")}
    assert {duet.baseline.connections for duet in plan.duets} == {1, 64}
    lengths = lengths_for(budget_s, asked)
    load_s = 2 * len(modes) * (lengths.duet_blocks * lengths.duet_ms / 1000 + lengths.solo_blocks * lengths.solo_s)
    assert lengths.duet_blocks >= 10
    assert load_s <= max(budget_s * 1.05, 2 * len(modes) * (10 * 0.3 + 1))


def test_both_sides_are_asked_at_one_rate_where_something_paces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Persistent connections, many of them; without h2load the plan says what is lacking, and measures the rest."""
    programs = only_wrk(tmp_path, monkeypatch)
    asked = learned(b"Hello", modes=("persistent", "non-persistent"))
    old, new = (Row(side, side, Launch(("./server", "--port={port}"))) for side in ("old", "new"))
    options = Options(text=comparison_matrix(old, new, asked, 60), machine="local")
    without = make_plan(options)
    assert without.unpaced is not None
    assert "h2load" in without.unpaced
    assert (without.equal_rates, without.loads_used, without.latency_s) == ((), ("wrk",), 0.0)
    (programs / "h2load").write_text("#!/bin/sh\necho 'h2load nghttp2/1.52.0'\n", encoding="utf-8")
    (programs / "h2load").chmod(0o755)
    (duet,) = (plan := make_plan(options)).equal_rates
    assert (duet.row.name, duet.row.mode, duet.row.connections) == ("new", "persistent", 64)
    assert plan.loads_used == ("wrk", "h2load")
    assert plan.equally_paced.whole.items == 12
    assert what(plan).endswith(" and 1 duet x 12 blocks at an equal rate")
    assert beyond(plan) == ", plus builds and automatic warm-ups"


def test_a_slow_server_has_longer_trials() -> None:
    """Else they would hold too few answers."""
    lengths = lengths_for(60, learned(b"x", took_s=0.2))
    assert (lengths.solo_s, lengths.duet_ms) == (2, 2000)


def test_a_side_without_a_valid_trial_is_at_fault_unless_the_machine_is() -> None:
    """Exit codes 2 and 4 tell them apart."""
    with pytest.raises(DoesNotStart, match="new gave no number that counts with 64 connections: it crashed"):
        check_measured(one_trial("failed", "it crashed"))
    with pytest.raises(UnfitMachine, match="V15 busy; try a quieter machine"):
        check_measured(one_trial("invalid", "V15 busy", "V15"))
    with pytest.raises(DoesNotStart, match="V0 wrong answers"):
        check_measured(one_trial("invalid", "V0 wrong answers", "V0", "V15"))


def one_trial(verdict: str, reason: str, *failed: str) -> RunFolder:
    """Return a run of one trial that does not count."""
    made = comparison(Truth())
    cell: CellInfo = next(each for each in made.run.cells if each.server == "new")
    checks = tuple(Check(name, name, "fail", "") for name in failed)
    trial = Trial(cell.id, "new", None, 1, 64, cell.mode, "local", verdict, design="duet", reason=reason, checks=checks)  # type: ignore[arg-type]
    return RunFolder(Path("results/x"), Run("measured", "local", cells=made.run.cells), (trial,))


def test_the_interval_so_far_is_shown_while_it_narrows() -> None:
    """Nothing before the first duet, no interval before the sixth."""
    trials = comparison(Truth(cpu=1.1)).trials
    assert so_far(trials[:2]) == ""
    assert so_far(trials).startswith("persistent CPU +10.")
