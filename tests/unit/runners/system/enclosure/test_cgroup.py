"""Where a cgroup can be made, what hides from everything else is killed there."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from runners.system.enclosure.cgroup import (
    PREFIX,
    cgroup_name,
    end_abandoned_cgroups,
    fork_into,
    kill_cgroup,
    make_cgroup,
    remove_cgroup,
)


@pytest.fixture(name="group")
def real_cgroup() -> Path:
    """Return a cgroup of the real kernel."""
    group = make_cgroup(os.getpid())
    if group is None:
        pytest.skip("no cgroup can be made here")
    return group


def test_what_is_in_a_cgroup_is_killed_and_the_cgroup_removed(group: Path) -> None:
    """Whatever session, parent or environment it has."""
    sleeper = fork_into(group)
    if sleeper == 0:
        os.setsid()
        os.execve("/bin/sleep", ["sleep", "60"], {})  # noqa: S606 - it must not be started by anything else
    assert sleeper is not None
    assert (group / "cgroup.procs").read_text(encoding="ascii").split() == [str(sleeper)]
    kill_cgroup(group)
    assert os.waitpid(sleeper, 0)[1] == signal.SIGKILL
    remove_cgroup(group)
    assert not group.exists()


def test_a_cgroup_whose_keeper_was_killed_is_ended_at_the_next_start(group: Path) -> None:
    """One whose keeper lives is left alone, and so is one of another pid namespace, of which nobody can tell."""
    with subprocess.Popen(["true"]) as dead:
        dead.wait()
    abandoned, elsewhere = group.with_name(cgroup_name(dead.pid)), group.with_name(f"{PREFIX}1-{dead.pid}")
    abandoned.mkdir()
    elsewhere.mkdir()
    end_abandoned_cgroups()
    assert (group.exists(), abandoned.exists(), elsewhere.exists()) == (True, False, True)
    remove_cgroup(group)
    remove_cgroup(elsewhere)
