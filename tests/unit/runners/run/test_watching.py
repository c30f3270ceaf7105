"""Edits during a run: noticed before they are measured, unless servers write the file themselves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runners.file_hash import file_hash
from runners.records.folder import read_run, write_run
from runners.records.run import Run, SourceInfo
from runners.run.watching import Edited, Guard, Watch
from runners.server.build_cache import files_of, open_place
from runners.server.sources import read_sources
from tests.support.latency_matrix import cells, matrix

CELL = cells(matrix(mode="persistent"))[0]


@pytest.fixture(name="root")
def project(tmp_path: Path) -> Path:
    """Return a server's folder, and a script elsewhere."""
    folder = tmp_path / CELL.program.dir
    folder.mkdir(parents=True)
    for name in ("app.py", "app.db"):
        (folder / name).write_text("one", encoding="utf-8")
    (tmp_path / "script").write_text("one", encoding="utf-8")
    return tmp_path


def guard(root: Path) -> Guard:
    """Return what watches a run that has just begun."""
    source = SourceInfo(CELL.program.dir, read_sources(root / CELL.program.dir))
    run = Run("measured", "local", sources=(source,), files={"script": file_hash(root / "script")})
    write_run(root, run)
    return Guard(root, root, run, fixed=[root / "script"])


def edit(file: Path) -> None:
    """Change a file's content, but neither its size nor its time."""
    before = file.stat()
    file.write_text("two", encoding="utf-8")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_an_edit_is_noticed_and_names_the_file(root: Path) -> None:
    """After the cell was measured once, its servers have written what they write."""
    watching = guard(root)
    watching.check([CELL])
    watching.measured([CELL])
    edit(root / CELL.program.dir / "app.py")
    with pytest.raises(Edited, match=r"app\.py changed since this run began"):
        watching.check([CELL])


def test_what_changes_in_the_first_trial_is_data_and_said(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A database or a log that was there already; later changes, and a resume, take no notice of it."""
    watching = guard(root)
    edit(root / CELL.program.dir / "app.db")
    watching.check([CELL])
    watching.measured([CELL])
    (warning,) = caplog.messages
    assert "app.db changed while servers were built or first ran" in warning
    (root / CELL.program.dir / "app.db").write_text("three", encoding="utf-8")
    watching.check([CELL])
    assert read_run(root).sources[0].data == ("app.db",)


def test_what_builds_write_is_data_too(root: Path) -> None:
    """A build in the server's own folder may rewrite what was there."""
    watching = guard(root)
    edit(root / CELL.program.dir / "app.db")
    assert watching.settle(watching.run).sources[0].data == ("app.db",)


def guard_of_built(root: Path, *, whole_folder: bool) -> tuple[Guard, Path, Path]:
    """Return what watches a program in the cache, a file of it, and the link through which it is started."""
    place = open_place(root / "cache/s-hash")
    try:
        if whole_folder:
            (place.program / "bin").mkdir(parents=True)
        program = place.program / "bin/s" if whole_folder else place.program
        program.write_text("one", encoding="utf-8")
        if whole_folder:
            (place.program / "cache.db").write_text("one", encoding="utf-8")
        place.keep()
    finally:
        place.close()
    files = files_of(place.link)
    assert files is not None
    started = place.link / program.relative_to(place.folder)
    fixed = [started]
    write_run(root, Run("measured", "local"))
    built = {CELL.program.name: files}
    return Guard(root, root, Run("measured", "local"), fixed=fixed, built=built), started, place.link


@pytest.mark.parametrize("whole_folder", [False, True])
def test_an_edit_of_a_built_program_ends_the_run(root: Path, *, whole_folder: bool) -> None:
    """In the first trial, too: a program is never data."""
    watching, started, _ = guard_of_built(root, whole_folder=whole_folder)
    watching.check([CELL])
    edit(started)
    with pytest.raises(Edited, match=r"program.*, built for .*, was changed or replaced during this run"):
        watching.check([CELL])


def test_a_built_program_that_is_replaced_ends_the_run(root: Path) -> None:
    """Another harness, or a person, may let the link in the cache lead elsewhere; what was built is untouched."""
    watching, _, link = guard_of_built(root, whole_folder=False)
    other = root / "cache/s-hash.other"
    other.mkdir()
    (other / "program").write_text("two", encoding="utf-8")
    link.unlink()
    link.symlink_to(other)
    with pytest.raises(Edited, match="a resume builds it again"):
        watching.check([CELL])


def test_what_a_built_program_writes_beside_itself_is_data(root: Path) -> None:
    """A virtual environment writes into its own folder when it first runs."""
    watching, started, _ = guard_of_built(root, whole_folder=True)
    (started.parent.parent / "new.pyc").touch()
    edit(started.parent.parent / "cache.db")
    watching.check([CELL])
    watching.measured([CELL])
    edit(started)
    with pytest.raises(Edited):
        watching.check([CELL])


def test_a_program_that_is_not_what_was_built_has_no_hashes(root: Path) -> None:
    """It was edited between its build and the first look at it."""
    _, started, link = guard_of_built(root, whole_folder=False)
    edit(started)
    assert files_of(link) is None


def test_a_program_or_a_template_is_never_data(root: Path) -> None:
    """Nor are the generator and its script."""
    watching = guard(root)
    edit(root / "script")
    with pytest.raises(Edited, match="script changed"):
        watching.check([CELL])


def test_new_files_are_nobody_s_edit(root: Path) -> None:
    """Servers write logs."""
    watching = guard(root)
    watching.measured([CELL])
    (root / CELL.program.dir / "access.log").touch()
    watching.check([CELL])


def test_a_file_is_read_again_only_if_it_may_have_changed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two trials there is no time to hash a whole project."""
    file = root / "script"
    watch = Watch({file: file_hash(file)})
    assert watch.changed() == ()
    monkeypatch.setattr("runners.run.watching.file_hash", lambda _: "read again")
    assert watch.changed() == ()
    edit(file)
    assert watch.changed() == (file,)
    file.unlink()
    assert watch.changed() == (file,)
