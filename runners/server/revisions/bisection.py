"""git's own bisection, in a repository of its own that borrows the commits: nothing of the real one changes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from runners.errors import BadInput
from runners.server.revisions.checkouts import Repository, Revision, borrow, run_git

Told = Literal["good", "bad", "skip"]
FIRST_BAD = re.compile(r"^([0-9a-f]{40,64}) is the first bad commit", re.MULTILINE)
COMMIT = re.compile(r"^([0-9a-f]{40,64})$", re.MULTILINE)


@dataclass(frozen=True)
class Step:
    """Where a bisection stands: the commit to judge next, or the culprit, or who it may be if too many were skipped."""

    commit: str | None = None
    culprit: str | None = None
    suspects: tuple[str, ...] = ()


def begin(repository: Repository, good: Revision, bad: Revision, folder: Path) -> Step:
    """Begin to look for the first bad commit in a new folder; BadInput, with git's words, if none can be found."""
    borrow(repository, bad, folder)
    for words in (("update-ref", "HEAD", bad.commit), ("bisect", "start", "--no-checkout", bad.commit)):
        _must(folder, words)
    return tell(folder, "good", good.commit)


def tell(folder: Path, verdict: Told, commit: str) -> Step:
    """Say what a commit is; return what is to be judged next."""
    done = run_git(folder, ("bisect", verdict, commit))
    if found := FIRST_BAD.search(done.stdout):
        return Step(culprit=found[1])
    if "only 'skip'ped commits left" in done.stdout:
        return Step(suspects=tuple(COMMIT.findall(done.stdout)))
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())
        raise BadInput(f"git bisect cannot go on: {said}")
    return Step(commit=_must(folder, ("rev-parse", "BISECT_HEAD")).strip())


def subject(repository: Repository, commit: str) -> str:
    """Return the first line of a commit's message."""
    return run_git(repository.top, ("show", "--no-patch", "--format=%s", commit)).stdout.strip()


def _must(folder: Path, words: tuple[str, ...]) -> str:
    done = run_git(folder, words)
    if done.returncode:
        raise BadInput(f"git {words[0]}: {' '.join(done.stderr.split()) or 'no reason'}")
    return done.stdout
