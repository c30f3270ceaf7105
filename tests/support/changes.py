"""Made-up comparisons of an old and a new server: runs of known truth, as `speedup compare` records them."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from pathlib import Path

from runners.records.run import CellInfo, FamilyInfo, Run, RunFolder
from runners.records.trial import Trial
from runners.stats.histogram import encode

POINTS = {64: "c64", 1: "c1"}
REQUESTS = 2000


@dataclass(frozen=True)
class Truth:
    """How the new server differs: factors of its figures, and what it waits longer per answer, in microseconds."""

    cpu: float = 1.0
    rate: float = 1.0
    memory: float = 1.0
    p99: float = 1.0
    waits_us: float = 0.0
    noise: float = 0.004
    solo_noise: float = 0.01
    blocks: int = 20
    solo_blocks: int = 12
    modes: tuple[str, ...] = ("persistent",)
    seed: int = 7


def comparison(truth: Truth) -> RunFolder:
    """Return a run of two servers in duets and in turns."""
    chance = random.Random(truth.seed)  # noqa: S311 - invented numbers, the same every time
    cells = [_cell(side, mode, at) for mode in truth.modes for at in POINTS for side in ("old", "new")]
    by = {(cell.server, cell.mode, cell.connections): cell for cell in cells}
    trials: list[Trial] = []
    for mode in truth.modes:
        for block in range(truth.solo_blocks):
            trials += [_solo(by[side, mode, 64], block, truth, chance) for side in ("old", "new")]
        for block in range(truth.blocks):
            for at in POINTS:
                pair = (by["old", mode, at], by["new", mode, at])
                weather = chance.gauss(0, 0.3)
                trials += [_beside(cell, pair, block, truth, weather, chance) for cell in pair]
    families = tuple(
        FamilyInfo(f"local/{mode}", "solo", 1, 64, mode, by["old", mode, 64].id, (), "most blocks")
        for mode in truth.modes
    )
    run = Run(
        "measured", "local", cells=tuple(cells), families=families, duration_s=1.0, duet_duration_s=0.2, warmup_s=0.2
    )
    return RunFolder(Path("results/made-up"), run, tuple(trials))


def at_equal_rates(folder: RunFolder, *rates_per_s: float, cpu: float = 1.0, p99: float = 1.0) -> RunFolder:
    """Return the run with 12 duets at each rate of persistent connections; at higher ones, everything is otherwise."""
    chance = random.Random(3)  # noqa: S311 - invented numbers, the same every time
    sides = [cell for cell in folder.run.cells if (cell.mode, cell.connections) == ("persistent", 64)]
    trials: list[Trial] = []
    for rate in rates_per_s:
        other = 10.0 if rate > min(rates_per_s) else 1.0
        truth = Truth(cpu=other * cpu, p99=other * p99)
        for _ in range(12):
            weather, number = chance.gauss(0, 0.3), len(trials) // 2
            pair = (sides[0], sides[1])
            both = [_beside(cell, pair, number, truth, weather, chance) for cell in pair]
            trials += [replace(each, design="paced", family="f/equal", offered_per_s=rate) for each in both]
    return replace(folder, trials=(*folder.trials, *trials))


def without(folder: RunFolder, design: str) -> RunFolder:
    """Return a run in which no trial of a design counts, since the machine was restless."""
    spoilt = tuple(
        replace(trial, verdict="invalid", reason="V15 calm machine: other programs used 90% of a CPU")
        if trial.design == design
        else trial
        for trial in folder.trials
    )
    return replace(folder, trials=spoilt)


def _cell(side: str, mode: str, connections: int) -> CellInfo:
    slug = f"{side}/t1/{POINTS[connections]}/{mode}"
    return CellInfo(
        id=f"{slug}#0", slug=slug, server=side, variant=None, title=side, language=None, class_="application",
        group="document", threads=1, connections=connections, mode=mode, load="wrk", family=f"local/{mode}",
        status="planned",
    )  # fmt: skip


def _solo(cell: CellInfo, block: int, truth: Truth, chance: random.Random) -> Trial:
    new = cell.server == "new"
    noise = math.exp(chance.gauss(0, truth.solo_noise))
    rate = 20_000 * (truth.rate if new else 1) * noise
    return Trial(
        cell=cell.id, server=cell.server, variant=None, threads=1, connections=64, mode=cell.mode, machine="local",
        verdict="ok", load="wrk", design="solo", family=f"local/{cell.mode}", block=block, requests_per_s=rate,
        rss_bytes=round(8_000_000 * (truth.memory if new else 1)),
        latency=_histogram(3000 / noise, truth.p99 if new else 1),
    )  # fmt: skip


def _beside(
    cell: CellInfo, pair: tuple[CellInfo, CellInfo], block: int, truth: Truth, weather: float, chance: random.Random
) -> Trial:
    new = cell.server == "new"
    noise = math.exp(weather + chance.gauss(0, truth.noise))
    return Trial(
        cell=cell.id, server=cell.server, variant=None, threads=1, connections=cell.connections, mode=cell.mode,
        machine="local", verdict="ok", load="wrk", design="duet", family=f"local/{cell.mode}/duet/{cell.connections}",
        block=block, pair=tuple(sorted(each.id for each in pair)), role="second" if new else "first",  # type: ignore[arg-type]
        server_cpu_us_per_request=50 * (truth.cpu if new else 1) * noise,
        latency=_histogram(100 + (truth.waits_us if new else 0) + chance.gauss(0, 1), truth.p99 if new else 1),
    )  # fmt: skip


def _histogram(median_us: float, p99: float) -> str:
    """Return latencies of which one in fifty is twice as long, times a factor."""
    slow = REQUESTS // 50
    return encode({round(median_us): REQUESTS - slow, round(2 * median_us * p99): slow})
