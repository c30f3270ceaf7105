"""What slows a server burns the given share of its CPU time, and ends as the server ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from runners.selftest import slowing

BUSY = "import time\nwhile time.process_time() < {seconds}: pass"
FORKING = "import subprocess, sys\nfor _ in range(2): subprocess.run([sys.executable, '-c', {busy!r}])"


def command(share: float, *program: str) -> list[str]:
    """Return the command of a slowed Python program."""
    return [sys.executable, slowing.__file__, str(share), sys.executable, "-c", *program]


def burnt(share: float, program: str) -> float:
    """Return the CPU time of a program that was slowed, with that of what slows it, in seconds."""
    code = (
        "import resource, subprocess, sys\n"
        f"subprocess.run({command(share, program)!r}, check=True)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(used.ru_utime + used.ru_stime)"
    )
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


@pytest.mark.parametrize("program", [BUSY.format(seconds=1.0), FORKING.format(busy=BUSY.format(seconds=0.5))])
def test_the_share_of_the_whole_tree_is_burnt(program: str) -> None:
    """Compared with the same program that nothing slows; what has ended counts as well."""
    plain, slowed = burnt(0, program), burnt(0.5, program)
    assert slowed / plain == pytest.approx(1.5, abs=0.15)


def test_a_signal_to_the_group_ends_the_server_and_the_end_is_the_server_s() -> None:
    """So that the harness sees how the server ended."""
    ready = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        "print(1, flush=True)\n"
        "time.sleep(60)"
    )
    with subprocess.Popen(command(0.02, ready), stdout=subprocess.PIPE, process_group=0) as process:
        assert process.stdout is not None
        process.stdout.readline()
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait(timeout=20) == 7


@pytest.mark.parametrize(("program", "code"), [("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 9)", -9)])
def test_it_ends_as_the_server_ends(program: str, code: int) -> None:
    """Whether by itself or by a signal."""
    assert subprocess.run(command(0, program), check=False).returncode == code


def test_a_server_that_does_nothing_is_not_slowed() -> None:
    """What is burnt follows what is used, not the time."""
    began = time.process_time()
    assert burnt(0.5, "import time; time.sleep(1)") - burnt(0, "import time; time.sleep(1)") < 0.15
    assert time.process_time() - began < 5
