"""What is injected besides a faulty server or generator: neighbours, few ports, and counters that report trouble.

Each injection lasts for one trial and is undone after it. The machine's clock, limits and memory are never touched:
faults of those are injected where the harness reads them.
"""

from __future__ import annotations

import contextlib
import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from runners.selftest.case import Injection
from runners.system import kernel, network, sampling
from runners.system.machine import Layout
from runners.system.processes import start, stop

SPINNER = Path(__file__).with_name("fakes") / "spinner.py"
SPINNERS = 3

Tick = Callable[[], None]


def neighbour(side: str) -> Injection:
    """Return an injection of busy programs on the CPUs of the "server" or the "client", from the first tick on."""

    @contextlib.contextmanager
    def inject(layout: Layout) -> Iterator[Tick]:
        spinners: list[subprocess.Popen[bytes]] = []
        cpus = layout.server if side == "server" else layout.client

        def tick() -> None:
            if not spinners:
                spinners.extend(_spinner(cpus) for _ in range(SPINNERS * len(cpus)))

        try:
            yield tick
        finally:
            for spinner in spinners:
                stop(spinner)

    return inject


def _spinner(cpus: tuple[int, ...]) -> subprocess.Popen[bytes]:
    with Path("/dev/null").open("wb") as output:
        return start((sys.executable, str(SPINNER)), output=output, cpus=cpus)


def few_ports(first: int, last: int) -> Injection:
    """Return an injection of a narrow range of client ports in the trial's own network."""

    @contextlib.contextmanager
    def inject(_layout: Layout) -> Iterator[Tick]:
        with mock.patch.dict(network.SETTINGS, {"net/ipv4/ip_local_port_range": f"{first} {last}"}):
            yield lambda: None

    return inject


def reading(name: str, value: Callable[[int], Any]) -> Injection:
    """Return an injection of what `system.kernel` reads as `name`: `value` of the reading's number (0, 1, ...)."""

    @contextlib.contextmanager
    def inject(_layout: Layout) -> Iterator[Tick]:
        readings = itertools.count()

        def read(*_: object) -> Any:
            return value(next(readings))

        with mock.patch.object(kernel, name, read):
            yield lambda: None

    return inject


def stolen_us(each_us: float) -> Injection:
    """Return an injection of `each_us` more stolen time on each CPU at each reading."""
    true_times = kernel.cpu_times

    def times(number: int) -> dict[int, kernel.CpuTimes]:
        more_us = number * each_us
        return {
            cpu: kernel.CpuTimes(time.busy_us, time.steal_us + more_us, time.total_us + more_us)
            for cpu, time in true_times().items()
        }

    return reading("cpu_times", times)


def clock_steps_s(step_s: float) -> Injection:
    """Return an injection of a wall clock that is set forward by `step_s` between two readings."""

    @contextlib.contextmanager
    def inject(_layout: Layout) -> Iterator[Tick]:
        readings = itertools.count()
        true_ns = sampling.wall_clock_ns

        def stepping_ns() -> int:
            return true_ns() + round(next(readings) * step_s * 1e9)

        with mock.patch.object(sampling, "wall_clock_ns", stepping_ns):
            yield lambda: None

    return inject
