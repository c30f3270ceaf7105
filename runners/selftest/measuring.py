"""Runs a case through a real trial, and again if the machine's noise spoilt it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runners.matrix.cells import Cell, LoadSettings, Program
from runners.matrix.model import Validity
from runners.matrix.requests.request import Expect, Request
from runners.plan.order import Slot
from runners.records.trial import Trial
from runners.selftest.case import Case, CaseResult, Need
from runners.selftest.generator import known
from runners.selftest.judging import judge, spoilt_by
from runners.server.process import Programs
from runners.system import kernel, network
from runners.system.machine import Layout
from runners.trial.trial import Rig, measure

log = logging.getLogger(__name__)

FAKES = Path(__file__).with_name("fakes")
ATTEMPTS = 3
LISTEN_S = 0.5
LIMITS = Validity()


@dataclass(frozen=True)
class CaseRunner:
    """Where the cases run: a folder, the network, the CPUs, the environment, and what this machine lacks, and why."""

    folder: Path
    network: network.Kind
    layout: Layout
    env: Mapping[str, str]
    lacks: Mapping[Need, str]
    python: str

    def rig(self, tick: Callable[[], None] = lambda: None, ceiling_per_s: float | None = None) -> Rig:
        """Return the rig for a trial."""
        return Rig(
            folder=self.folder,
            programs=Programs(FAKES, {}, self.env),
            layouts={1: self.layout},
            network=self.network,
            limits=LIMITS,
            ceiling_per_s=ceiling_per_s,
            tick=tick,
        )

    def cell(self, name: str, server: tuple[str, ...], load: LoadSettings, **more: Any) -> Cell:
        """Return a cell with a fake server."""
        script, *options = server
        program = Program(
            server=name,
            variant=None,
            title=name,
            language="Python",
            class_="realistic",
            group="selftest",
            needs=(),
            dir=".",
            build=(),
            run=(self.python, f"{{dir}}/{script}", "--port={port}", *options),
            config=None,
            flags=(),
            env={},
            unavailable=None,
        )
        facts = {"threads": 1, "connections": 8, "mode": "persistent", "machine": "selftest", "cpus": None, **more}
        return Cell(program=program, load=load, request=Request(expect=Expect(body="Hello World")), **facts)


def run_case(case: Case, bench: CaseRunner, position: int, *, patient: bool = True) -> CaseResult:
    """Return what was reported for a case; if noise spoilt it, measure it again, at most twice.

    After each spoilt attempt, the machine is watched while we run nothing on it. Unless `patient`, a busy machine
    excuses the first attempt, if nothing but the noise is wrong with it.
    """
    missing = [bench.lacks[need] for need in case.needs if need in bench.lacks]
    if missing:
        return CaseResult(case.name, case.truth, case.named_by, case.verdict, "not run", why=tuple(missing))
    began, busy = time.monotonic(), None
    retried: list[str] = []
    while True:
        trial = measure_case(case, bench, position, attempt=len(retried))
        result = judge(case, trial, None)
        spoilt = spoilt_by(case, trial, result)
        if spoilt is None:
            break
        busy = busy_machine() or busy
        result = judge(case, trial, busy)
        if len(retried) == ATTEMPTS - 1 or (result.status == "passed" and not patient):
            break
        retried.append(spoilt)
        log.info(f"  {case.name}: measured again, because the machine disturbed it: {spoilt}")
    return replace(result, retried=tuple(retried), seconds=round(time.monotonic() - began, 1))


def measure_case(case: Case, bench: CaseRunner, position: int, attempt: int) -> Trial:
    """Measure one trial of a case with its injection."""
    load = LoadSettings(case.load, case.warmup_s, case.duration_s, None)
    name = "".join(letter if letter.isalnum() else "-" for letter in case.name)
    cell = bench.cell(name, case.server, load, connections=case.connections, mode=case.mode)
    slot = Slot((cell.id,), cell.family, 0, attempt, position)
    with known(case.load), case.inject(bench.layout) as tick:
        (trial,) = measure((cell,), slot, bench.rig(tick, case.ceiling_per_s))
    return trial


def busy_machine(listen_s: float = LISTEN_S) -> str | None:
    """Return how busy the machine is while we run nothing on it, in words; None if it is idle."""
    before, pressed = kernel.cpu_times(), kernel.pressure_us()
    time.sleep(listen_s)
    after, pressed_after = kernel.cpu_times(), kernel.pressure_us()
    used = sum(after[cpu].busy_us - times.busy_us for cpu, times in before.items()) / 1e6 / listen_s
    stolen = sum(after[cpu].steal_us - times.steal_us for cpu, times in before.items()) / 1e6 / listen_s
    stalled = max((pressed_after[kind] - pressed[kind] for kind in pressed if kind[:3] != "cpu"), default=0)
    share = stalled / 1e6 / listen_s
    busy = used > LIMITS.foreign_warn or stolen > LIMITS.steal_warn or share > LIMITS.pressure_warn
    told = (
        f"at rest, others used {used:.1%} of a CPU, {stolen:.1%} was stolen, and tasks stalled {share:.1%} of the time"
    )
    return told if busy else None
