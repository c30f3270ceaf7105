"""Revisions are checked out beside a repository, which stays as it is to the last byte."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from runners.errors import BadInput
from runners.server.revisions.checkouts import (
    Repository,
    check_different,
    check_out,
    find_repository,
    find_revision,
    working_tree,
)

IDENTITY = {f"GIT_{who}_{what}": "x@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def git(folder: Path, *words: str) -> str:
    """Run git as somebody, without that person's settings."""
    env = {**os.environ, **IDENTITY, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    command = ["git", "-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always", "-C", str(folder), *words]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout


def commit(folder: Path, name: str, text: str) -> None:
    """Commit a file."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", f"{name}: {text}")


@pytest.fixture(name="repository")
def two_commits(tmp_path: Path) -> Repository:
    """Return a repository with two commits."""
    folder = tmp_path / "a repository"
    folder.mkdir()
    git(folder, "init", "-q")
    commit(folder, "part/server.txt", "one")
    commit(folder, "part/server.txt", "two")
    return find_repository(folder)


def snapshot(folder: Path) -> dict[str, bytes]:
    """Return every file of a repository, git's own among them."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_each_revision_is_checked_out_and_nothing_of_the_repository_changes(
    repository: Repository, tmp_path: Path
) -> None:
    """No branch, no worktree entry, no index."""
    before = snapshot(repository.top)
    for name in ("HEAD~1", "main"):
        check_out(repository, find_revision(repository, name), tmp_path / "out" / name)
    texts = [(tmp_path / "out" / name / "part/server.txt").read_text("utf-8") for name in ("HEAD~1", "main")]
    assert texts == ["one", "two"]
    assert snapshot(repository.top) == before


def test_the_working_tree_is_taken_with_its_changes_and_new_files_but_not_with_ignored_ones(
    repository: Repository, tmp_path: Path
) -> None:
    """What git would show as changed."""
    top = repository.top
    commit(top, ".gitignore", "*.log\n")
    commit(top, "gone.txt", "here")
    (top / "gone.txt").unlink()
    (top / "part/server.txt").write_text("three", encoding="utf-8")
    (top / "new file.sh").write_text("new", encoding="utf-8")
    (top / "new file.sh").chmod(0o755)
    (top / "link").symlink_to("part/server.txt")
    (top / "big.log").write_text("ignored", encoding="utf-8")
    before = snapshot(top)
    out = tmp_path / "out"
    check_out(repository, working_tree(repository), out)
    found = sorted(
        str(path.relative_to(out)) for path in out.rglob("*") if ".git" not in path.parts and not path.is_dir()
    )
    assert found == [".gitignore", "link", "new file.sh", "part/server.txt"]
    assert (out / "part/server.txt").read_text("utf-8") == "three"
    assert os.access(out / "new file.sh", os.X_OK)
    assert snapshot(top) == before


def test_submodules_come_from_the_repository_s_own_copies(repository: Repository, tmp_path: Path) -> None:
    """Where they came from may be gone."""
    library = tmp_path / "library"
    library.mkdir()
    git(library, "init", "-q")
    commit(library, "library.txt", "of the library")
    git(repository.top, "submodule", "add", "-q", str(library), "vendor/library")
    git(repository.top, "commit", "-qm", "a library")
    library.rename(tmp_path / "moved away")
    check_out(repository, find_revision(repository, "HEAD"), tmp_path / "out")
    assert (tmp_path / "out/vendor/library/library.txt").read_text("utf-8") == "of the library"

    (repository.top / "vendor/library/library.txt").write_text("changed", encoding="utf-8")
    with pytest.raises(BadInput, match="the submodule vendor/library has changes; commit them"):
        working_tree(repository)


def test_a_commit_that_only_a_shallow_fetch_brought_can_be_checked_out(repository: Repository, tmp_path: Path) -> None:
    """As in CI, where no branch leads to the base of a pull request."""
    base = git(repository.top, "rev-parse", "HEAD~1").strip()
    git(repository.top, "config", "uploadpack.allowAnySHA1InWant", "true")
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{repository.top}", str(shallow))
    git(shallow, "fetch", "-q", "--depth=1", "origin", base)
    found = find_repository(shallow)
    check_out(found, find_revision(found, base), tmp_path / "out")
    assert (tmp_path / "out/part/server.txt").read_text("utf-8") == "one"


def test_tags_are_there_for_builds_that_ask_for_a_version(repository: Repository, tmp_path: Path) -> None:
    """With `git describe`."""
    git(repository.top, "tag", "-a", "v1", "-m", "one", "HEAD~1")
    check_out(repository, find_revision(repository, "HEAD"), tmp_path / "out")
    assert git(tmp_path / "out", "describe").startswith("v1-1-g")


def test_a_folder_within_a_repository_is_known_by_its_prefix(repository: Repository) -> None:
    """Builds run in the same folder of each checkout."""
    assert find_repository(repository.top / "part").prefix == "part/"


def test_a_repository_that_a_hook_s_environment_names_is_not_the_one_that_is_asked(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git sets GIT_DIR for hooks and for `git bisect run`."""
    commit_id = git(repository.top, "rev-parse", "main").strip()
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    assert find_revision(repository, "HEAD").commit == commit_id


def test_a_folder_in_no_repository_is_bad_input(tmp_path: Path) -> None:
    """And says what to do."""
    with pytest.raises(BadInput, match="is in no git repository with a working tree"):
        find_repository(tmp_path)


@pytest.mark.parametrize("name", ["nothing", "--all", "HEAD~99", "", "main:part/server.txt"])
def test_what_names_no_commit_is_bad_input(repository: Repository, name: str) -> None:
    """Nor is an option taken for a revision."""
    with pytest.raises(BadInput, match="is no revision of"):
        find_revision(repository, name)


def test_the_same_revision_twice_is_bad_input(repository: Repository) -> None:
    """By whatever names, and also as an unchanged working tree."""
    head, main = (find_revision(repository, name) for name in ("HEAD", "main"))
    with pytest.raises(BadInput, match="HEAD and main are the same commit"):
        check_different(repository, head, main)
    with pytest.raises(BadInput, match="nothing has changed in the working tree since HEAD"):
        check_different(repository, head, working_tree(repository))
    (repository.top / "new.txt").write_text("x", encoding="utf-8")
    check_different(repository, head, working_tree(repository))
