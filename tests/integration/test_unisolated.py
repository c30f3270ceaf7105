"""Servers that another program starts, as a container engine does: found by the port on which they listen."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from tests.support import ROOT
from tests.support.bench import ONCE, Bench

pytestmark = pytest.mark.measures

ENGINE = [sys.executable, str(ROOT / "tests" / "support" / "engine.py")]
SERVER = [sys.executable, str(ROOT / "servers" / "python_epoll" / "server.py"), "--host={host}", "--port={port}"]


@pytest.fixture
def engine(bench: Bench) -> Iterator[str]:
    """Return the socket of an engine that runs."""
    path = str(bench.folder / "engine")
    with subprocess.Popen([*ENGINE, path], stdout=subprocess.PIPE, env={}) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield path
        process.kill()


def table(*command: str) -> str:
    """Return the table of a server with a start command."""
    return (
        f'[server.box]\ndir = "."\nisolate = false\nrun = {json.dumps(list(command))}\nready = {{ timeout = "5s" }}\n'
    )


def test_the_process_that_listens_is_watched_and_ended(bench: Bench, engine: str) -> None:
    """Its CPU time and memory are measured although it is nobody's child here; the network is the host's."""
    bench.write(more=table(*ENGINE, engine, *SERVER))
    ended = bench.run("run", *ONCE)
    trial = bench.trial("box")
    assert (trial.verdict, trial.network) == ("ok", "host"), (trial.reason, ended.err)
    assert trial.server_cpu_us_per_request
    assert trial.idle_rss_bytes
    listening = [each for each in psutil.net_connections("tcp") if each.status == psutil.CONN_LISTEN]
    ports = {each.laddr.port for each in listening if each.laddr}
    assert not ports & set(range(18080, 18999))


def test_a_command_that_starts_nothing_is_told_to_be_one(bench: Bench) -> None:
    """With its last words."""
    bench.write(more=table(sys.executable, "-c", "print('no such image'); raise SystemExit(1)"))
    ended = bench.run("check")
    assert ended.code == 1
    assert "ended with exit status 1 before it answered; its last output: no such image" in " ".join(ended.out.split())
