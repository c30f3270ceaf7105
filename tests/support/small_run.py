"""Synthetic families of known truth: servers whose rates, costs and noise are given, with a twin of the baseline."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

from runners.records.run import CellInfo, FamilyInfo, Run, RunFolder
from runners.records.trial import Bound, Trial

FAMILY = "local/t1/c64/persistent/wrk"
MATRIX = """
[suite]
title = "Known truth"
[preset.quick]
warmup = "100ms"
duration = "1s"
[machine.local]
threads = [1]
connections = [64]
{servers}
[[table]]
title = "Speed"
mode = "persistent"
rows = [{rows}]
"""


def small_run(
    speeds: Mapping[str, float],
    *,
    noise: float = 0.001,
    twin: float | None = 1.0,
    blocks: int = 8,
    bound: Bound = "server",
    shared: bool = False,
) -> RunFolder:
    """Return a run of servers with these relative speeds, the first being the baseline; `twin` is its twin's speed.

    A request costs the server's CPU time in inverse proportion to its speed. `noise` is the standard deviation of the
    logarithm of each trial's rate; costs have a tenth of it.
    """
    chance = random.Random(7)  # noqa: S311 - invented numbers, the same every time
    baseline = next(iter(speeds))
    known = dict(speeds) | ({f"{baseline}~twin": twin * speeds[baseline]} if twin else {})
    cells = tuple(_cell(name, baseline, shared=shared) for name in known)
    trials = tuple(
        _trial(cell, block, known[cell.slug.partition("/")[0]], chance.gauss(0, noise), bound)
        for block in range(blocks)
        for cell in cells
    )
    planned = tuple(tuple((cell.id,) for cell in cells) for _ in range(blocks))
    family = FamilyInfo(FAMILY, "solo", 1, 64, "persistent", cells[0].id, planned, "most blocks")
    return _folder(speeds, cells, trials, family)


def duet_run(
    costs: Mapping[str, float], *, noise: float = 0.004, weather: float = 0.3, twin: float = 1.0, blocks: int = 8
) -> RunFolder:
    """Return a run of duets only: each server's cost against the first's, which meets the same weather."""
    chance = random.Random(7)  # noqa: S311 - invented numbers, the same every time
    baseline, *others = costs
    known = dict(costs) | {f"{baseline}~twin": twin * costs[baseline]}
    cells = {name: _cell(name, baseline, shared=False) for name in known}
    trials = []
    for block in range(blocks):
        for name in (*others, f"{baseline}~twin"):
            common = chance.gauss(0, weather)
            pair = [cells[name], cells[baseline]] if block % 2 else [cells[baseline], cells[name]]
            for cell in pair:
                cost = known[cell.slug.partition("/")[0]]
                trials.append(_beside(cell, block, cost, common + chance.gauss(0, noise), pair))
    family = FamilyInfo(f"{FAMILY}/duet", "duet", 1, 64, "persistent", cells[baseline].id, (), "most blocks")
    return _folder(costs, tuple(cells.values()), tuple(trials), family)


def _folder(
    servers: Mapping[str, float], cells: tuple[CellInfo, ...], trials: tuple[Trial, ...], family: FamilyInfo
) -> RunFolder:
    text = MATRIX.format(
        servers="\n".join(f'[server.{name}]\nrun = ["{name}"]' for name in servers),
        rows=", ".join(f'"{name}"' for name in servers),
    )
    run = Run("measured", "local", matrix=text, cells=cells, families=(family,))
    return RunFolder(Path("nowhere"), run, trials)


def _cell(name: str, baseline: str, *, shared: bool) -> CellInfo:
    server, _, twin = name.partition("~")
    return CellInfo(
        id=cell_id(name), slug=cell_id(name).partition("#")[0], server=server, variant=None,
        title=f"{server} (twin)" if twin else server, language=None, class_="realistic", group="document", threads=1,
        connections=64, mode="persistent", load="wrk", family=FAMILY, status="planned", shared=shared,
        twin_of=cell_id(baseline) if twin else None,
    )  # fmt: skip


def cell_id(name: str) -> str:
    """Return the id of a server's one cell."""
    return f"{name}/t1/c64/persistent#0"


def _trial(cell: CellInfo, block: int, speed: float, noise: float, bound: Bound) -> Trial:
    rate = 10_000 * speed * 2.718281828**noise
    cost = 50 / speed * 2.718281828 ** (noise / 10)
    return Trial(
        cell=cell.id, server=cell.server, variant=None, threads=1, connections=64, mode="persistent", machine="local",
        verdict="ok", load="wrk", design="solo", family=FAMILY, block=block, bound="shared" if cell.shared else bound,
        requests=round(rate), duration_us=1_000_000, requests_per_s=rate, server_cpu_us_per_request=cost,
        client_cpu_us_per_request=10.0, machine_cpu_us_per_request=cost + 12, server_cpu_share=0.98,
        client_cpu_share=0.5,
    )  # fmt: skip


def _beside(cell: CellInfo, block: int, cost: float, noise: float, pair: list[CellInfo]) -> Trial:
    made = _trial(cell, block, 1.0, 0.0, "shared")
    together = {
        "design": "duet", "family": f"{FAMILY}/duet", "pair": tuple(sorted(each.id for each in pair)),
        "role": "first" if cell is pair[0] else "second",
        "server_cpu_us_per_request": 10 * cost * 2.718281828**noise,
    }  # fmt: skip
    return Trial(**{**vars(made), **together})
