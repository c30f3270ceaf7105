"""wrk 4.x: exact counts and the whole histogram through its Lua `done`, with its traps avoided by construction.

Connections are divisible by threads (otherwise wrk silently drops the rest), the timeout is longer than the duration
(otherwise slow answers are left out of the histogram), the close header is spelled so that wrk sends it, and the
latency "correction" is undone (runners.stats.histogram).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from runners.loads.base import LoadFailed, LoadJob, LoadResult, Phase
from runners.matrix.requests.mix import Asked, Mix
from runners.records.trial import Errors
from runners.stats.histogram import uncorrected

SCRIPT = Path(__file__).with_name("wrk.lua")
PATIENCE_S = 10.0

_SUMMARY = re.compile(r"^speedup:summary (.+)$", re.MULTILINE)
_HISTOGRAM = re.compile(r"^speedup:histogram (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Wrk:
    """The wrk load generator."""

    kind: str = "wrk"
    tool: str = "wrk"
    warms_apart: bool = True

    def threads(self, connections: int, cpus: int, wanted: int | None) -> int:
        """Return the largest number up to `wanted` (or one per CPU) that divides the connections evenly."""
        most = min(wanted or cpus, connections)
        return next(count for count in range(most, 0, -1) if connections % count == 0)

    def refusal(self, asked: Asked) -> str | None:  # noqa: ARG002 - the script sends anything
        """Return None: it can send everything."""
        return None

    def mix_file(self, mix: Mix, job: LoadJob) -> bytes:
        """Return the requests as they are sent, each after its length, and the cycle in which to send them."""
        close = ("Connection: close",) if job.mode == "non-persistent" else ()
        sent = [request.bytes_for(f"{job.host}:{job.port}", *close) for request in mix.requests]
        counted = b"".join(b"%d\n%b" % (len(data), data) for data in sent)
        return b"%d\n%b%b\n" % (len(sent), counted, " ".join(str(index + 1) for index in mix.order).encode())

    def phases(self, job: LoadJob) -> tuple[Phase, ...]:
        """Return the warm-up and the measured command; wrk accepts only whole seconds, so SIGINT ends other times."""
        measured = _phase(job, "load", job.duration_s)
        return (_phase(job, "warm-up", job.warmup_s), measured) if job.warmup_s else (measured,)

    def parse(self, output: str, job: LoadJob) -> LoadResult:
        """Return what the script printed, with the latency correction undone; raise LoadFailed without a result."""
        summary, histogram = _SUMMARY.search(output), _HISTOGRAM.search(output)
        if summary is None or histogram is None:
            raise LoadFailed("wrk printed no result")
        try:
            return _result(summary[1], histogram[1], job.connections)
        except (KeyError, ValueError) as error:
            raise LoadFailed(f"wrk printed a torn result ({error})") from error


def _phase(job: LoadJob, purpose: Literal["warm-up", "load"], duration_s: float) -> Phase:
    whole_s = math.ceil(duration_s)
    argv = command(job, whole_s, script=purpose == "load")
    early_s = duration_s if duration_s < whole_s else None
    return Phase(purpose, argv, whole_s + PATIENCE_S, early_s, cwd=SCRIPT.parent, catches_interrupts=True)


def _result(summary: str, histogram: str, connections: int) -> LoadResult:
    facts = dict(item.split("=", 1) for item in summary.split())
    corrected = {int(value): int(count) for value, count in (item.split(":") for item in histogram.split())}
    requests, duration_us = int(facts["requests"]), int(facts["duration_us"])
    return LoadResult(
        requests=requests,
        duration_us=duration_us,
        bytes_read=int(facts["bytes"]),
        errors=Errors(**{name: int(facts[name]) for name in ("connect", "read", "write", "status", "timeout")}),
        latency=uncorrected(corrected, duration_us, requests, connections),
        client_cpu_us=float(facts["cpu_us"]),
        counted_twice=True,
    )


def _asking(job: LoadJob) -> tuple[str, ...]:
    """Return the script's own arguments, if wrk has no option for what to send."""
    if job.mix:
        return ("--", "mix", str(job.mix))
    return ("--", job.method, str(job.body or "")) if job.method != "GET" or job.body else ()


def command(job: LoadJob, duration_s: float, *, script: bool) -> tuple[str, ...]:
    """Return wrk's command line; the script reports what was counted, and sets what wrk itself has no option for."""
    asking = _asking(job)
    reporting = ("-s", SCRIPT.name) if script or asking else ()
    timeout_s = math.ceil(duration_s) + 2
    load = ("-t", str(job.threads), "-c", str(job.connections), "-d", f"{math.ceil(duration_s)}s")
    url = f"http://{job.host}:{job.port}{job.path}"
    return ("wrk", *load, "--timeout", f"{timeout_s}s", *job.header_options, *reporting, url, *asking)
