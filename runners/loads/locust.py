"""Locust on this host, or on each host of a fleet: FastHttpUser users, in their own process because of monkey-patching.

A Python client saturates long before a native server does, so its numbers are limited by the client; the records and
the report say so. It is used if wrk is missing.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runners.loads.base import LoadFailed, LoadJob, LoadResult, Phase
from runners.loads.fleet import load as fleet
from runners.matrix.requests.mix import Asked, Mix
from runners.records.trial import Errors

WINDOW, USERS = (Path(__file__).with_name(name) for name in ("locust_window.py", "locust_users.py"))
PATIENCE_S = 30.0
RESULT = "speedup:result "


@dataclass(frozen=True)
class Locust:
    """The Locust load generator, one process on one host."""

    kind: str = "locust"
    tool: str = "locust"
    warms_apart: bool = False

    def threads(self, connections: int, cpus: int, wanted: int | None) -> int:  # noqa: ARG002 - one process
        """Return 1: its users are greenlets in one thread."""
        return 1

    def refusal(self, asked: Asked) -> str | None:  # noqa: ARG002 - its users send anything
        """Return None: it can send everything."""
        return None

    def mix_file(self, mix: Mix, job: LoadJob) -> bytes:  # noqa: ARG002 - its users know the mode
        """Return the requests with their weights as JSON, their bodies in base64."""
        described = [
            {
                "name": request.name,
                "method": request.method,
                "url": request.path,
                "headers": dict(request.headers),
                "body": base64.b64encode(request.body).decode(),
                "weight": weight,
            }
            for request, weight in zip(mix.requests, mix.weights, strict=True)
        ]
        return json.dumps(described).encode()

    def phases(self, job: LoadJob) -> tuple[Phase, ...]:
        """Return one command; Locust takes longer to start than any warm-up, so it warms up and measures in one go."""
        if job.fleet:
            return (fleet.phase(job, "load", "locust"),)
        run_s = job.warmup_s + job.duration_s
        wait_s = 0.0 if job.start_us is None else PATIENCE_S  # it ends by itself once its time is over
        argv = (
            "locust",
            *("-f", _files(job), "--headless", "--only-summary", "--loglevel", "WARNING"),
            *("--host", f"http://{job.host}:{job.port}", "--users", str(job.connections)),
            *("--spawn-rate", str(job.connections), "--run-time", f"{math.ceil(run_s + wait_s) + 1}s"),
            *("--stop-timeout", "0"),
            *(
                "--path",
                job.path,
                "--mode",
                job.mode,
                "--method",
                job.method,
                "--headers",
                json.dumps(dict(job.headers)),
            ),
            *(("--body", str(job.body)) if job.body else ()),
            *(("--mix", str(job.mix)) if job.mix else ()),
            *("--warmup-s", f"{job.warmup_s:g}", "--duration-s", f"{job.duration_s:g}"),
            *(("--start-us", str(job.start_us)) if job.start_us is not None else ()),
        )
        return (Phase("load", argv, run_s + wait_s + PATIENCE_S, cwd=_folder(job)),)

    def parse(self, output: str, job: LoadJob) -> LoadResult:
        """Return what Locust printed at its end, here or on each host of a fleet; raise LoadFailed if nothing."""
        if job.fleet:
            return fleet.parse(output, lambda text, _connections, _threads: _parsed(text), punctual=True)
        return _parsed(output)


def _files(job: LoadJob) -> str:
    """Return the files for Locust: ours that counts, and our users or the ones of the user's own locustfile."""
    return f"{WINDOW},{Path(job.locustfile.path).name}" if job.locustfile else f"{WINDOW.name},{USERS.name}"


def _folder(job: LoadJob) -> Path:
    """Return the folder of the users' file, which may need other files beside it."""
    return Path(job.locustfile.path).parent if job.locustfile else USERS.parent


def _parsed(output: str) -> LoadResult:
    lines = [line for line in output.splitlines() if line.startswith(RESULT)]
    if not lines:
        raise LoadFailed("Locust printed no result")
    try:
        return _result(_punctual(json.loads(lines[-1].removeprefix(RESULT))))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise LoadFailed(f"Locust printed a torn result ({error})") from error


def _result(facts: dict[str, Any]) -> LoadResult:
    window_us = (facts["opened_us"], facts["opened_us"] + facts["duration_us"])
    return LoadResult(
        requests=facts["requests"],
        duration_us=facts["duration_us"],
        bytes_read=None,
        errors=Errors(**facts["errors"]),
        latency=_histogram(facts["latency"]),
        client_cpu_us=facts["cpu_us"],
        uncounted=facts["uncounted"],
        window_us=window_us,
        parts={name: _histogram(counts) for name, counts in facts.get("parts", {}).items()},
    )


def _histogram(counts: Mapping[str, int]) -> dict[int, int]:
    return {int(value): count for value, count in counts.items()}


def _punctual(facts: dict[str, Any]) -> dict[str, Any]:
    """Return the facts; raise LoadFailed if a busy host made the load begin late."""
    if facts["late_s"] > 0:
        raise LoadFailed(f"Locust began {facts['late_s']:.1f} s late")
    return facts
