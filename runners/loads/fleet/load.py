"""A fleet: workers on several client hosts, each running a generator for its share of the connections.

Its command passes an order to the fleet's master and prints what all clients reported (`runners.loads.fleet`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from runners import resources
from runners.errors import FleetIncomplete
from runners.loads.base import LoadFailed, LoadInvalid, LoadJob, LoadResult, Phase
from runners.loads.fleet import merging  # by its module: it imports LoadResult from this package
from runners.loads.wrk import Wrk
from runners.matrix.requests.mix import Asked, Mix
from runners.matrix.requests.request import Request

RESULT = "speedup:fleet "
WAIT_S = 60.0  # for clients that were killed or disconnected to come back
PATIENCE_S = 30.0
CHECK, NAME, LIMIT = "V22", "hosts", "every client generates load the whole time and reports what it counted"


@dataclass(frozen=True)
class Fleet:
    """Several hosts, each running wrk."""

    kind: str = "fleet"
    tool: str = "locust"  # it carries the messages; wrk is needed on the clients, not here
    warms_apart: bool = False

    def threads(self, connections: int, cpus: int, wanted: int | None) -> int:  # noqa: ARG002 - each client decides
        """Return the most threads that each client may use; 0: one for each of its CPUs."""
        return wanted or 0

    def refusal(self, asked: Asked) -> str | None:
        """Return why it cannot send a request: clients are told a path and nothing else."""
        plain = isinstance(asked, Request) and asked.is_plain
        return None if plain else "sends only GET without headers of its own, and no mixes"

    def mix_file(self, mix: Mix, job: LoadJob) -> bytes:  # noqa: ARG002
        """Raise LoadFailed, since it sends none."""
        raise LoadFailed(f"a fleet cannot send the mix {mix.name}")

    def phases(self, job: LoadJob) -> tuple[Phase, ...]:
        """Return the warm-up and the measured command."""
        warm = replace(job, duration_s=job.warmup_s)
        measured = phase(job, "load", "wrk")
        return (phase(warm, "warm-up", "wrk"), measured) if job.warmup_s else (measured,)

    def parse(self, output: str, job: LoadJob) -> LoadResult:
        """Return the sum of what the clients counted; raise LoadInvalid if any did not do its part."""
        return parse(
            output,
            lambda text, connections, threads: Wrk().parse(
                text, replace(job, connections=connections, threads=threads)
            ),
        )


def phase(job: LoadJob, purpose: Literal["warm-up", "load"], generator: str) -> Phase:
    """Return the command that has a fleet run a generator."""
    order = {
        "what": "load",
        "generator": generator,
        "host": job.host,
        "port": job.port,
        "path": job.path,
        "mode": job.mode,
        "connections": job.connections,
        "threads": job.threads or None,
        "warmup_s": job.warmup_s if generator == "locust" else 0.0,
        "duration_s": job.duration_s,
        "measured": purpose == "load",
        "locustfile": job.locustfile.sha256 if job.locustfile else None,
        "wait_s": WAIT_S,
    }
    argv = (sys.executable, "-m", "runners.loads.fleet.master.ask", str(job.fleet), json.dumps(order))
    return Phase(purpose, argv, WAIT_S + job.warmup_s + job.duration_s + PATIENCE_S, cwd=resources.code())


def parse(output: str, read: merging.Parse, *, punctual: bool = False) -> LoadResult:
    """Return a fleet's result from what `ask` printed; raise FleetIncomplete, LoadInvalid or LoadFailed without one."""
    answer = _answer(output)
    failure = answer["failure"]
    if failure and failure["kind"] == "absent":
        raise FleetIncomplete(f"the fleet is incomplete: {failure['reason']}, after waiting for {WAIT_S:g} s")
    if failure:
        who = f"client {failure['client']} " if failure["client"] else ""
        raise LoadInvalid(CHECK, NAME, f"{who}{failure['reason']}", LIMIT)
    try:
        return merging.merged(answer["clients"], read, punctual=punctual)
    except (LoadFailed, LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise LoadInvalid(CHECK, NAME, f"a client reported something impossible: {error}", LIMIT) from error


def _answer(output: str) -> Mapping[str, Any]:
    lines = [line for line in output.splitlines() if line.startswith(RESULT)]
    if not lines:
        raise LoadFailed("the fleet's master gave no answer")
    try:
        answer = json.loads(lines[-1].removeprefix(RESULT))
        failure, clients = answer["failure"], answer["clients"]
        told = {key: failure[key] for key in ("client", "reason", "kind")} if failure else None
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise LoadFailed("the fleet's master gave no complete answer") from error
    return {"failure": told, "clients": clients}
