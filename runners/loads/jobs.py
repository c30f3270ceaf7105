"""Turns a cell into a job for its load generator, and into the command line for that job."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from runners.loads.base import LoadJob
from runners.loads.by_name import LOADS
from runners.matrix.cells import Cell
from runners.server.process import HOST
from runners.system.machine import Layout

MOST_S = 10.0  # of an automatic warm-up, in all
UNWATCHED_S = 2.0  # instead of one, where nothing can end it early
BODY, MIX = Path("BODY"), Path("MIX")  # stand for the files that each trial writes


def load_job(cell: Cell, layout: Layout, port: int) -> LoadJob:
    """Return the job of a cell's load generator."""
    return LoadJob(
        host=HOST,
        port=port,
        path=cell.request.path,
        mode=cell.mode,
        connections=cell.connections,
        threads=LOADS[cell.load.kind].threads(cell.connections, len(layout.client), cell.load.threads),
        warmup_s=_warmup_s(cell),
        duration_s=cell.load.duration_s,
        locustfile=cell.load.locustfile,
        method=cell.request.method,
        headers=cell.request.headers,
        body=BODY if cell.request.body else None,
        mix=MIX if cell.mix else None,
    )


def _warmup_s(cell: Cell) -> float:
    """Return how long a warm-up lasts, at most if it may end early."""
    if cell.load.warmup_s is not None:
        return cell.load.warmup_s
    return MOST_S if warms_until_steady(cell) else UNWATCHED_S


def warms_until_steady(cell: Cell) -> bool:
    """Return whether a cell's warm-up ends once its cost is steady; Locust's and a fleet's cannot be ended early."""
    return cell.load.warmup_s is None and LOADS[cell.load.kind].warms_apart


def load_command(cell: Cell, layout: Layout, port: int = 8080) -> tuple[str, ...]:
    """Return the measured command line; `port` stands for the ports that the trials will get."""
    fleet = Path("SOCKET") if cell.load.clients else None
    return LOADS[cell.load.kind].phases(replace(load_job(cell, layout, port), fleet=fleet))[-1].argv
