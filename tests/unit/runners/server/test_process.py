"""A server under test: whether the port is its own is believed after several looks, and a death is said first."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runners.matrix.cells import Cell, LoadSettings, Program
from runners.server import process
from runners.server.process import Logs, Programs, ServerProcess, TrialFailed, complaint_of, tail_of
from runners.system import kernel
from runners.system.kernel import Listening
from runners.system.machine import Layout

FOREIGN = Listening(frozenset({"77"}), {5: frozenset({"1"})})
OWN = Listening(frozenset({"77"}), {5: frozenset({"77"})})
SLEEPS, ENDS = "import time; time.sleep(60)", "print('no such file'); raise SystemExit(3)"


@pytest.fixture
def started(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[ServerProcess]:
    """Return a process that stands for a server."""
    program = Program(
        server="s", variant=None, title="s", language=None, class_="realistic", group="document", needs=(), dir=".",
        build=(), run=(sys.executable, "-c", request.param), config=None, flags=(), env={}, unavailable=None,
    )  # fmt: skip
    cell = Cell(program, 1, 1, "persistent", "local", LoadSettings("wrk", 0.1, 1.0, None), None)
    logs = Logs(tmp_path, tmp_path, "block0")
    cpus = tuple(sorted(os.sched_getaffinity(0)))
    server = ServerProcess(cell, Layout(cpus, cpus), Programs(tmp_path, {}, dict(os.environ)), logs, 18080)
    yield server
    server.stop()


@pytest.mark.parametrize("started", [SLEEPS], indirect=True)
def test_a_socket_that_one_look_missed_is_looked_for_again(
    started: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading /proc is no snapshot: what is there may be left out once."""
    looks = iter([Listening(frozenset(), {}), FOREIGN, OWN])
    monkeypatch.setattr(kernel, "listening", lambda _pid, _port: next(looks))
    started._check_own_port()
    assert next(looks, None) is None


@pytest.mark.parametrize("started", [SLEEPS], indirect=True)
def test_a_foreign_listener_is_named_with_what_was_seen(
    started: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a wrong verdict can be traced."""
    monkeypatch.setattr(process, "OWN_PORT_TIMEOUT_S", 0.1)
    monkeypatch.setattr(kernel, "listening", lambda _pid, _port: FOREIGN)
    with pytest.raises(TrialFailed) as failed:
        started._check_own_port()
    assert "port 18080 is answered by another process, not by this server" in str(failed.value)
    assert "socket 77 listens there; processes 5 do not hold it" in str(failed.value)


@pytest.mark.parametrize("started", [ENDS], indirect=True)
def test_a_death_is_said_first(started: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that ended does not listen; that somebody else does is beside the point."""
    monkeypatch.setattr(kernel, "listening", lambda _pid, _port: FOREIGN)
    started.process.wait()
    with pytest.raises(
        TrialFailed, match=r"ended with exit status 3 before it answered; its last output: no such file"
    ):
        started._check_own_port()


def test_what_one_look_saw_is_told_apart() -> None:
    """No socket, no process, or a socket that is somebody else's."""
    assert str(Listening(frozenset(), {5: frozenset()})) == "no listening socket was seen there"
    assert "none of the server's processes was seen" in str(Listening(frozenset({"1"}), {}))
    assert OWN.by_tree
    assert not FOREIGN.by_tree


@pytest.mark.parametrize(
    ("output", "complaint"),
    [
        ("wrk: invalid option -- 'Z'\nUsage: wrk <options> <url>\n  -c\n  -d\n  -t\n", "wrk: invalid option -- 'Z'"),
        ("usage: locust [x]\nlocust: error: no such option\n", "usage: locust [x] | locust: error: no such option"),
        ("Usage: wrk <options> <url>\n", "Usage: wrk <options> <url>"),
        ("starting\nout of memory\n", "starting | out of memory"),
        ("", ""),
    ],
    ids=["before its usage", "below its usage", "usage alone", "no usage", "nothing"],
)
def test_what_a_program_complains_about_is_shown_without_its_usage(output: str, complaint: str, tmp_path: Path) -> None:
    """The last lines of a usage say nothing about the fault."""
    file = tmp_path / "output.txt"
    file.write_text(output, encoding="utf-8")
    assert complaint_of(file) == complaint


def test_a_program_without_output_complains_about_nothing(tmp_path: Path) -> None:
    """It may not have been started at all."""
    assert (complaint_of(tmp_path / "none"), tail_of(tmp_path / "none")) == ("", "")
