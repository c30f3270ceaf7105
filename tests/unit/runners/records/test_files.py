"""Writing files: whole or not at all, and only where it was meant to."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from runners.errors import BadInput, DiskFull
from runners.records.files import check_links, create_file, open_to_read, remove_partials, replace_file
from runners.records.folder import append_trials, read_folder, write_run
from runners.records.run import Run
from tests.unit.runners.records.test_folder import trial


def test_replacing_a_file_never_shows_half_of_it(tmp_path: Path) -> None:
    """Where writing fails, the old text stays and no partial file is left."""
    file = tmp_path / "run.json"
    replace_file(file, "old")
    replace_file(file, "new")
    assert file.read_text(encoding="utf-8") == "new"
    with pytest.raises(BadInput, match="No such file or directory; everything recorded so far is kept"):
        replace_file(tmp_path / "none" / "run.json", "x")
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.json"]


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever step finds no room."""
    file = tmp_path / "run.json"
    replace_file(file, "old")
    for step in ("fsync", "replace"):
        monkeypatch.setattr(os, step, no_room)
        with pytest.raises(DiskFull, match="No space left on device"):
            replace_file(file, "new")
        monkeypatch.undo()
    assert file.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [file]


def no_room(*_: object, **__: object) -> None:
    """Stand in for a call that finds the disk full."""
    raise OSError(28, "No space left on device")


def test_a_file_that_is_made_anew_follows_no_link(tmp_path: Path) -> None:
    """The link itself gives way; what it led to stays, be it a file, a device or nothing."""
    (key := tmp_path / "key").write_text("secret", encoding="utf-8")
    for target in (key, Path("/dev/null"), tmp_path / "nowhere"):
        (tmp_path / "log").unlink(missing_ok=True)
        (tmp_path / "log").symlink_to(target)
        with create_file(tmp_path / "log") as stream:
            stream.write(b"line")
        assert (tmp_path / "log").read_bytes() == b"line"
    os.link(key, tmp_path / "second name")
    create_file(tmp_path / "second name").close()
    assert key.read_text(encoding="utf-8") == "secret"
    assert not (tmp_path / "nowhere").exists()


def test_a_file_is_not_made_in_a_folder_that_is_a_link(tmp_path: Path) -> None:
    """Nor in the place of a folder."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "logs").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
        create_file(tmp_path / "logs" / "log")
    with pytest.raises(OSError, match="Is a directory"):
        create_file(tmp_path / "elsewhere")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_log_that_is_a_link_is_not_read(tmp_path: Path) -> None:
    """It would be shown in a report."""
    (tmp_path / "log").symlink_to("/etc/hostname")
    with pytest.raises(OSError, match="Too many levels"):
        open_to_read(tmp_path / "log", follow_link=False)


def test_a_link_to_a_folder_in_a_run_is_refused(tmp_path: Path) -> None:
    """A server's own folder is given to its user."""
    (tmp_path / "logs/cell").mkdir(parents=True)
    (tmp_path / "logs/cell/work").symlink_to("/etc")
    with pytest.raises(BadInput, match="work is a link, and a run writes there"):
        check_links(tmp_path)


def test_a_planted_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    """A run folder that came by mail may hold a report.html that leads to a file of yours."""
    (key := tmp_path / "key").write_text("secret", encoding="utf-8")
    (folder := tmp_path / "run").mkdir()
    for name in ("report.html", ".report.html.partial"):
        (folder / name).symlink_to(key)
    replace_file(folder / "report.html", "page")
    assert key.read_text(encoding="utf-8") == "secret"
    assert not (folder / "report.html").is_symlink()
    assert (folder / "report.html").read_text(encoding="utf-8") == "page"


def test_trials_are_not_appended_through_a_link(tmp_path: Path) -> None:
    """That would spoil the file that it leads to."""
    (key := tmp_path / "key").write_text("secret", encoding="utf-8")
    (folder := tmp_path / "run").mkdir()
    (folder / "trials.jsonl").symlink_to(key)
    with pytest.raises(DiskFull, match="Too many levels of symbolic links"):
        append_trials(folder, [trial()])
    assert key.read_text(encoding="utf-8") == "secret"


@pytest.mark.parametrize("name", ["run.json", "trials.jsonl"])
def test_a_pipe_or_a_device_is_not_read(name: str, tmp_path: Path) -> None:
    """Reading would never end."""
    write_run(tmp_path, Run("measured", "local"))
    for make in (os.mkfifo, lambda file: file.symlink_to("/dev/zero")):
        (tmp_path / name).unlink(missing_ok=True)
        make(tmp_path / name)
        with pytest.raises(BadInput, match="it is no ordinary file"):
            read_folder(tmp_path)


def make_socket(file: Path) -> None:
    """Put a socket there."""
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(file))


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (Path.mkdir, "a folder"),
        (os.mkfifo, "a pipe"),
        (make_socket, "a socket"),
        (lambda file: file.symlink_to("/dev/null"), "a device"),
        (lambda file: file.symlink_to("/tmp"), "a folder"),  # noqa: S108 - any folder
    ],
)
def test_what_is_no_file_stays_what_it_is(make: Callable[[Path], None], kind: str, tmp_path: Path) -> None:
    """`--output /dev/null`, as root, must not turn the device into a file."""
    make(file := tmp_path / "x")
    before = stat.S_IFMT(file.lstat().st_mode)
    with pytest.raises(BadInput, match=f"cannot write {file}: it is {kind}; name a file"):
        replace_file(file, "page")
    assert stat.S_IFMT(file.lstat().st_mode) == before
    assert list(tmp_path.iterdir()) == [file]


def test_a_new_file_is_readable_as_the_user_wants_new_files_to_be(tmp_path: Path) -> None:
    """A web server may be what reads a report."""
    before = os.umask(0o027)
    try:
        replace_file(tmp_path / "report.html", "page")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "report.html").stat().st_mode) == 0o640


def test_what_a_killed_process_left_is_removed_at_once(tmp_path: Path) -> None:
    """One that is still being written is locked, and stays."""
    left, written, other = (tmp_path / name for name in (".a.1.partial", ".b.2.partial", "c.partial"))
    for file in (left, written, other):
        file.touch()
    with written.open("wb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        remove_partials(tmp_path)
        assert sorted(tmp_path.iterdir()) == [written, other]
    remove_partials(tmp_path)
    assert sorted(tmp_path.iterdir()) == [other]


def test_a_file_is_locked_while_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody removes it meanwhile, as one that was left."""
    sync = os.fsync

    def look(descriptor: int) -> None:
        remove_partials(tmp_path)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", look)
    replace_file(tmp_path / "run.json", "new")
    assert (tmp_path / "run.json").read_text(encoding="utf-8") == "new"
