"""Temporary folders: gone afterwards, and those of killed processes gone with the next one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runners.records.scratch import scratch_folder
from tests.support import ROOT

KILLED = """
import os, signal, sys
from pathlib import Path
from runners.records.scratch import scratch_folder
with scratch_folder("s-", Path(sys.argv[1])) as folder:
    (folder / "file").touch()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_goes_with_the_next(tmp_path: Path) -> None:
    """A socket or a log that nobody needs any more."""
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=ROOT, check=False)
    (left,) = tmp_path.iterdir()
    with scratch_folder("s-", tmp_path) as folder:
        assert not left.exists()
        assert folder.is_dir()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_use_and_one_of_another_kind_stay(tmp_path: Path) -> None:
    """Whether it is used is known by its lock, and not by its age."""
    (tmp_path / "other-1").mkdir()
    (tmp_path / "s-file").touch()
    (tmp_path / "s-link").symlink_to(tmp_path / "other-1")
    with scratch_folder("s-", tmp_path) as used:
        with scratch_folder("s-", tmp_path):
            assert used.is_dir()
        assert used.is_dir()
    assert {file.name for file in tmp_path.iterdir()} == {"other-1", "s-file", "s-link"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_stays(tmp_path: Path) -> None:
    """All users' temporary files lie in one place."""
    (tmp_path / "s-theirs").mkdir()
    os.chown(tmp_path / "s-theirs", 65534, 65534)
    with scratch_folder("s-", tmp_path):
        assert (tmp_path / "s-theirs").is_dir()


def test_a_folder_is_removed_if_the_work_in_it_fails(tmp_path: Path) -> None:
    """With all that is in it."""
    with pytest.raises(OSError, match="no room"), scratch_folder("s-", tmp_path):
        raise OSError("no room")
    assert list(tmp_path.iterdir()) == []
