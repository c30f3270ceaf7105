"""What a server uses is counted over all that it started, and its output is bounded without its noticing."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import pytest
from pydantic import ValidationError

from runners.matrix.model import Limits
from runners.matrix.quantities import amount_bytes
from runners.records.files import create_file
from runners.server import limits
from runners.server.limits import BoundedLog, Watchdog, usage
from runners.system.enclosure import namespaces
from runners.system.processes import Enclosed, Enclosure, start, stop

Held = Callable[[Path], BinaryIO]
FORKS = """
import os, sys, time
for _ in range(5):
    if os.fork() == 0:
        os.setsid()
        time.sleep(60)
print("ready", flush=True)
time.sleep(60)
"""
SHARES = """
import os, time
held = os.urandom(60 << 20)
for _ in range(5):
    if os.fork() == 0:
        time.sleep(60)
print("ready", flush=True)
time.sleep(60)
"""


def wait_for(happens: Callable[[], bool]) -> None:
    """Wait until something happens, for ten seconds at most."""
    deadline = time.monotonic() + 10
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture(name="held")
def logs_that_are_held() -> Iterator[Held]:
    """Return what holds a log open beside whoever writes it."""
    with ExitStack() as opened:
        yield lambda file: opened.enter_context(file.open("r+b"))


def begin(folder: Path, code: str, *, namespace: bool = True) -> Enclosed:
    """Start Python in an enclosure and wait for its first line."""
    log = folder / "log.txt"
    with log.open("wb") as output:
        process = start([sys.executable, "-c", code], output=output, enclosure=Enclosure(namespace=namespace))
    wait_for(lambda: log.stat().st_size > 0)
    assert isinstance(process, Enclosed)
    return process


@pytest.mark.parametrize("namespace", [True, False])
def test_processes_are_counted_whatever_session_they_are_in(tmp_path: Path, *, namespace: bool) -> None:
    """Neither the harness's own processes nor those that enclose them count."""
    if namespace and namespaces.means() is None:
        pytest.skip("pid namespaces are not permitted here")
    process = begin(tmp_path, FORKS, namespace=namespace)
    used = usage(process, process.pid)
    stop(process)
    assert used.processes == 6
    assert used.rss_bytes > 6 * 2**20


def test_too_many_processes_are_told(tmp_path: Path, held: Held) -> None:
    """With the key that allows more."""
    process = begin(tmp_path, FORKS)
    told = Watchdog(process, held(tmp_path / "log.txt"), Limits(processes=5)).breach(process.pid)
    allowed = Watchdog(process, held(tmp_path / "log.txt"), Limits(processes=6)).breach(process.pid)
    stop(process)
    assert told == (
        "it has 6 processes, more than the matrix allows (5); if it needs that much, raise `processes` in [limits]"
    )
    assert allowed is None


def test_memory_that_processes_share_counts_once(tmp_path: Path, held: Held) -> None:
    """A server that forks its workers after it has loaded everything is no glutton."""
    process = begin(tmp_path, SHARES)
    assert usage(process, process.pid).rss_bytes > 300 << 20
    shared = Watchdog(process, held(tmp_path / "log.txt"), Limits(memory="200MiB")).breach(process.pid)
    told = Watchdog(process, held(tmp_path / "log.txt"), Limits(memory="50MiB")).breach(process.pid)
    stop(process)
    assert shared is None
    assert told is not None
    assert "of memory, more than the matrix allows (50MiB: 50 MiB); if it needs that much, raise `memory`" in told


def test_a_server_is_not_looked_at_more_often_than_ten_times_a_second(tmp_path: Path, held: Held) -> None:
    """Looking costs CPU time beside it: more, and so more rarely, where it has no namespace of its own."""
    process = begin(tmp_path, FORKS)
    watchdog = Watchdog(process, held(tmp_path / "log.txt"), Limits(processes=5))
    assert watchdog.breach(process.pid) is not None
    assert watchdog.breach(process.pid) is None
    time.sleep(limits.LOOK_S if process.in_namespace else limits.LOOK_AT_TREE_S)
    assert watchdog.breach(process.pid) is not None
    stop(process)


def test_a_server_that_has_ended_uses_nothing(tmp_path: Path, held: Held) -> None:
    """It may end between two looks."""
    process = begin(tmp_path, "print('ready', flush=True)")
    process.wait(10)
    assert Watchdog(process, held(tmp_path / "log.txt"), Limits()).breach(process.pid) is None
    stop(process)
    assert Watchdog(process, held(tmp_path / "log.txt"), Limits()).breach(process.pid) is None


def test_the_middle_of_a_long_log_is_freed_while_it_grows(tmp_path: Path, held: Held) -> None:
    """The writer goes on where it was; in the end, a line says how much is missing."""
    file = tmp_path / "log.txt"
    with create_file(file) as stream:
        log = BoundedLog(held(file), 1 << 20)
        for number in range(64):
            stream.write(b"%04d " % number * 20_000)  # 100 kB
            stream.flush()
            assert log.bound()
            assert file.stat().st_blocks * 512 < 1_300_000
    assert file.stat().st_size == 6_400_000
    log.settle()
    text = file.read_bytes()
    assert 2**20 < len(text) < 2**20 + 200
    assert text.startswith(b"0000 ")
    assert text.endswith(b"0063 ")
    assert b"\n... 5.1 MiB dropped: see `log` in [limits] of the matrix ...\n" in text
    assert b"\0" not in text


def test_a_short_log_is_left_alone(tmp_path: Path, held: Held) -> None:
    """As almost all are."""
    file = tmp_path / "log.txt"
    file.write_bytes(b"x" * 2**20)
    log = BoundedLog(held(file), 1 << 20)
    assert log.bound()
    log.settle()
    assert file.read_bytes() == b"x" * 2**20


def test_where_a_file_system_frees_nothing_a_long_log_is_a_breach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: Held
) -> None:
    """The disk would be full, and blamed."""
    monkeypatch.setattr(BoundedLog, "bound", lambda _: False)
    process = begin(tmp_path, FORKS)
    told = Watchdog(process, held(tmp_path / "log.txt"), Limits(log="1MiB")).breach(process.pid)
    stop(process)
    assert told is not None
    assert re.match(r"it printed \d+ B, more than the matrix allows \(1 MiB\)", told), told


def test_limits_are_written_as_people_write_them() -> None:
    """A share of the memory, or a size."""
    assert amount_bytes(Limits().memory, 1000) == 800
    assert amount_bytes(Limits(memory="1.5 GiB").memory, 1000) == 1.5 * 2**30
    for wrong in ("0%", "101%", "12", "much", 12):
        with pytest.raises(ValidationError):
            Limits.model_validate({"memory": wrong})
