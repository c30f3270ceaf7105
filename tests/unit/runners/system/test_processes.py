"""Starting and stopping: whatever a process does, none is left behind."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from runners.errors import UnfitMachine
from runners.system import processes
from runners.system.enclosure import keeper, namespaces
from runners.system.processes import (
    Enclosed,
    Enclosure,
    describe_exit,
    end_leftovers,
    leftovers,
    start,
    stop,
    sweep,
)

STUBBORN = """
import signal, time
for name in {ignored}:
    signal.signal(getattr(signal, name), signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""
ANSWERING = """
import os, signal, sys, time
signal.signal(signal.SIGINT, lambda *_: {action})
print("ready", flush=True)
time.sleep(60)
"""
QUICK = ((signal.SIGINT, 0.3), (signal.SIGTERM, 0.3), (signal.SIGKILL, 5.0))


@pytest.fixture(name="log")
def output_file(tmp_path: Path) -> Iterator[Path]:
    """Return a file for output; end what a failed test has left."""
    yield tmp_path / "output.txt"
    end_leftovers()


def begin(log: Path, *argv: str, **options: object) -> subprocess.Popen[bytes]:
    """Start a program whose output goes into the log."""
    with log.open("wb") as output:
        return start(argv, output=output, **options)  # type: ignore[arg-type]


def begin_python(log: Path, code: str) -> subprocess.Popen[bytes]:
    """Start Python and wait for its first line."""
    process = begin(log, sys.executable, "-c", code)
    wait_for(lambda: b"\n" in log.read_bytes())
    return process


def wait_for(happens: Callable[[], bool]) -> None:
    """Wait until something happens, for ten seconds at most."""
    deadline = time.monotonic() + 10
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def is_gone(pid: int) -> bool:
    """Return whether a process has ended (a zombie that nobody has collected has ended too)."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_program_may_open_as_many_files_as_the_hard_limit_allows(log: Path) -> None:
    """Login shells allow 1024, too few for servers that leave it at that; more than 65,536 is never asked for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
    try:
        process = begin_python(log, "import resource; print(*resource.getrlimit(resource.RLIMIT_NOFILE), flush=True)")
        process.wait(10)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert [int(limit) for limit in log.read_text().split()] == [*processes.many_files(512, hard)]


@pytest.mark.parametrize(
    ("limits", "raised"),
    [((1024, -1), (65536, -1)), ((-1, -1), (-1, -1)), ((100_000, 200_000), (100_000, 200_000))],
    ids=["no hard limit", "no limit", "more than we need"],
)
def test_a_limit_on_open_files_is_never_lowered(limits: tuple[int, int], raised: tuple[int, int]) -> None:
    """-1 is how Python writes that there is none."""
    assert processes.many_files(*limits) == raised


class FakeLimits:
    """The limits on open files of a process that tests must not really change."""

    def __init__(self, soft: int, hard: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.limits = (soft, hard)
        monkeypatch.setattr(resource, "getrlimit", lambda _: self.limits)
        monkeypatch.setattr(resource, "setrlimit", self.change)

    def change(self, _resource: int, limits: tuple[int, int]) -> None:
        """Remember the new limits."""
        self.limits = limits


@pytest.mark.parametrize(
    ("limits", "raised"),
    [
        ((1024, 500_000), (70_064, 500_000)),
        ((100_000, 500_000), (100_000, 500_000)),
        ((1024, -1), (70_064, -1)),
        ((-1, -1), (-1, -1)),
    ],
    ids=["raised", "enough", "no hard limit", "no limit"],
)
def test_many_connections_are_allowed_for_as_far_as_the_hard_limit_goes(
    limits: tuple[int, int], raised: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Servers and generators that are started later inherit that; 64 files are for everything else."""
    fake = FakeLimits(*limits, monkeypatch)
    processes.allow_connections(70_000)
    assert fake.limits == raised
    assert processes.many_files(*fake.limits) == raised


def test_too_few_files_for_the_connections_are_the_machine_s_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise it is said of the server that it answered no request."""
    FakeLimits(1024, 1024, monkeypatch)
    processes.allow_connections(960)
    with pytest.raises(UnfitMachine) as caught:
        processes.allow_connections(2000)
    assert str(caught.value) == (
        "2000 connections need 2064 open files in one process, but only 1024 are allowed here;"
        " use fewer connections, or raise the limit first, as root: ulimit -n 2064"
    )


@pytest.mark.parametrize(
    ("ignored", "ended_by", "sent"),
    [
        ((), "SIGINT", ("SIGINT",)),
        (("SIGINT",), "SIGTERM", ("SIGINT", "SIGTERM")),
        (("SIGINT", "SIGTERM"), "SIGKILL", ("SIGINT", "SIGTERM", "SIGKILL")),
    ],
    ids=["polite", "deaf to INT", "deaf to both"],
)
def test_stopping_goes_from_int_over_term_to_kill(
    log: Path, ignored: tuple[str, ...], ended_by: str, sent: tuple[str, ...]
) -> None:
    """Each signal is only sent where the one before did not help."""
    code = STUBBORN.format(ignored=ignored)
    if not ignored:
        code = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_DFL)\n" + code
    stopped = stop(begin_python(log, code), QUICK)
    assert (stopped.exit, stopped.sent) == (ended_by, sent)
    assert stopped.clean is (ended_by != "SIGKILL")


def test_a_process_that_ends_by_itself_gets_no_signal(log: Path) -> None:
    """Its status is told."""
    process = begin(log, sys.executable, "-c", "raise SystemExit(3)")
    process.wait(10)
    stopped = stop(process)
    assert (stopped.exit, stopped.sent, stopped.clean) == ("exit status 3", (), False)


def test_a_server_that_exits_with_0_when_asked_ended_cleanly(log: Path) -> None:
    """As well-behaved servers do."""
    code = ANSWERING.format(action="sys.exit(0)")
    stopped = stop(begin_python(log, code))
    assert (stopped.exit, stopped.sent, stopped.clean) == ("exit status 0", ("SIGINT",), True)


def test_a_server_that_crashes_when_asked_did_not_end_cleanly(log: Path) -> None:
    """Another signal than the one sent."""
    code = ANSWERING.format(action="os.kill(os.getpid(), signal.SIGUSR1)")
    stopped = stop(begin_python(log, code))
    assert (stopped.exit, stopped.clean) == ("SIGUSR1", False)


FORK = """
import os, signal, sys, time
if os.fork() == 0:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    {child}
    print(os.getpid(), flush=True)
    time.sleep(60)
    sys.exit()
signal.signal(signal.SIGINT, signal.SIG_DFL)
time.sleep(60)
"""


def test_grandchildren_in_the_group_die_with_the_server(log: Path) -> None:
    """Although they ignore INT and TERM and their parent is gone already."""
    process = begin_python(log, FORK.format(child=""))
    child = int(log.read_text(encoding="ascii"))
    assert stop(process).exit == "SIGINT"
    wait_for(lambda: is_gone(child))


def test_a_process_that_left_the_group_is_found_by_its_mark(log: Path) -> None:
    """A daemon of a server survives the group's end, but not end_leftovers."""
    process = begin_python(log, FORK.format(child="os.setsid()"))
    daemon = int(log.read_text(encoding="ascii"))
    stop(process)
    assert not is_gone(daemon)
    assert leftovers() == [daemon]
    assert end_leftovers() == [daemon]
    assert is_gone(daemon)
    assert leftovers() == []


def test_without_leftovers_nothing_is_ended() -> None:
    """Processes that others started are none of ours."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        assert end_leftovers() == []
        assert other.poll() is None
        other.communicate(b"\n")


def test_both_outputs_go_into_one_file(log: Path) -> None:
    """In the order in which they were written."""
    process = begin(log, sys.executable, "-c", "import os; os.write(1, b'one\\n'); os.write(2, b'two\\n')")
    process.wait(10)
    assert log.read_text(encoding="ascii") == "one\ntwo\n"


def test_a_process_gets_its_cpus_environment_folder_and_no_input(log: Path, tmp_path: Path) -> None:
    """And the mark by which it is found."""
    cpu = min(os.sched_getaffinity(0))
    code = (
        "import os, sys; print(sorted(os.sched_getaffinity(0)), os.environ['A'], os.getcwd(), repr(sys.stdin.read()),"
        " os.getpgid(0) == os.getpid(), os.environ['HTTP_SPEEDUP_HARNESS'])"
    )
    begin(log, sys.executable, "-c", code, cpus=(cpu,), env={"A": "1"}, cwd=tmp_path).wait(10)
    assert log.read_text(encoding="utf-8") == f"[{cpu}] 1 {tmp_path} '' True {processes.harness_mark()}\n"


def test_a_program_that_is_not_there_cannot_be_started(log: Path) -> None:
    """The caller hears it as an OSError."""
    with pytest.raises(FileNotFoundError):
        begin(log, "no-such-program-anywhere")


@pytest.mark.parametrize(
    ("code", "text"),
    [(0, "exit status 0"), (3, "exit status 3"), (-9, "SIGKILL"), (-11, "SIGSEGV"), (-40, "signal 40")],
)
def test_exits_are_told_by_name(code: int, text: str) -> None:
    """Nobody has to know that 11 is SIGSEGV."""
    assert describe_exit(code) == text


HARNESS = """
import sys, time
from runners.system.processes import start
with open(sys.argv[1], "wb") as output:
    process = start([sys.executable, "-c", sys.argv[2]], output=output)
print(process.pid, flush=True)
time.sleep(60)
"""


def begin_harness(log: Path, code: str) -> subprocess.Popen[bytes]:
    """Start another harness, which starts a process."""
    return subprocess.Popen([sys.executable, "-c", HARNESS, str(log), code], stdout=subprocess.PIPE)


def test_a_killed_harness_leaves_nothing_behind(log: Path) -> None:
    """The kernel ends what it started, although SIGKILL leaves it no time to do so."""
    with begin_harness(log, "import time; print(flush=True); time.sleep(60)") as harness:
        assert harness.stdout is not None
        sleeper = int(harness.stdout.readline())
        wait_for(lambda: b"\n" in log.read_bytes())
        assert not is_gone(sleeper)
        harness.kill()
    wait_for(lambda: is_gone(sleeper))


def test_sweep_ends_orphans_of_a_killed_harness_and_spares_those_of_a_living_one(log: Path) -> None:
    """What a killed harness's server had started is found at the next run's start."""
    other_log = log.with_name("other.txt")
    fork = FORK.format(child="os.setsid()")
    with begin_harness(log, fork) as killed, begin_harness(other_log, fork) as living:
        wait_for(lambda: all(file.exists() and b"\n" in file.read_bytes() for file in (log, other_log)))
        orphan, child = (int(file.read_text(encoding="ascii")) for file in (log, other_log))
        killed.kill()
        killed.wait(10)
        assert not is_gone(orphan)
        assert orphan in sweep()
        wait_for(lambda: is_gone(orphan))
        assert not is_gone(child)
        living.kill()
        living.wait(10)
        assert child in sweep()
    wait_for(lambda: is_gone(child))


def test_sweep_spares_our_own_processes(log: Path) -> None:
    """This harness lives."""
    process = begin_python(log, "import time; print(flush=True); time.sleep(60)")
    assert process.pid not in sweep()
    assert process.poll() is None
    stop(process)


def test_a_zombie_harness_is_dead(log: Path) -> None:
    """Whoever started it may not have noticed yet that it was killed."""
    with begin_harness(log, FORK.format(child="os.setsid()")) as harness:
        wait_for(lambda: log.exists() and b"\n" in log.read_bytes())
        orphan = int(log.read_text(encoding="ascii"))
        harness.kill()
        wait_for(lambda: psutil.Process(harness.pid).status() == psutil.STATUS_ZOMBIE)
        assert orphan in sweep()


def test_a_harness_in_another_pid_namespace_is_spared(log: Path) -> None:
    """Nobody can tell whether it lives: its number is another one here."""
    dead = {processes.MARK: "1:1", "PATH": os.defpath}
    with log.open("wb") as output:
        elsewhere = start(["sleep", "60"], output=output, env={**dead, processes.MARKED_IN: "4026531999"}, lasting=True)
        here = start(["sleep", "60"], output=output, env=dead, lasting=True)
    swept = sweep()
    assert (elsewhere.pid in swept, here.pid in swept) == (False, True)
    stop(elsewhere)
    stop(here)


needs_namespaces = pytest.mark.skipif(namespaces.means() is None, reason="pid namespaces are not permitted here")


@pytest.fixture(
    name="enclosure",
    params=[pytest.param(True, marks=needs_namespaces), False],
    ids=["namespace", "family"],
)
def any_enclosure(request: pytest.FixtureRequest) -> Enclosure:
    """Return an enclosure of each kind."""
    return Enclosure(namespace=request.param)


def begin_enclosed(log: Path, enclosure: Enclosure, code: str, lines: int = 1) -> Enclosed:
    """Start Python in an enclosure and wait for its first lines."""
    process = begin(log, sys.executable, "-c", code, enclosure=enclosure)
    assert isinstance(process, Enclosed)
    wait_for(lambda: log.read_bytes().count(b"\n") >= lines)
    return process


def count(marker: str) -> int:
    """Return how many living processes have a word in their command lines."""
    found = psutil.process_iter(["cmdline", "status"])
    return sum(
        marker in (process.info["cmdline"] or []) and process.info["status"] != psutil.STATUS_ZOMBIE
        for process in found
    )


DETACHED = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execve("/bin/sleep", ["sleep", "600", "0.{marker}"], {{}})
    os._exit(0)
print("ready", flush=True)
time.sleep(60)
"""
HOPPING = """
import os, sys, time
print("ready", flush=True)
if os.fork() == 0:
    os.setsid()
    while True:
        time.sleep(0.004)
        if os.fork() != 0:
            os._exit(0)
time.sleep(60)
"""


def test_a_detached_grandchild_without_environment_ends_with_the_server(log: Path, enclosure: Enclosure) -> None:
    """It has left the group, the session and its parent, and carries no mark."""
    process = begin_enclosed(log, enclosure, DETACHED.format(marker=71501))
    wait_for(lambda: count("0.71501") == 1)
    assert stop(process).exit == "SIGINT"
    assert count("0.71501") == 0


def test_a_child_that_changes_its_pid_all_the_time_ends_with_the_server(log: Path, enclosure: Enclosure) -> None:
    """Every look at the list of processes comes too late for it."""
    marker = "hopping-71502"
    process = begin(log, sys.executable, "-c", HOPPING, marker, enclosure=enclosure)
    wait_for(lambda: count(marker) >= 2)
    stop(process)
    time.sleep(0.02)
    assert count(marker) == 0


def test_all_is_gone_when_stop_returns_and_nothing_else_is(log: Path, enclosure: Enclosure) -> None:
    """The harness counts CPU time and ports from then on."""
    before = {process.pid for process in psutil.process_iter()}
    process = begin_enclosed(log, enclosure, DETACHED.format(marker=71503))
    wait_for(lambda: len(process.members()) >= 2)
    members = process.members()
    stop(process)
    assert [pid for pid in members if psutil.pid_exists(pid)] == []
    ours = psutil.Process().children()
    assert [child.pid for child in ours if child.pid not in before] == []


def test_leftovers_include_what_an_interruption_kept_from_being_stopped(log: Path, enclosure: Enclosure) -> None:
    """With everything that has no mark."""
    process = begin_enclosed(log, enclosure, DETACHED.format(marker=71507))
    wait_for(lambda: count("0.71507") == 1)
    end_leftovers()
    assert count("0.71507") == 0
    assert process.poll() == -signal.SIGKILL


def test_a_server_that_went_into_the_background_is_known_and_ended(log: Path, enclosure: Enclosure) -> None:
    """As nginx does by default."""
    code = "import os, time; os.fork() and os._exit(0); os.setsid(); print('ready', flush=True); time.sleep(71504)"
    process = begin_enclosed(log, enclosure, code)
    assert process.wait(10) == 0
    assert process.left_behind
    members = process.members()
    assert len(members) == 1
    assert stop(process).exit == "exit status 0"
    assert not any(map(psutil.pid_exists, members))


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("raise SystemExit(3)", "exit status 3"),
        ("import os; os.kill(os.getpid(), 11)", "SIGSEGV"),
        ("", "exit status 0"),
    ],
)
def test_an_enclosed_program_s_own_end_is_told(log: Path, enclosure: Enclosure, code: str, told: str) -> None:
    """Not that of what stands between."""
    process = begin(log, sys.executable, "-c", code, enclosure=enclosure)
    assert describe_exit(process.wait(10)) == told
    assert stop(process).sent == ()


@pytest.mark.parametrize(
    ("ignored", "ended_by"), [((), "SIGINT"), (("SIGINT",), "SIGTERM"), (("SIGINT", "SIGTERM"), "SIGKILL")]
)
def test_signals_reach_an_enclosed_program(
    log: Path, enclosure: Enclosure, ignored: tuple[str, ...], ended_by: str
) -> None:
    """They would not reach the first process of a pid namespace."""
    code = STUBBORN.format(ignored=ignored)
    if not ignored:
        code = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_DFL)\n" + code
    assert stop(begin_enclosed(log, enclosure, code), QUICK).exit == ended_by


def test_an_enclosed_program_that_is_not_there_is_told_and_leaves_nothing(log: Path, enclosure: Enclosure) -> None:
    """As without an enclosure."""
    before = {child.pid for child in psutil.Process().children()}
    with pytest.raises(FileNotFoundError):
        begin(log, "no-such-program-anywhere", enclosure=enclosure)
    assert {child.pid for child in psutil.Process().children()} == before


@needs_namespaces
def test_a_program_in_a_namespace_sees_itself_in_proc(log: Path) -> None:
    """Servers read /proc/self, and /proc with their own pid; their session is the harness's."""
    code = (
        "import os; names = [name for name in os.listdir('/proc') if name.isdigit()];"
        "print(os.getpid() == int(os.readlink('/proc/self')), str(os.getpid()) in names, len(names), os.getpid() > 2,"
        " os.getpgrp() == os.getpid(), os.getsid(0) == 0, flush=True)"
    )
    process = begin_enclosed(log, Enclosure(), code)
    stop(process)
    assert log.read_text(encoding="ascii").split() == ["True", "True", "2", "True", "True", "True"]


def test_what_stands_between_holds_nothing_open_and_uses_no_cpu(log: Path, enclosure: Enclosure) -> None:
    """An open file would keep a lock, or a pipe from its end."""
    process = begin_enclosed(log, enclosure, "import time; print(flush=True); time.sleep(60)")
    between = {process.first, psutil.Process(process.pid).ppid()} | {
        child.pid for child in psutil.Process().children() if process.first in {c.pid for c in child.children()}
    }
    spent = {pid: psutil.Process(pid).cpu_times()[:2] for pid in between}
    open_files = {pid: os.listdir(f"/proc/{pid}/fd") for pid in between}  # noqa: PTH208 - numbers
    time.sleep(0.3)
    assert {pid: psutil.Process(pid).cpu_times()[:2] for pid in between} == spent
    assert all(len(names) <= 1 for names in open_files.values())
    assert process.pid not in between
    stop(process)


ENCLOSING_HARNESS = """
import sys, time
from runners.system import processes
with open(sys.argv[1], "wb") as output:
    enclosure = processes.Enclosure(namespace=sys.argv[3] == "True")
    process = processes.start([sys.executable, "-c", sys.argv[2]], output=output, enclosure=enclosure)
time.sleep(60)
"""


def test_a_killed_harness_leaves_nothing_of_an_enclosure(log: Path, enclosure: Enclosure) -> None:
    """SIGKILL leaves it no time for anything: the kernel, or what stands between, ends it all."""
    argv = [sys.executable, "-c", ENCLOSING_HARNESS, str(log), DETACHED.format(marker=71505), str(enclosure.namespace)]
    with subprocess.Popen(argv) as harness:
        wait_for(lambda: count("0.71505") == 1)
        harness.kill()
    wait_for(lambda: count("0.71505") == 0)


def test_where_no_namespace_is_permitted_a_program_runs_all_the_same(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is watched by what stands between."""
    monkeypatch.setattr(processes, "means", lambda: None)
    process = begin_enclosed(log, Enclosure(), DETACHED.format(marker=71506))
    assert not process.in_namespace
    stop(process)
    assert count("0.71506") == 0


def test_a_namespace_that_is_refused_at_the_last_moment_is_done_without(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There may be too many of them by then."""
    monkeypatch.setattr(keeper, "unshare", lambda _: False)
    process = begin_enclosed(log, Enclosure(), "print(flush=True); import time; time.sleep(60)")
    assert not process.in_namespace
    assert stop(process).clean
