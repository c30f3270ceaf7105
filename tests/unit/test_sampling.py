"""Watching one server's processes: what glances see, and when their clocks have all of its CPU time."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from runners.evidence import _glances
from runners.sampling import Watch

BUSY = "import sys\nprint(flush=True)\nwhile True: pass"
FORKING = """
import os, time
print(flush=True)
time.sleep(0.1)
if os.fork() == 0:
    until = time.process_time() + 0.03
    while time.process_time() < until: pass
    os._exit(0)
os.wait()
print(flush=True)
time.sleep(60)
"""


@pytest.fixture(name="process", params=[BUSY])
def running(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[bytes]]:
    """Return a process that has begun."""
    with subprocess.Popen([sys.executable, "-c", request.param], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def test_glances_see_cpu_time_and_segments_between_the_two_snapshots(process: subprocess.Popen[bytes]) -> None:
    """At little cost, and in the order of time."""
    watch = Watch(process.pid)
    watch.begin()
    for _ in range(5):
        time.sleep(0.02)
        watch.glance()
    watched = watch.end()
    found = _glances(watched)
    assert len(found.at_us) == len(found.segments) == len(found.server_run_us) == 5
    assert list(found.at_us) == sorted(found.at_us)
    assert 0 < found.at_us[0] < found.at_us[-1] < watched.wall_us
    assert found.server_run_us[0] < found.server_run_us[-1]
    assert found.server_run_us[-1] - found.server_run_us[0] <= (watched.server_run_us or 0)


@pytest.mark.parametrize("process", [FORKING], indirect=True)
def test_glances_of_a_server_whose_processes_come_and_go_do_not_count(process: subprocess.Popen[bytes]) -> None:
    """The time of those that have ended is not in the clocks of those that live."""
    watch = Watch(process.pid)
    watch.begin()
    watch.glance()
    assert process.stdout is not None
    process.stdout.readline()
    watch.glance()
    watched = watch.end()
    assert len(watched.glances) == 2
    assert not watched.same_processes
    assert _glances(watched).at_us == ()


def test_a_watch_that_begins_again_forgets_what_it_saw(process: subprocess.Popen[bytes]) -> None:
    """As after a warm-up."""
    watch = Watch(process.pid)
    watch.begin()
    watch.glance()
    watch.begin()
    assert watch.end().glances == ()


def test_a_process_that_is_gone_is_not_seen(process: subprocess.Popen[bytes]) -> None:
    """Its files and its clock are gone, too."""
    watch = Watch(process.pid)
    watch.begin()
    process.kill()
    process.wait()
    watch.glance()
    assert watch.glances == []
