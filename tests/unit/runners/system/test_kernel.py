"""The kernel's counters: what they say of this very process, and None for what is gone."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from runners.system import kernel

WAIT = "print(flush=True); input()"


def times() -> kernel.TreeTimes:
    """Return this process's times."""
    found = kernel.tree_times((os.getpid(),))
    assert found is not None
    return found


def test_cpu_time_grows_with_work() -> None:
    """Microseconds of this process, exact to the scheduler."""
    before, until = times(), time.process_time() + 0.05
    while time.process_time() < until:
        pass
    assert times().run_us - before.run_us >= 40_000


def test_every_thread_is_seen_with_the_cpu_that_it_was_on() -> None:
    """Also those that wait."""
    end = threading.Event()
    threads = [threading.Thread(target=end.wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    found = times().threads
    end.set()
    for thread in threads:
        thread.join()
        assert found[thread.native_id or 0].cpu in kernel.cpu_times()


def test_going_to_sleep_is_counted_as_a_voluntary_switch() -> None:
    """As every request costs a server that waits for the next one."""
    before = times()
    for _ in range(20):
        time.sleep(0.001)
    found = times().switches_since(before)
    assert found is not None
    assert found[0] >= 20


def test_switches_of_a_thread_that_ended_are_unknown() -> None:
    """The kernel forgets them; a thread that came later counts whole."""
    one = kernel.ThreadTimes(0.0, 0.0, 0, 5, 1)
    before = kernel.TreeTimes({7: one, 8: one}, (7,), 0.0, 0.0)
    later = kernel.TreeTimes({7: kernel.ThreadTimes(0.0, 0.0, 0, 9, 2), 9: one}, (7,), 0.0, 0.0)
    assert later.switches_since(before) is None
    assert later.switches_since(kernel.TreeTimes({7: one}, (7,), 0.0, 0.0)) == (9, 2)
    uncounted = kernel.TreeTimes({7: kernel.ThreadTimes(0.0, 0.0, 0)}, (7,), 0.0, 0.0)
    assert uncounted.switches_since(uncounted) is None


def test_it_is_seen_whether_a_process_catches_a_signal() -> None:
    """One that does not yet would die of it."""
    before = signal.signal(signal.SIGUSR2, signal.SIG_DFL)
    try:
        assert kernel.catches(os.getpid(), signal.SIGUSR2) is False
        signal.signal(signal.SIGUSR2, lambda *_: None)
        assert kernel.catches(os.getpid(), signal.SIGUSR2) is True
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert kernel.catches(2**22 + 1, signal.SIGUSR2) is None


def test_ended_children_leave_their_time_to_their_parent() -> None:
    """As the kernel counts it, in ticks."""
    before = times()
    subprocess.run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.1: pass"], check=True)
    assert times().children_us - before.children_us >= 80_000


def test_children_belong_to_their_parent_s_tree() -> None:
    """Memory is that of the whole tree."""
    with subprocess.Popen([sys.executable, "-c", WAIT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        tree = kernel.tree(os.getpid())
        assert tree[0] == os.getpid()
        assert child.pid in tree
        own, both = kernel.tree_rss_bytes((child.pid,)), kernel.tree_rss_bytes(tree)
        child.communicate(b"\n")
    assert own is not None
    assert both is not None
    assert 0 < own < both


def test_what_is_gone_is_unknown_not_zero() -> None:
    """A dead process has no counters."""
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    assert kernel.tree(child.pid) == ()
    assert kernel.tree_times((child.pid,)) is None
    assert kernel.tree_rss_bytes((child.pid,)) is None
    assert kernel.tcp_counters(child.pid) == {}
    assert kernel.time_wait_count(child.pid) is None


def test_the_times_of_every_cpu_add_up() -> None:
    """Busy and stolen time are parts of all time."""
    cpus = kernel.cpu_times()
    assert set(os.sched_getaffinity(0)) <= set(cpus)
    for cpu in cpus.values():
        assert 0 <= cpu.busy_us + cpu.steal_us <= cpu.total_us


def test_every_accepted_connection_is_counted() -> None:
    """By the kernel, whatever client or server say."""
    before = kernel.tcp_counters()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for _ in range(5):
            socket.create_connection(listener.getsockname()).close()
    assert kernel.tcp_counters()["PassiveOpens"] - before["PassiveOpens"] >= 5


def test_segments_with_data_are_counted() -> None:
    """Two for an exchange: the question and the answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
        with client, server:
            before = kernel.tcp_counters()
            for _ in range(10):
                client.sendall(b"?")
                server.recv(1)
                server.sendall(b"!")
                client.recv(1)
            after = kernel.tcp_counters()
    assert after["TCPOrigDataSent"] - before["TCPOrigDataSent"] >= 20


def test_what_the_machine_tells_grows_or_is_unknown() -> None:
    """Pressure, swapping, heat, frequency: not every machine has them, none is negative."""
    found = [
        kernel.throttled_us(os.getpid()),
        kernel.swapped_pages(),
        kernel.thermal_throttles(),
        kernel.time_wait_count(),
    ]
    found += [*kernel.disk_busy_us().values(), *kernel.pressure_us().values(), *kernel.frequencies_khz().values()]
    assert all(value is None or value >= 0 for value in found)


@dataclass
class FakeCgroups:
    """A tree of cgroups, and the processes that are in them."""

    root: Path
    members: dict[str, str] = field(default_factory=dict)

    def add(self, folder: str, stat: str) -> None:
        """Add a cgroup with a line in its `cpu.stat`."""
        (self.root / folder).mkdir(parents=True, exist_ok=True)
        (self.root / folder / "cpu.stat").write_text(f"nr_periods 5\n{stat}\n", encoding="ascii")

    def read(self, file: str) -> str | None:
        """Return the text of a file as the kernel's reader would."""
        member = self.members.get(file.removeprefix("/proc/").removesuffix("/cgroup"))
        return member or (Path(file).read_text(encoding="ascii") if Path(file).exists() else None)


@pytest.fixture(name="cgroups")
def fake_cgroups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCgroups:
    """Return a tree of cgroups without any."""
    fake = FakeCgroups(tmp_path)
    monkeypatch.setattr(kernel, "CGROUPS", tmp_path)
    monkeypatch.setattr(kernel, "_text", fake.read)
    return fake


@pytest.mark.parametrize("held", ["", "pod", "pod/job"])
def test_a_quota_of_any_cgroup_above_is_seen(held: str, cgroups: FakeCgroups) -> None:
    """A container's quota is set on a cgroup above that of the process."""
    cgroups.members = {"self": "0::/pod/job\n"}
    for folder in ("", "pod", "pod/job"):
        cgroups.add(folder, f"throttled_usec {700 if folder == held else 0}")
    assert kernel.throttled_us(None) == 700


def test_a_quota_of_the_server_alone_is_seen(cgroups: FakeCgroups) -> None:
    """It may be started in a cgroup of its own; what both share counts once."""
    cgroups.members = {"self": "0::/pod/harness\n", "7": "0::/pod/server\n"}
    for folder, held_us in (("pod", 5), ("pod/harness", 0), ("pod/server", 40)):
        cgroups.add(folder, f"throttled_usec {held_us}")
    assert kernel.throttled_us(7) == 45


@pytest.mark.parametrize("controllers", ["cpu", "cpu,cpuacct", "cpuacct,cpu"])
def test_a_quota_is_seen_in_version_1_of_cgroups(controllers: str, cgroups: FakeCgroups) -> None:
    """In nanoseconds, in the CPU's own hierarchy; other hierarchies have no quota."""
    cgroups.members = {"self": f"5:memory:/other\n4:{controllers}:/pod/job\n0::/\n"}
    cgroups.add("cpu/pod", "throttled_time 3000000")
    cgroups.add("cpu/pod/job", "throttled_time 0")
    cgroups.add("cpu/other", "throttled_time 9000000")
    assert kernel.throttled_us(None) == 3000


def test_a_container_finds_its_quota_at_the_root(cgroups: FakeCgroups) -> None:
    """Its path is that of the host, which it does not see."""
    cgroups.members = {"self": "4:cpu,cpuacct:/docker/0123\n0::/../../docker\n"}
    cgroups.add("cpu", "throttled_time 8000")
    assert kernel.throttled_us(None) == 8


def test_without_cgroups_for_the_cpu_quotas_are_unknown(cgroups: FakeCgroups) -> None:
    """Unknown is not 0."""
    cgroups.members = {"self": "5:memory:/pod\n"}
    assert kernel.throttled_us(None) is None


def test_a_listening_process_is_told_from_others() -> None:
    """The port alone is not enough; it may be another server's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert kernel.listening(os.getpid(), port).by_tree
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
            assert not kernel.listening(other.pid, port).by_tree
            other.communicate(b"\n")
    assert not kernel.listening(os.getpid(), port).by_tree


def test_a_bound_socket_that_does_not_listen_does_not_count() -> None:
    """Nor does a connection."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert not kernel.listening(os.getpid(), bound.getsockname()[1]).by_tree


def test_a_child_s_listening_socket_counts_for_the_tree() -> None:
    """Servers with worker processes listen in their children."""
    code = "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        port = int(child.stdout.readline())
        assert kernel.listening(child.pid, port).by_tree
        assert kernel.listening(os.getpid(), port).by_tree
        child.communicate(b"\n")


def test_the_time_of_ended_threads_still_counts() -> None:
    """They are in no file any more; servers with a thread for each connection have many."""

    def work() -> None:
        until = time.thread_time() + 0.05
        while time.thread_time() < until:
            pass

    before = times()
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert times().run_us - before.run_us >= 50_000


def test_a_process_that_has_ended_is_not_among_the_living() -> None:
    """Even while nobody has waited for it; what it used is still told."""
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        found = kernel.tree_times((os.getpid(), child.pid))
    assert found is not None
    assert found.pids == (os.getpid(),)


def test_the_cpus_that_threads_may_use_are_told() -> None:
    """Those of ended processes are not."""
    assert kernel.allowed_cpus((os.getpid(),)) == os.sched_getaffinity(0)
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    assert kernel.allowed_cpus((child.pid,)) == frozenset()


@pytest.mark.parametrize(
    ("family", "host", "shown"),
    [
        (socket.AF_INET, "127.0.0.1", "127.0.0.1"),
        (socket.AF_INET6, "::1", "[::1]"),
        (socket.AF_INET6, "::ffff:127.0.0.1", "127.0.0.1"),
    ],
)
def test_where_a_process_listens_is_told_as_people_write_it(family: int, host: str, shown: str) -> None:
    """An IPv4 address that an IPv6 socket has, as Java's do, is one."""
    with socket.socket(family) as listener:
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind((host, 0))
        listener.listen()
        assert f"{shown}:{listener.getsockname()[1]}" in kernel.listening_at(os.getpid())
