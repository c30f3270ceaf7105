"""`speedup history` reads a folder, a file or a branch; `compare --append` writes the file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from speedup import entry
from tests.support.changes import Truth
from tests.unit.runners.server.revisions.test_checkouts import git
from tests.unit.speedup.measure.test_compare import recorded
from tests.unit.speedup.measure.test_compare_runs import write


@pytest.fixture(name="lines")
def two_lines(tmp_path: Path) -> Path:
    """Return a file of two comparisons."""
    file = tmp_path / "speedup-history.jsonl"
    for number, cpu in enumerate((1.0, 1.1)):
        run = recorded(tmp_path / f"run-{number}", Truth(cpu=cpu))
        assert entry.main(["compare", run, "--append", str(file)]) == 0
    return file


def test_comparisons_are_appended_and_shown(lines: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line each; the page's path is printed."""
    assert len(lines.read_text(encoding="utf-8").splitlines()) == 2
    page = tmp_path / "page.html"
    capsys.readouterr()
    assert entry.main(["history", str(lines), "--output", str(page)]) == 0
    assert capsys.readouterr().out.strip().endswith("page.html")
    assert "2 records" in page.read_text(encoding="utf-8")


def test_a_line_that_was_cut_off_does_not_swallow_the_next_one(lines: Path, tmp_path: Path) -> None:
    """It alone is lost."""
    lines.write_bytes(lines.read_bytes()[:-10])
    assert entry.main(["compare", recorded(tmp_path / "run-9", Truth()), "--append", str(lines)]) == 0
    assert len(lines.read_text(encoding="utf-8").splitlines()) == 3


def test_a_branch_is_read_without_being_checked_out(
    lines: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the file's usual name, or by another."""
    top = tmp_path / "repository"
    (top / "deep").mkdir(parents=True)
    git(top, "init", "-q")
    for name in ("speedup-history.jsonl", "deep/other"):
        (top / name).write_bytes(lines.read_bytes())
    git(top, "add", "-A")
    git(top, "commit", "-qm", "numbers")
    git(top, "branch", "numbers")
    for name in ("speedup-history.jsonl", "deep/other"):
        (top / name).unlink()
    monkeypatch.chdir(top)
    capsys.readouterr()
    for source in ("numbers", "numbers:deep/other"):
        assert entry.main(["history", source, "--json"]) == 0
        assert len(json.loads(capsys.readouterr().out)["entries"]) == 2
    assert entry.main(["history", "numbers:nothing"]) == 2
    assert entry.main(["history", "nowhere"]) == 2


def test_a_folder_of_runs_and_comparisons_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be read is named, and the rest is shown."""
    recorded(tmp_path / "comparison", Truth())
    write(tmp_path / "run", 1.0)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.json").write_text("{", encoding="utf-8")
    assert entry.main(["history", str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {each["kind"] for each in found["entries"]} == {"comparison", "run"}
    assert len(found["left_out"]) == 1


def test_nothing_is_no_history(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, and a reason."""
    assert entry.main(["history", str(tmp_path)]) == 2
    assert "holds no comparison and no run" in capsys.readouterr().err


def test_recorded_runs_are_not_appended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They are in their folder, where history finds them."""
    words = [write(tmp_path / "A", 1.0), write(tmp_path / "B", 1.0), "--append", str(tmp_path / "f")]
    assert entry.main(["compare", *words]) == 2
    assert "--append is for comparisons" in capsys.readouterr().err
