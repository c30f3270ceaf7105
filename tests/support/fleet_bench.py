"""Runs fleets on several hosts made of network namespaces, with real Locust, wrk and ssh."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.hosts import Host, Hosts
from runners.loads.fleet.wire.seal import make_token
from runners.records.folder import read_folder
from runners.records.run import RunFolder
from runners.records.trial import Trial
from runners.tools.find import find_tools, known_tools, this_host, tool_environment
from tests.support import ROOT
from tests.support.bench import FONTS, VALIDITY, Ended, wait_for

MATRIX = """
[suite]
title = "A fleet"
body = "Hello World"

[preset.quick]
warmup = "0ms"
duration = "1s"
blocks = {{ min = {blocks}, max = {blocks} }}
twin = false

{validity}start_skew_fail = "1s"
window_fail = "100%"
requests_per_connection_fail = 1
lost_segments = "{lost}"
lost_segments_least = 0

[machine.local]
threads = [1]
connections = [{connections}]

[server.hello]
dir = {dir}
run = [{python}, "{{dir}}/server.py", "--host={{host}}", "--port={{port}}"]

[[exclude]]
cells = "*/{without}"
"""
SERVER = ROOT / "servers" / "python_epoll"
STRANGER = Path(__file__).with_name("stranger.py")
SPEEDUP = str(ROOT / "speedup")


class FleetBench:
    """A folder with a matrix and a token, and hosts on which the command line is run."""

    def __init__(self, folder: Path, hosts: Hosts) -> None:
        self.folder, self.hosts = folder, hosts
        host = this_host()
        tools = find_tools(known_tools(), ("wrk", "locust"), host)
        self.env = {**os.environ, **tool_environment(tools, host), "XDG_CACHE_HOME": str(folder / "cache"),
                    "MPLCONFIGDIR": str(FONTS)}  # fmt: skip
        self.token = folder / "cache/http-speedup/fleet.token"
        make_token(self.token)
        self.workers: list[subprocess.Popen[bytes]] = []

    def write(
        self, blocks: int = 1, mode: str = "persistent", more: str = "", connections: int = 8, lost: str = "0.2%"
    ) -> None:
        """Write the matrix: one server, one mode, so many blocks."""
        without = "non-persistent" if mode == "persistent" else "persistent"
        text = MATRIX.format(
            blocks=blocks,
            dir=repr(str(SERVER)),
            python=repr(sys.executable),
            without=without,
            connections=connections,
            lost=lost,
            validity=VALIDITY,
        )
        (self.folder / "matrix.toml").write_text(text + more, encoding="utf-8")

    def worker(self, client: Host, *words: str, program: Sequence[str] = (SPEEDUP,)) -> subprocess.Popen[bytes]:
        """Start a worker on a client host."""
        master = ("worker", "--master", self.hosts.server.address, "--token-file", str(self.token))
        argv = [sys.executable, *program, *master, "--name", client.name, *words]
        with self.log(client).open("ab") as output:
            self.workers.append(client.start(argv, output, self.env, self.folder))
        return self.workers[-1]

    def stranger(self, client: Host) -> subprocess.Popen[bytes]:
        """Start who talks to the master's port without a token, in Locust's own language, from a client host."""
        argv = ("locust", "-f", str(STRANGER), "--headless", "--host", self.hosts.server.address)
        with self.log(client).open("ab") as output:
            self.workers.append(client.start(argv, output, self.env, self.folder))
        return self.workers[-1]

    def run_of_matrix(self) -> Ended:
        """Run with the clients that the matrix names."""
        argv = self.command(1)
        at = argv.index("--expect-workers")
        argv[at : at + 2] = ["--load", "fleet"]
        return self._ended(argv, 150)

    def log(self, client: Host) -> Path:
        """Return where a worker's output goes."""
        return self.folder / f"{client.name}.txt"

    def command(self, clients: int, *words: str) -> list[str]:
        """Return the command line of a run that is loaded by so many clients."""
        fleet = ("--expect-workers", str(clients), "--bind", self.hosts.server.address, "--workers-wait", "60s")
        return self.hosts.server.argv([sys.executable, SPEEDUP, "run", "--skip-gates", *fleet, *words])

    def run(self, clients: int, *words: str, timeout_s: float = 150) -> Ended:
        """Run to the end."""
        return self._ended(self.command(clients, *words), timeout_s)

    def _ended(self, argv: Sequence[str], timeout_s: float) -> Ended:
        done = subprocess.run(
            argv, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=timeout_s, check=False
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    @contextlib.contextmanager
    def running(self, clients: int, *words: str) -> Iterator[subprocess.Popen[str]]:
        """Start a run that will be disturbed, and wait for its end."""
        process = subprocess.Popen(
            self.command(clients, *words), cwd=self.folder, env=self.env, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.kill()
            process.communicate(timeout=10)

    def read(self) -> RunFolder:
        """Read the newest run folder."""
        return read_folder(max((self.folder / "results").iterdir()))

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Return the trials recorded so far."""
        return self.read().trials

    def wait_for(self, what: Callable[[], bool]) -> None:
        """Wait until something is true; fail after a deadline that leaves Locust and several hosts their time."""
        wait_for(what, 60)

    def recorded(self) -> int:
        """Return how many trials are recorded."""
        files = list((self.folder / "results").glob("*/trials.jsonl"))
        return sum(file.read_bytes().count(b"\n") for file in files)

    def is_loading(self, block: int) -> bool:
        """Return whether the load of a block has been ordered."""
        return bool(list((self.folder / "results").glob(f"*/logs/*/block{block}.load.txt")))

    def master_log(self) -> str:
        """Return what the master has printed so far."""
        return "".join(file.read_text(errors="replace") for file in (self.folder / "results").glob("*/logs/fleet.txt"))

    def says(self, client: Host, words: str) -> bool:
        """Return whether a worker has printed these words."""
        return words in self.log(client).read_text(encoding="utf-8", errors="replace")

    def close(self) -> None:
        """End the workers."""
        for worker in self.workers:
            worker.terminate()
        for worker in self.workers:
            worker.wait(15)
