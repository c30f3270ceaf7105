"""A server and three client hosts on one machine: cells of the matrix under a fleet, and a fleet against wrk by hand.

    python -m benchmarks.fleet
    python -m benchmarks.fleet --blocks 30 --only 'floor/t1/*/persistent'

First, three clients, reached over SSH, put load on cells of the matrix; the run folder and its report stay in
`results`. Then two clients of a fleet, and the same two wrk started by hand at the same moment, put load on one server
in pairs of alternating order: the ratio of their rates should be 1, since both do the same. For that comparison, the
server's host has its own CPU, as real hosts do. Needs root, iproute2, openssh-server, wrk and Locust.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.hosts import Host, Hosts, apart, hosts, reason_without
from runners.loads.base import LoadJob, LoadResult
from runners.loads.fleet.load import Fleet
from runners.loads.fleet.master.session import FleetOptions, fleet
from runners.loads.fleet.wire.clock import now_us
from runners.loads.fleet.wire.seal import make_token
from runners.loads.fleet.worker.loading import STARTING
from runners.loads.wrk import Wrk
from runners.server.probe import wait_until_listening
from runners.stats.statistics import ratio
from runners.tools.find import find_tools, known_tools, this_host, tool_environment

ROOT = Path(__file__).resolve().parents[1]
SPEEDUP = str(ROOT / "speedup")
SERVER = ROOT / "servers" / "python_epoll" / "server.py"
PORT = 18080
CONNECTIONS = 64
LEAD_US = 500_000
VALIDITY = """
[validity] # all hosts are on one machine, so the server's host sees the clients' work
foreign_fail = "100000%"
"""


def environment() -> dict[str, str]:
    """Return the environment variables with which wrk and Locust are found."""
    host = this_host()
    return {**os.environ, **tool_environment(find_tools(known_tools(), ("wrk", "locust"), host), host)}


def run_matrix(made: Hosts, folder: Path, only: str, results: Path) -> int:
    """Have three clients load cells of the matrix, as a user would; return the exit code."""
    clients = "".join(
        f"\n[[client]]\nssh = 'root@{client.address}'\nname = '{client.name}'\noptions = {list(made.ssh)!r}\n"
        f"speedup = {['env', 'PATH=' + environment()['PATH'], sys.executable, SPEEDUP]!r}\n"
        for client in made.clients
    )
    for name in ("servers", "published"):
        (folder / name).symlink_to(ROOT / name)
    text = (ROOT / "matrix.toml").read_text(encoding="utf-8") + VALIDITY + clients
    (folder / "matrix.toml").write_text(text, encoding="utf-8")
    words = ("--matrix", str(folder / "matrix.toml"), "--load", "fleet", "--bind", made.server.address, "--only", only)
    token = ("--token-file", str(folder / "fleet.token"), "--results", str(results))
    return subprocess.run(made.server.argv([sys.executable, SPEEDUP, "run", *words, *token]), check=False).returncode


@dataclass(frozen=True)
class Pair:
    """One block: the rate of the fleet, the rate of two wrk started by hand, and how far apart the fleet started."""

    fleet_per_s: float
    hand_per_s: float
    apart_us: int


@contextmanager
def serving(address: str, env: Mapping[str, str]) -> Iterator[None]:
    """Run a fresh server for the duration."""
    argv = [sys.executable, str(SERVER), f"--host={address}", f"--port={PORT}"]
    server = subprocess.Popen(argv, env=dict(env), stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    try:
        if not wait_until_listening(address, PORT, lambda: server.poll() is None, 10):
            raise RuntimeError("the server does not listen")
        yield
    finally:
        server.kill()
        server.wait()


def by_fleet(job: LoadJob, env: Mapping[str, str]) -> LoadResult:
    """Generate load with the fleet; return its result."""
    phase = Fleet().phases(job)[-1]
    done = subprocess.run(phase.argv, cwd=phase.cwd, env=dict(env), capture_output=True, text=True, check=True)
    return Fleet().parse(done.stdout, job)


def by_hand(job: LoadJob, clients: Sequence[Host], env: Mapping[str, str]) -> float:
    """Generate load with a wrk on each client; return the sum of their rates.

    All begin at the same moment: if one began early, it would have the server to itself, and the sum of the rates would
    count that time twice. Each has as many threads as a worker would give it there.
    """
    connections, cpus = job.connections // len(clients), len(clients[0].cpus) or os.cpu_count() or 1
    share = replace(job, connections=connections, threads=Wrk().threads(connections, cpus, None))
    phase = Wrk().phases(share)[-1]
    waiting = (sys.executable, str(STARTING), str(now_us() + LEAD_US))
    argv = (*waiting, *phase.argv)
    running = [
        subprocess.Popen(client.argv(argv), cwd=phase.cwd, env=dict(env), stdout=subprocess.PIPE, text=True)
        for client in clients
    ]
    outputs = [process.communicate(timeout=60)[0] for process in running]
    return sum(Wrk().parse(output, share).requests_per_s for output in outputs)


def compare(address: str, clients: Sequence[Host], folder: Path, blocks: int, seconds: int) -> Iterator[Pair]:
    """Yield pairs of measurements, in alternating order; this runs on the server's host."""
    env = environment()
    options = FleetOptions(len(clients), address, token_file=folder / "fleet.token")
    with fleet(options, env, folder / "fleet.txt", lambda: None) as ready:
        job = LoadJob(address, PORT, "/", "persistent", CONNECTIONS, 0, 0, seconds, fleet=ready.socket)
        for block in range(blocks):
            hand_per_s = 0.0
            if block % 2:
                with serving(address, env):
                    hand_per_s = by_hand(job, clients, env)
            with serving(address, env):
                result = by_fleet(job, env)
            if not block % 2:
                with serving(address, env):
                    hand_per_s = by_hand(job, clients, env)
            apart_us = max(client.started_us for client in result.clients)
            yield Pair(result.requests_per_s, hand_per_s, apart_us)


def inside(words: Sequence[str]) -> int:
    """Compare, on the server's host; print each pair and the overall ratio."""
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    told = json.loads(words[0])
    clients = [Host(**client) for client in told["clients"]]
    pairs = []
    for pair in compare(told["address"], clients, Path(told["folder"]), told["blocks"], told["seconds"]):
        pairs.append(pair)
        print(f"fleet {pair.fleet_per_s:,.0f}, by hand {pair.hand_per_s:,.0f} req/s,"
              f" started {pair.apart_us / 1000:.2f} ms apart", flush=True)  # fmt: skip
    found = ratio([math.log(pair.fleet_per_s / pair.hand_per_s) for pair in pairs])
    between = f" ({found.interval.low:.4f} to {found.interval.high:.4f})" if found.interval else ""
    worst_us = max(pair.apart_us for pair in pairs)
    print(f"fleet / by hand: {found.value:.4f}{between}, {len(pairs)} blocks; at most {worst_us / 1000:.2f} ms apart")
    return 0


def main() -> int:
    """Create the hosts, run both parts, and remove the hosts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=20, help="pairs of a fleet and wrk by hand")
    parser.add_argument("--seconds", type=int, default=2, help="seconds of load for each")
    parser.add_argument("--only", default="floor/t1/*", metavar="GLOB", help="cells of the matrix that the fleet loads")
    parser.add_argument("--results", type=Path, default=Path("results"), metavar="DIR")
    options = parser.parse_args()
    lacking = reason_without()
    if lacking:
        parser.error(lacking)
    with tempfile.TemporaryDirectory(prefix="speedup-hosts-") as name:
        folder = Path(name)
        with hosts(3, folder) as made:
            make_token(folder / "fleet.token")
            code = run_matrix(made, folder, options.only, options.results.resolve())
            return code or _compare_on(apart(made, sorted(os.sched_getaffinity(0))), folder, options)


def _compare_on(made: Hosts, folder: Path, options: argparse.Namespace) -> int:
    """Start two workers by hand and compare, on the server's host."""
    env, clients = environment(), made.clients[:2]
    for client in clients:
        words = ("worker", "--master", made.server.address, "--token-file", str(folder / "fleet.token"))
        with (folder / f"{client.name}.txt").open("wb") as output:
            client.start([sys.executable, SPEEDUP, *words, "--name", client.name], output, env)
    told = {"address": made.server.address, "clients": [vars(client) for client in clients], "folder": str(folder),
            "blocks": options.blocks, "seconds": options.seconds}  # fmt: skip
    argv = made.server.argv([sys.executable, "-m", "benchmarks.fleet", "--inside", json.dumps(told)])
    return subprocess.run(argv, cwd=ROOT, env=env, check=False).returncode


if __name__ == "__main__":
    sys.exit(inside(sys.argv[2:]) if sys.argv[1:2] == ["--inside"] else main())
