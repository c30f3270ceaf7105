"""Runs the command line on a small matrix of faulty servers, as a person would."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from runners.records.folder import read_folder
from runners.records.run import RunFolder
from runners.records.trial import Trial
from runners.system.processes import MARK
from runners.tools.find import cache_folder
from tests.support import ROOT

FAULTY = Path(__file__).with_name("faulty")
FONTS = cache_folder() / "matplotlib"  # looked for once, not by every run

ONCE = ("--budget", "1s")  # of load: spent by the first block, so that one with faults is not repeated

# How calm the machine is that runs the tests is not what they are about.
VALIDITY = """
[validity]
foreign_fail = "100000%"
steal_fail = "100%"
pressure_fail = "100%"
drift_fail = "10000%"
spread_fail = "10000%"
overshoot_fail = "10s"
clock_step_fail = "10s"
offered = "50%"
"""

MATRIX = """
[suite]
title = "Faulty servers"
modes = {modes}

[preset.quick]
warmup = "{warmup}"
duration = "1s"
blocks = {{ min = {blocks}, max = {blocks} }}
twin = false

{validity}
lost_segments = "1%"  # a slow server sends few hundred: one of them twice is more than the usual share
[machine.local]
threads = [1]
connections = [8]
"""

SERVER = """
[server.{name}]
dir = {dir}
run = [{python}, "{{dir}}/server.py", "--port={{port}}"{options}]
env = {{ PYTHONPATH = {root} }}
ready = {{ timeout = "5s" }}
"""


def server(name: str, *options: str) -> str:
    """Return the table of a server that misbehaves as its options say."""
    return SERVER.format(
        name=name,
        dir=json.dumps(str(FAULTY)),
        python=json.dumps(sys.executable),
        options="".join(f", {json.dumps(option)}" for option in options),
        root=json.dumps(str(ROOT)),
    )


@dataclass(frozen=True)
class Ended:
    """A command that ended."""

    code: int
    out: str
    err: str


def wait_for(what: Callable[[], bool], timeout_s: float = 30) -> None:
    """Wait until something is true; fail after a deadline."""
    deadline = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


LOCUST_STARTS = "2s"  # all its users ask by then, also on a busy machine


class Bench:
    """A folder with a matrix, and the command line run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.matrix = folder / "matrix.toml"
        self.env = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache"), "MPLCONFIGDIR": str(FONTS)}
        self.started: list[subprocess.Popen[str]] = []

    def share_cache(self) -> None:
        """Find the tools and builds of the user's own cache, but not its lock: a run of the user is not waited for."""
        own, user = self.folder / "cache" / "http-speedup", cache_folder()
        own.mkdir(parents=True)
        for name in ("bin", "builds", "debian", "wheels"):
            (user / name).mkdir(parents=True, exist_ok=True)
            (own / name).symlink_to(user / name)

    def write(
        self,
        *faults: str,
        modes: tuple[str, ...] = ("persistent",),
        blocks: int = 1,
        warmup: str = "100ms",
        more: str = "",
    ) -> None:
        """Write a matrix with one server for each fault."""
        text = MATRIX.format(modes=json.dumps(modes), blocks=blocks, warmup=warmup, validity=VALIDITY)
        text += "".join(server(fault, f"--fault={fault}") for fault in faults)
        self.matrix.write_text(text + more, encoding="utf-8")

    def command(self, *words: str) -> list[str]:
        """Return the command line; servers with a fault are to be timed, so the gates must not keep them out."""
        faulty = words[0] == "run" and not {"--matrix", "--server", "--resume"} & {*words}
        return [sys.executable, str(ROOT / "speedup"), *words, *(["--skip-gates"] if faulty else [])]

    def run(self, *words: str, timeout_s: float = 110) -> Ended:
        """Run a command to its end."""
        done = subprocess.run(
            self.command(*words),
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def initialize(self, command: str) -> None:
        """Let `init` write a matrix for a start command; how calm this machine is, is not what tests are about."""
        ended = self.run("init", "--name", "mine", "--run", command)
        assert ended.code == 0, ended.err
        with self.matrix.open("a", encoding="utf-8") as file:
            file.write(f'{VALIDITY}lost_segments = "1%"\n')

    def assert_measured(self) -> None:
        """Assert that every cell of that matrix gets a valid number, and that nothing is left running."""
        ended = self.run("run", "--matrix", "matrix.toml", "--preset", "smoke", "--only", "mine", timeout_s=590)
        assert ended.code == 0, ended.err
        assert self.processes() == []

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command that will be disturbed."""
        process = subprocess.Popen(
            self.command(*words),
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    def close(self) -> None:
        """End what a test that failed has left running."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
                process.communicate()

    @property
    def folders(self) -> list[Path]:
        """Return the run folders there are, oldest first."""
        results = self.folder / "results"
        return sorted(results.iterdir()) if results.exists() else []

    def read(self) -> RunFolder:
        """Read the only run folder."""
        (path,) = self.folders
        return read_folder(path)

    def trial(self, server: str) -> Trial:
        """Return the only trial of a server."""
        found = [trial for trial in self.read().trials if trial.server == server]
        assert len(found) == 1, [(trial.verdict, trial.reason) for trial in found]
        return found[0]

    def wait_for(self, what: Callable[[], bool]) -> None:
        """Wait until something is true; fail after a deadline."""
        wait_for(what)

    def lines(self) -> int:
        """Return how many trials are recorded so far."""
        files = [folder / "trials.jsonl" for folder in self.folders]
        return sum(file.read_bytes().count(b"\n") for file in files if file.exists())

    def is_loading(self, block: int) -> bool:
        """Return whether a trial of this block is under load now."""
        return any(list(folder.glob(f"logs/*/block{block}.load.txt")) for folder in self.folders)

    def processes(self) -> list[str]:
        """Return the command lines of processes that a harness of this folder started and that still run."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            try:
                environment = process.environ()
            except (psutil.Error, OSError):
                continue
            if MARK in environment and environment.get("XDG_CACHE_HOME") == self.env["XDG_CACHE_HOME"]:
                found.append(" ".join(process.info["cmdline"] or []))
        return found


def interrupt(process: subprocess.Popen[str], number: signal.Signals) -> Ended:
    """Send a signal and wait for the end."""
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    return Ended(process.returncode, out, err)
