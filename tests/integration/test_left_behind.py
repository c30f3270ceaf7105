"""Nothing that a server starts outlives its trial or its run, however it hides; and none takes the whole machine."""

from __future__ import annotations

import os
import signal

import psutil
import pytest

from tests.support.bench import ONCE, Bench, interrupt

pytestmark = pytest.mark.measures

LIMITS = """
[limits]
memory = "200MiB"
processes = 40
"""
NGINX = """
[server.nginx]
dir = "."
needs = ["nginx"]
run = ["nginx", "-p", "{work}", "-c", "{config}"]
config = "nginx.conf"
"""
CONFIG = """
pid {work}/nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path {work}/b; proxy_temp_path {work}/p; fastcgi_temp_path {work}/f;
    uwsgi_temp_path {work}/u; scgi_temp_path {work}/s;
    server { listen {host}:{port}; location / { return 200 "Hello World"; } }
}
"""


def with_word(word: str) -> list[int]:
    """Return the processes that have something in their command lines."""
    found = psutil.process_iter(["cmdline", "status"])
    return [
        process.pid
        for process in found
        if process.info["status"] != psutil.STATUS_ZOMBIE
        and any(word in each for each in process.info["cmdline"] or [])
    ]


@pytest.mark.parametrize("number", [None, signal.SIGKILL, signal.SIGTERM], ids=["to its end", "killed", "terminated"])
def test_what_escapes_its_server_does_not_outlive_a_run(bench: Bench, number: signal.Signals | None) -> None:
    """Neither a detached child without environment nor one that changes its pid all the time."""
    bench.write("escapes", blocks=2)
    word = f"escapes-{bench.env['XDG_CACHE_HOME']}"
    process = bench.start("run")
    bench.wait_for(lambda: bench.is_loading(block=0) and len(with_word(word)) >= 2)
    if number is None:
        process.communicate(timeout=60)
        assert process.returncode == 0  # on a busy machine, what escaped may have cost a trial, which was repeated
        assert {trial.block for trial in bench.read().trials if trial.verdict == "ok"} == {0, 1}
        assert with_word(word) == []
        return
    interrupt(process, number)
    bench.wait_for(lambda: not with_word(word))
    bench.wait_for(lambda: not with_word(str(bench.folder)))


HIDING = """
[server.hiding]
dir = "."
build = ["sh", "-c", "setsid env -i sleep 600.{mark} & echo started; sleep 601.{mark}"]
run = ["{{out}}"]
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_nothing_of_a_build_outlives_a_run(bench: Bench, number: signal.Signals) -> None:
    """Not even what a compiler has detached from itself."""
    mark = f"{os.getpid()}{number:d}"
    bench.write(more=HIDING.format(mark=mark))
    process = bench.start("run")
    bench.wait_for(lambda: len(with_word(f"600.{mark}")) >= 2)  # the shell that starts it, and itself
    interrupt(process, number)
    bench.wait_for(lambda: not with_word(f".{mark}"))


def test_nothing_of_a_server_outlives_its_gates(bench: Bench) -> None:
    """They are asked by a process of their own."""
    bench.write("escapes")
    word = f"escapes-{bench.env['XDG_CACHE_HOME']}"
    process = bench.start("check", "--matrix", "matrix.toml")
    bench.wait_for(lambda: len(with_word(word)) >= 2)
    interrupt(process, signal.SIGKILL)
    bench.wait_for(lambda: not with_word(word))
    bench.wait_for(lambda: not with_word(str(bench.folder)))


def test_nginx_in_the_background_is_named_and_gone(bench: Bench) -> None:
    """It clears its environment, and leaves its parent."""
    bench.write("none", more=NGINX)
    (bench.folder / "nginx.conf").write_text(CONFIG, encoding="utf-8")
    bench.share_cache()
    bench.run("run", *ONCE)
    if any(cell.server == "nginx" and cell.status == "unavailable" for cell in bench.read().run.cells):
        pytest.skip("nginx is not installed")
    trial = bench.trial("nginx")
    assert trial.verdict == "failed"
    assert "went into the background, where it cannot be watched" in (trial.reason or "")
    assert bench.trial("none").verdict == "ok"
    assert [pid for pid in with_word("nginx") if str(bench.folder) in " ".join(psutil.Process(pid).cmdline())] == []


@pytest.fixture(name="limited", scope="module")
def limited_run(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Run servers that take too much, and an honest one behind them, once for all tests that look at them."""
    bench = Bench(tmp_path_factory.mktemp("limits"))
    bench.write("hungry", "forks", "prints", "none", more=LIMITS)
    bench.run("run", *ONCE)
    return bench


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("hungry", "of memory, more than the matrix allows (200MiB"),
        ("forks", "processes, more than the matrix allows (40)"),
    ],
)
def test_a_server_beyond_a_limit_fails_and_is_told_how_to_raise_it(limited: Bench, fault: str, told: str) -> None:
    """The machine is not to blame."""
    trial = limited.trial(fault)
    assert trial.verdict == "failed"
    assert told in (trial.reason or "")
    assert "in [limits]" in (trial.reason or "")


def test_a_server_that_prints_without_end_is_measured_and_its_log_stays_small(limited: Bench) -> None:
    """It printed 300 MB before it listened; the first and the last of it are kept."""
    trial = limited.trial("prints")
    assert trial.verdict == "ok", trial.reason
    (log,) = (command.log for command in trial.commands if command.purpose == "server")
    text = (limited.folders[0] / str(log)).read_bytes()
    assert 16 * 2**20 <= len(text) < 17 * 2**20
    assert b"dropped: see `log` in [limits] of the matrix" in text
    assert text.startswith(b"I have something to say.")


def test_the_run_goes_on_after_a_breach(limited: Bench) -> None:
    """A fork bomb or a leak costs its own row."""
    assert limited.trial("none").verdict == "ok"
    assert limited.processes() == []
