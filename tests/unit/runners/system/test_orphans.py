"""Programs that leave their parent are found, and ended."""

from __future__ import annotations

import subprocess
import sys

import psutil

from runners.system.orphans import adopting

DAEMON = "import os; os.fork() and os._exit(0); os.setsid(); os.environ.clear(); print(os.getpid(), flush=True); "


def test_a_daemon_is_adopted_and_ended() -> None:
    """Although its parent has gone, and it is in a session of its own."""
    with adopting() as orphans:
        sleeper = [sys.executable, "-c", f"{DAEMON}os.close(1); import time; time.sleep(600)"]
        pid = int(subprocess.run(sleeper, stdout=subprocess.PIPE, text=True, check=True).stdout)
        assert pid in orphans()
    assert not psutil.pid_exists(pid)


def test_other_children_are_left_alone() -> None:
    """Those of before."""
    with subprocess.Popen(["sleep", "600"]) as other:
        with adopting() as orphans:
            assert other.pid not in orphans()
        assert other.poll() is None
        other.kill()
