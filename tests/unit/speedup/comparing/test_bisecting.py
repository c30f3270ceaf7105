"""`bisect` tells git what was measured, a line for each commit, and answers in a sentence and in JSON."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.changes.change import Place
from reports.changes.culprit import Aim
from runners.server.revisions.bisection import Step, Told
from runners.stats.statistics import Estimate, Interval
from speedup import entry
from speedup.comparing.bisecting import SHORT, Found, Tried, hunt
from speedup.measure.bisect import data_of
from tests.unit.runners.server.revisions.test_checkouts import commit, git

SLOWER = Estimate(1.3, 12, Interval(1.28, 1.32, 0.98))
AIM = Aim("cpu", Place("persistent"), 1.14, SLOWER)


def tried(commit: str, told: Told) -> Tried:
    """Return a commit that was judged."""
    return Tried(commit, f"subject of {commit}", told, "CPU per request", SLOWER, ("a-run",))


def test_each_commit_that_git_asks_for_is_judged_and_shown_until_the_culprit_is_known() -> None:
    """With a fake git, and a fake measurement."""
    steps = {("good", "b"): Step("c"), ("skip", "c"): Step("d"), ("bad", "d"): Step(culprit="d")}
    verdicts: dict[str, Told] = {"b": "good", "c": "skip", "d": "bad"}
    shown: list[str] = []

    def tell(told: Told, commit: str) -> Step:
        return steps[told, commit]

    end, judged = hunt(Step("b"), lambda commit: tried(commit, verdicts[commit]), tell, shown.append)
    assert end.culprit == "d"
    assert [each.told for each in judged] == ["good", "skip", "bad"]
    assert shown[0] == "b good: CPU per request (subject of b)"


def test_the_answer_names_the_commit_its_subject_and_the_interval() -> None:
    """In a sentence, and as data."""
    culprit = tried("d" * 40, "bad")
    found = Found("v1", AIM, (culprit,), culprit, (), "it needs 30 % more CPU per request than v1 (98 % CI 28-32 %)")
    assert found.sentence == (
        f'{"d" * SHORT} "subject of {"d" * 40}" is the first slower commit:'
        " it needs 30 % more CPU per request than v1 (98 % CI 28-32 %)."
    )
    data = data_of(found)
    assert data["culprit"] == data["tried"][0]  # type: ignore[index]
    assert (data["limit"], data["figure"], data["suspects"]) == (1.14, "cpu", [])


def test_suspects_are_named_if_nobody_can_know() -> None:
    """The last one is known to be bad."""
    found = Found("v1", AIM, (), None, ("a" * 40, "b" * 40))
    assert found.sentence.startswith("Not resolved: the first slower commit is one of aaaaaaaaaa, bbbbbbbbbb")
    assert data_of(found)["culprit"] is None


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["HEAD~1", "HEAD"], "there is no matrix.toml here"),
        (["nothing", "HEAD", "--run", "x"], "'nothing' is no revision"),
        (["HEAD", "HEAD", "--run", "x"], "are the same commit"),
        (["HEAD", "HEAD~1", "--run", "x"], "git bisect cannot go on"),
        (["HEAD~1", "HEAD", "--run", "./server"], "both build the same program"),
    ],
)
def test_what_cannot_be_bisected_is_refused_in_one_message(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    complaint: str,
) -> None:
    """With exit code 2; nothing is measured."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    git(here, "init", "-q")
    commit(here, "README.md", "1")
    git(here, "commit", "-q", "--allow-empty", "-m", "nothing")
    assert entry.main(["bisect", *words]) == 2
    assert complaint in capsys.readouterr().err
