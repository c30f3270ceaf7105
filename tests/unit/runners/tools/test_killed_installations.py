"""What a killed installation leaves: no process, and no folder once the next one has begun."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from runners.tools.install import _made
from tests.support import ROOT
from tests.support.bench import wait_for

INSTALLS = """
import os, sys
from pathlib import Path
from runners.tools.install import Steps
Steps(path=os.environ["PATH"], log=Path(sys.argv[1])).run("pip", ["sh", "-c", "sleep 1234.5 & sleep 1234.5"])
"""


def sleepers() -> int:
    """Return how many commands of the installation run."""
    return sum(process.info["cmdline"] == ["sleep", "1234.5"] for process in psutil.process_iter(["cmdline"]))


def test_nothing_of_a_download_outlives_a_killed_harness(tmp_path: Path) -> None:
    """Nor what its command has started in the background; a package manager alone may go on, so as not to break."""
    process = subprocess.Popen([sys.executable, "-c", INSTALLS, str(tmp_path / "log")], cwd=ROOT)
    wait_for(lambda: sleepers() == 2)
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    wait_for(lambda: sleepers() == 0)


def test_what_a_killed_installation_left_is_removed_by_the_next(tmp_path: Path) -> None:
    """At once; nobody works in it."""
    (tmp_path / ".new-left/bin").mkdir(parents=True)
    with _made(tmp_path / "tool") as made:
        assert not (tmp_path / ".new-left").exists()
        (made / "file").touch()
    assert sorted(os.listdir(tmp_path)) == ["tool"]  # noqa: PTH208 - hidden ones, too


def test_what_another_installation_works_in_stays(tmp_path: Path) -> None:
    """Of another tool, or of the same one: the later one wins."""
    with _made(tmp_path / "tool") as first:
        with _made(tmp_path / "tool") as second:
            (second / "second").touch()
        (first / "first").touch()
    assert [file.name for file in (tmp_path / "tool").iterdir()] == ["first"]


def test_an_installation_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """And what was there before stays."""
    (tmp_path / "tool").mkdir()
    with pytest.raises(OSError, match="no room"), _made(tmp_path / "tool"):
        raise OSError("no room")
    assert sorted(os.listdir(tmp_path)) == ["tool"]  # noqa: PTH208 - hidden ones, too
