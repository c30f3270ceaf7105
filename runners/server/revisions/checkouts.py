"""Checks out revisions of a git repository into folders of their own, without touching the repository.

A checkout is a repository of its own that borrows the objects: no branch, no worktree entry and no file of the
repository changes, whatever ends this. The working tree, with changes that are not committed, is one with its files
copied over. Submodules come from the repository's own copies, so that nothing is fetched.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from runners.errors import BadInput

WORKING_TREE = "working tree"
PLAIN = ("-c", "core.hooksPath=/dev/null", "-c", "protocol.file.allow=always", "-c", "advice.detachedHead=false")


@dataclass(frozen=True)
class Repository:
    """A repository with a working tree: its top folder, its git folder, and where in it a person stands."""

    top: Path
    git: Path
    prefix: str


@dataclass(frozen=True)
class Revision:
    """A revision to check out: what people call it, and its commit; `working` with what the working tree changed."""

    name: str
    commit: str
    working: bool = False


def find_repository(folder: Path) -> Repository:
    """Return the repository that a folder is in; BadInput if there is none, for which git need not be started."""
    places = (folder.resolve(), *folder.resolve().parents)
    inside = any((place / ".git").exists() for place in places)
    answer = _ask(folder, "rev-parse", "--show-toplevel", "--absolute-git-dir", "--show-prefix") if inside else None
    if answer is None:
        raise BadInput(
            f"{folder.resolve()} is in no git repository with a working tree; go to one, or name two commands"
        )
    top, _, prefix, *_ = (*answer.split("\n"), "")
    common = _ask(folder, "rev-parse", "--path-format=absolute", "--git-common-dir") or ""
    return Repository(Path(top), Path(common.strip()), prefix)


def find_revision(repository: Repository, name: str) -> Revision:
    """Return the revision that a name means; BadInput if it means none."""
    found = None if name.startswith("-") else _ask(
        repository.top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"
    )  # fmt: skip
    if not found:
        raise BadInput(f"'{name}' is no revision of {repository.top}; git log --oneline --all lists them")
    return Revision(name, found.strip())


def working_tree(repository: Repository) -> Revision:
    """Return the working tree as it is now; BadInput if a submodule holds changes, which no checkout could get."""
    status = _ask(repository.top, "status", "--porcelain=v2", "--untracked-files=no") or ""
    for line in status.splitlines():
        kind, *words = line.split(" ")
        if kind in {"1", "2"} and words[1].startswith("S") and words[1] != "S...":
            raise BadInput(f"the submodule {words[-1]} has changes; commit them there and here, or name two revisions")
    head = find_revision(repository, "HEAD")
    return Revision(WORKING_TREE, head.commit, working=True)


def check_different(repository: Repository, old: Revision, new: Revision) -> None:
    """Raise BadInput if two revisions are the same commit, or an unchanged working tree at it."""
    if old.commit != new.commit:
        return
    if not new.working:
        raise BadInput(f"{old.name} and {new.name} are the same commit, {old.commit[:12]}")
    if not _ask(repository.top, "status", "--porcelain"):
        raise BadInput(f"nothing has changed in the working tree since {old.name}; name two revisions")


def check_out(repository: Repository, revision: Revision, folder: Path) -> None:
    """Check out a revision into a new folder; BadInput, with git's words, if that fails."""
    borrow(repository, revision, folder)
    _must(folder, ("checkout", "--quiet", "--detach", revision.commit), revision)
    if revision.working:
        _copy_working_tree(repository, folder)
    _check_out_submodules(repository.git, folder, revision)


def borrow(repository: Repository, revision: Revision, folder: Path) -> None:
    """Make a repository that borrows all objects of another, also those that only a shallow fetch brought; with tags.

    A clone would have those alone that a branch leads to, and none from a shallow repository.
    """
    folder.mkdir(parents=True)
    kind = (_ask(repository.top, "rev-parse", "--show-object-format") or "sha1").strip()
    _must(folder, ("init", "--quiet", "--template=", f"--object-format={kind}"), revision)
    own = folder / ".git"
    (own / "objects/info").mkdir(exist_ok=True)
    (own / "objects/info/alternates").write_bytes(os.fsencode(repository.git / "objects") + b"\n")
    if (repository.git / "shallow").exists():
        shutil.copy(repository.git / "shallow", own / "shallow")
    tags = _ask(repository.top, "for-each-ref", "--format=create %(refname) %(objectname)", "refs/tags")
    if tags:
        run_git(folder, ("update-ref", "--stdin"), tags)


def _copy_working_tree(repository: Repository, folder: Path) -> None:
    """Put the files of the working tree in place of those that were checked out; ignored ones stay behind."""
    for path in _listed(folder, "--cached"):
        if not (folder / path).is_dir():
            (folder / path).unlink(missing_ok=True)
    for path in _listed(repository.top, "--cached", "--others", "--exclude-standard"):
        source, target = repository.top / path, folder / path
        if source.is_symlink() or source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)


def _listed(folder: Path, *which: str) -> Iterator[str]:
    names = _ask(folder, "ls-files", "-z", *which) or ""
    yield from (name for name in names.split("\0") if name)


def _check_out_submodules(git: Path, folder: Path, revision: Revision) -> None:
    """Check out the submodules from the copies that the repository has, and theirs in turn."""
    if not (folder / ".gitmodules").exists():
        return
    told = _ask(folder, "config", "--file", ".gitmodules", "--get-regexp", r"^submodule\..*\.path$") or ""
    for line in told.splitlines():
        key, _, path = line.partition(" ")
        name = key.removeprefix("submodule.").removesuffix(".path")
        own = git / "modules" / name
        _must(folder, ("submodule", "--quiet", "init", "--", path), revision)
        if own.is_dir():
            _must(folder, ("config", f"submodule.{name}.url", str(own)), revision)
        _must(folder, ("submodule", "--quiet", "update", "--", path), revision)
        _check_out_submodules(own, folder / path, revision)


def _must(folder: Path, words: Sequence[str], revision: Revision) -> None:
    done = run_git(folder, words)
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise BadInput(f"{revision.name} cannot be checked out: git {words[0]}: {said[-1] if said else 'no reason'}")


def _ask(folder: Path, *words: str) -> str | None:
    """Return what git answers; None if it fails."""
    done = run_git(folder, words)
    return done.stdout if done.returncode == 0 else None


def run_git(folder: Path, words: Sequence[str], typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run git; a hook that runs us names its repository in the environment, which is not always the one meant."""
    env = {name: text for name, text in os.environ.items() if not name.startswith("GIT_")}
    env |= {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        return subprocess.run(
            ["git", *PLAIN, "-C", str(folder), *words],
            env=env, input=typed, capture_output=True, text=True, errors="surrogateescape", check=False,
        )  # fmt: skip
    except OSError as error:
        raise BadInput(f"cannot run git: {error.strerror}; --rev needs it, two commands do not") from error
