"""Mutated requests at our own servers, built to notice a fault; `benchmarks.mutated_requests` sends millions."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks.mutated_requests import attack
from tests.support import ROOT

COUNT = int(os.environ.get("SPEEDUP_MUTATED_REQUESTS", "20000"))
SANITIZED = ("-std=gnu11", "-g", "-O1", "-pthread", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined")
NIM = {
    "epoll": ("servers/nim/epoll.nim", "-d:server=epoll"),
    "epoll_parallel": ("servers/nim/epoll.nim", "-d:server=epoll_parallel", "-d:shared"),
    "asyncnet": ("servers/nim/asyncnet_hello.nim", "-d:server=asyncnet"),
    "selectors": ("servers/nim/selectors_hello.nim", "-d:server=selectors"),
    "rawsockets": ("servers/nim/rawsockets.nim", "-d:server=rawsockets"),
    "asynchttp.first-optimizations": ("servers/asynchttp/asynchttp.nim", "-d:server=first"),
    "asynchttp.more-optimizations": ("servers/asynchttp/asynchttp.nim", "-d:server=more"),
    "asynchttp.last-optimizations": ("servers/asynchttp/asynchttp.nim", "-d:server=last"),
}

pytestmark = [pytest.mark.measures, pytest.mark.timeout(1200)]


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed: speedup doctor --install --for tests")
@pytest.mark.parametrize(("source", "libraries"), [("floor", ()), ("floor_uring", ("-luring",))])
def test_mutated_requests_meet_no_fault_of_c(source: str, libraries: tuple[str, ...], tmp_path: Path) -> None:
    """Neither of memory nor of arithmetic; whole requests are answered in between."""
    if libraries and not Path("/usr/include/liburing.h").exists():
        pytest.skip("liburing is not installed: speedup doctor --install --for tests")
    program = tmp_path / source
    built = ["gcc", *SANITIZED, "-o", str(program), str(ROOT / f"servers/floor/{source}.c"), *libraries]
    subprocess.run(built, check=True)
    tally, fault = attack([str(program), "{host}", "{port}", "2"], COUNT)
    assert fault is None
    assert (tally.sent, tally.silent) == (COUNT, 0)


@pytest.mark.skipif(shutil.which("nim") is None, reason="nim is not installed: speedup doctor --install --for tests")
@pytest.mark.parametrize("variant", NIM)
def test_mutated_requests_meet_no_fault_of_nim(variant: str, tmp_path: Path) -> None:
    """With its checks of ranges, bounds and overflow, which are off when it is measured."""
    source, *flags = NIM[variant]
    program = tmp_path / "server"
    quiet = ("--hints:off", "--warnings:off", "-d:release", "--threads:on", f"--nimcache:{tmp_path}/cache")
    subprocess.run(["nim", "c", *quiet, *flags, f"-o:{program}", str(ROOT / source)], check=True)
    threads = 2 if "parallel" in variant else 1
    tally, fault = attack([str(program), "--host={host}", "--port={port}", f"--threads={threads}"], COUNT)
    assert fault is None
    assert (tally.sent, tally.silent) == (COUNT, 0)
