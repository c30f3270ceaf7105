"""git finds the first bad commit in a repository of its own; the real one stays as it is to the last byte."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from runners.errors import BadInput
from runners.server.revisions.bisection import Told, begin, subject, tell
from runners.server.revisions.checkouts import Repository, find_repository, find_revision
from tests.unit.runners.server.revisions.test_checkouts import commit, git, snapshot

COMMITS = 16


@pytest.fixture(name="repository")
def sixteen_commits(tmp_path: Path) -> Repository:
    """Return a repository with a line of commits, 0 to 15."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q")
    for number in range(COMMITS):
        commit(folder, "number", str(number))
    return find_repository(folder)


def bisected(
    repository: Repository, folder: Path, judge: Callable[[int], Told], good: str = "HEAD~15", bad: str = "HEAD"
) -> tuple[str | None, tuple[str, ...], list[int]]:
    """Return the culprit, the suspects, and the numbers of all commits that were judged."""
    step = begin(repository, find_revision(repository, good), find_revision(repository, bad), folder / "git")
    judged = []
    while step.commit:
        judged.append(number(repository, step.commit))
        step = tell(folder / "git", judge(judged[-1]), step.commit)
    return step.culprit, step.suspects, judged


def number(repository: Repository, commit: str) -> int:
    """Return a commit's number."""
    return int(subject(repository, commit).rpartition(" ")[2])


@pytest.mark.parametrize("culprit", [1, 7, 8, 15])
def test_the_first_bad_commit_is_found_in_four_steps(repository: Repository, tmp_path: Path, culprit: int) -> None:
    """Of sixteen; no file, branch or ref of the repository changes."""
    before = snapshot(repository.top)
    found, _, judged = bisected(repository, tmp_path, lambda number: "bad" if number >= culprit else "good")
    assert found is not None
    assert number(repository, found) == culprit
    assert len(judged) <= 4
    assert snapshot(repository.top) == before


def test_commits_that_cannot_be_judged_are_gone_around(repository: Repository, tmp_path: Path) -> None:
    """As long as the culprit is not next to one."""
    found, _, _ = bisected(
        repository, tmp_path, lambda number: "skip" if number in {6, 7} else "bad" if number >= 12 else "good"
    )
    assert found is not None
    assert number(repository, found) == 12


def test_a_culprit_among_skipped_commits_leaves_suspects(repository: Repository, tmp_path: Path) -> None:
    """Nobody can know which one it is."""
    found, suspects, _ = bisected(
        repository, tmp_path, lambda number: "skip" if number in {6, 7} else "bad" if number >= 8 else "good"
    )
    assert found is None
    assert {number(repository, each) for each in suspects} == {6, 7, 8}


def test_revisions_in_the_wrong_order_are_refused(repository: Repository, tmp_path: Path) -> None:
    """With git's words."""
    with pytest.raises(BadInput, match="git bisect cannot go on"):
        bisected(repository, tmp_path, lambda _: "good", good="HEAD", bad="HEAD~15")
