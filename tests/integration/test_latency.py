"""Latency at offered rates, measured with real h2load against servers of known delay and capacity."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runners.loads.base import LoadJob, LoadResult
from runners.loads.h2load import H2load
from runners.records.trial import Trial
from runners.server.probe import wait_until_listening
from runners.server.process import HOST, free_port
from runners.stats.histogram import decode, percentile_us
from tests.support import ROOT
from tests.support.bench import FAULTY, Bench, server

pytestmark = [
    pytest.mark.measures,
    pytest.mark.skipif(
        shutil.which("h2load") is None, reason="h2load is not installed: speedup doctor --install --for tests"
    ),
]

TABLE = """
[[table]]
title = "Latency"
mode = "latency"
rows = ["slow"]
"""
DELAY_US = 2_000
CAPACITY_PER_S = 1e6 / DELAY_US


def write(bench: Bench, more: str) -> None:
    """Write a matrix with one server that takes 2 ms for a request, on one thread."""
    bench.write(more=server("slow", "--delay-s=0.002") + TABLE + more)


def of_design(bench: Bench, design: str) -> list[Trial]:
    """Return the trials of a design that were measured."""
    return [trial for trial in bench.read().trials if trial.design == design and trial.verdict != "not run"]


def median_us(trial: Trial) -> int:
    """Return the median latency of a trial."""
    return percentile_us(decode(trial.latency or ""), 50) or 0


def test_a_low_rate_shows_the_server_s_own_delay(bench: Bench) -> None:
    """At a tenth of the capacity hardly any request waits for another; with eight at once, nearly all do."""
    write(bench, 'fractions = ["10%", "80%"]')
    ended = bench.run("run")
    assert ended.code == 0, ended.err
    low, high = sorted(of_design(bench, "paced"), key=lambda trial: trial.fraction or 0)
    assert (low.fraction, low.verdict, low.load) == (0.1, "ok", "h2load"), low.reason
    assert low.offered_per_s == pytest.approx(0.1 * (low.capacity_per_s or 0))
    assert low.requests_per_s == pytest.approx(low.offered_per_s, rel=0.25)
    crowded_us = median_us(of_design(bench, "solo")[0])
    assert DELAY_US <= median_us(low) < crowded_us / 2
    assert (high.requests_per_s or 0) > (low.requests_per_s or 0)
    assert [check.id for check in low.checks][-3:] == ["V25", "V26", "V27"]
    assert not {"V10", "V12"} & {check.id for check in low.checks}
    assert list(bench.folders[0].glob("logs/*/*.requests.txt")) == []
    assert bench.processes() == []


@pytest.fixture
def stalling(tmp_path: Path) -> Iterator[int]:
    """Return the port of a server that loses the first 200 ms of every second."""
    port = free_port(700)
    with (tmp_path / "server.txt").open("wb") as output:
        argv = [sys.executable, str(FAULTY / "server.py"), f"--port={port}", "--delay-s=0", "--stall-s=0.2"]
        process = subprocess.Popen(argv, stdout=output, stderr=output, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert wait_until_listening(HOST, port, lambda: process.poll() is None, 10)
    yield port
    process.terminate()
    process.wait(10)


def load(job: LoadJob) -> LoadResult:
    """Run a paced job to its end."""
    phase = H2load().phases(job)[-1]
    done = subprocess.run(phase.argv, cwd=phase.cwd, capture_output=True, text=True, timeout=phase.limit_s, check=True)
    return H2load().parse(done.stdout, job)


def test_what_a_stall_delays_is_charged_to_it(stalling: int, tmp_path: Path) -> None:
    """A fifth of the requests is due in a stall of 200 ms: p90 is 100 ms, although most of them were sent after it."""
    job = LoadJob(HOST, stalling, "/", "persistent", 8, 1, 1.0, 4.0, 1000.0, tmp_path / "requests.txt")
    result = load(job)
    latency = result.latency or {}
    assert result.requests == pytest.approx(4000, rel=0.02)
    assert (percentile_us(latency, 50) or 0) < 20_000
    assert 60_000 < (percentile_us(latency, 90) or 0) < 180_000
    assert 140_000 < (percentile_us(latency, 99) or 0) < 400_000
    assert result.pacing is not None
    assert result.pacing.late > 200
    assert not (tmp_path / "requests.txt").exists()


def test_a_closed_loop_counts_as_its_own_totals_do(stalling: int, tmp_path: Path) -> None:
    """Every line of the log is a request; h2load's own totals are checked against it."""
    job = LoadJob(HOST, stalling, "/", "persistent", 8, 2, 0.0, 1.0, None, tmp_path / "requests.txt")
    result = load(job)
    assert result.requests == sum((result.latency or {}).values()) > 100
    assert (result.uncounted, result.errors.total, result.pacing) == (0, 0, None)
    assert result.bytes_read == result.requests * len(b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nHello World")
