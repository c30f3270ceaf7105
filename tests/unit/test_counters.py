"""The kernel's counters: what they say of this very process, and None for what is gone."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time

from runners import counters

SPIN = "import time; t = time.process_time(); print('spun', flush=True)\nwhile time.process_time() - t < 0.1: pass\ninput()"


def test_cpu_time_grows_with_work_and_only_with_work() -> None:
    """Microseconds of this process, exact to the scheduler."""
    before = counters.tree_cpu_us(os.getpid())
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass
    after = counters.tree_cpu_us(os.getpid())
    assert before is not None
    assert after is not None
    assert after - before >= 40_000


def test_children_count_with_their_parent() -> None:
    """CPU time and memory are those of the whole tree."""
    with subprocess.Popen([sys.executable, "-c", SPIN], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert child.pid in counters.tree(os.getpid())
        own, both = counters.tree_rss_bytes(child.pid), counters.tree_rss_bytes(os.getpid())
        child.communicate(b"\n")
    assert own is not None
    assert both is not None
    assert own < both


def test_what_is_gone_is_unknown_not_zero() -> None:
    """A dead process has no counters."""
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
        gone = child.pid
    assert counters.tree(gone) == []
    assert counters.tree_cpu_us(gone) is None
    assert counters.tree_rss_bytes(gone) is None
    assert counters.read_counters(gone).server_cpu_us is None


def test_the_machine_is_busy_at_least_as_long_as_this_process() -> None:
    """All CPUs together, since boot."""
    busy, own = counters.machine_busy_us(), counters.tree_cpu_us(os.getpid())
    assert busy is not None
    assert own is not None
    assert busy > 0


def test_every_accepted_connection_is_counted() -> None:
    """By the kernel, whatever client or server say."""
    before = counters.passive_opens()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for _ in range(5):
            socket.create_connection(listener.getsockname()).close()
    after = counters.passive_opens()
    assert before is not None
    assert after is not None
    assert after - before >= 5


def test_a_listening_process_is_told_from_others() -> None:
    """The port alone is not enough; it may be another server's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert counters.listens(os.getpid(), port)
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
            assert not counters.listens(other.pid, port)
            other.communicate(b"\n")
    assert not counters.listens(os.getpid(), port)


def test_a_bound_socket_that_does_not_listen_does_not_count() -> None:
    """Nor does a connection."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert not counters.listens(os.getpid(), bound.getsockname()[1])


def test_a_child_s_listening_socket_counts_for_the_tree() -> None:
    """Servers with worker processes listen in their children."""
    code = "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        port = int(child.stdout.readline())
        assert counters.listens(child.pid, port)
        assert counters.listens(os.getpid(), port)
        child.communicate(b"\n")
