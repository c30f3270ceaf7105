"""Runs a checker beside a trial's load: a process that reads answers whole, on connections of its own."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from runners import resources
from runners.loads.checker import Order, result_in
from runners.plan.order import Checking
from runners.server.process import TrialFailed
from runners.system.processes import start, stop
from runners.trial.loading import Side

ENDS = ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0))


@contextmanager
def checked(side: Side, checking: Checking | None) -> Iterator[None]:
    """Check answers meanwhile, if that is asked for, and give the side what was found."""
    if checking is None:
        yield
        return
    order = side.logs.write("checker-order", _order(side, checking).text.encode())
    side.network.enter()
    argv = (sys.executable, "-m", "runners.loads.checker", str(order))
    with side.logs.create("checker") as output:
        try:
            process = start(argv, output=output, cpus=side.layout.client, cwd=resources.code())
        except OSError as error:
            raise TrialFailed(f"cannot start the checker: {error.strerror}", side.cell) from error
    try:
        yield
    finally:
        stop(process, ENDS)
        side.checked = result_in(side.logs.read("checker").decode("utf-8", errors="replace"))


def _order(side: Side, checking: Checking) -> Order:
    closes = side.cell.mode == "non-persistent"
    return Order(side.job.host, side.job.port, side.cell.requests, checking.rate_per_s, closes)
