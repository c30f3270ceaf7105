"""From a cell to what its load generator has to do, and the command line that does it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from runners.loads import LOADS
from runners.loads.base import LoadJob
from runners.matrix.cells import Cell
from runners.server.process import HOST
from runners.system.machine import Layout


def load_job(cell: Cell, layout: Layout, port: int) -> LoadJob:
    """Return what the load generator has to do."""
    return LoadJob(
        host=HOST,
        port=port,
        path=cell.path,
        mode=cell.mode,
        connections=cell.connections,
        threads=LOADS[cell.load.kind].threads(cell.connections, len(layout.client), cell.load.threads),
        warmup_s=cell.load.warmup_s,
        duration_s=cell.load.duration_s,
        locustfile=cell.load.locustfile,
    )


def load_command(cell: Cell, layout: Layout, port: int = 8080) -> tuple[str, ...]:
    """Return the measured command line; the port stands for those that the trials get."""
    fleet = Path("SOCKET") if cell.load.clients else None
    return LOADS[cell.load.kind].phases(replace(load_job(cell, layout, port), fleet=fleet))[-1].argv
