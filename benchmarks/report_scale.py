"""How much time and memory the report of a large run takes, and how large its file is: 100, 1,000 and 10,000 cells.

    python -m benchmarks.report_scale
    python -m benchmarks.report_scale --cells 1000 --trials 10

Each run folder is synthetic: servers with 1 to 16 threads, two numbers of connections and both modes, each trial a full
line with checks, evidence and latency, made from one in tests/support/example_run.py. The report is written in a
separate process, whose seconds and peak memory are printed. The exit code is 1 if a budget is exceeded.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runners.records.folder import REPORT_FILE, TRIALS_FILE, write_run
from runners.records.lines import sealed
from runners.records.run import CellInfo, FamilyInfo, Run
from runners.records.trial import Trial
from tests.support.example_run import example_run

ROOT = Path(__file__).resolve().parents[1]
THREADS, CONNECTIONS, MODES = (1, 2, 4, 8, 16), (64, 256), ("persistent", "non-persistent")
PER_SERVER = len(THREADS) * len(CONNECTIONS) * len(MODES)
BUDGET_S, BUDGET_BYTES = 10.0, 1_000_000_000  # for 10,000 cells with 10 trials each, on an idle machine
MATRIX = """
[suite]
title = "Synthetic"
[preset.quick]
warmup = "100ms"
duration = "1s"
[machine.local]
threads = [1, 2, 4, 8, 16]
connections = [64, 256]
{servers}
"""
TABLE = """
[[table]]
title = "All, {mode}"
mode = "{mode}"
rows = [{rows}]
"""


@dataclass(frozen=True)
class Cost:
    """What the report of a run cost: its time, its memory and its size."""

    cells: int
    trials: int
    seconds: float
    cpu_s: float
    peak_bytes: int
    size_bytes: int


def write_synthetic(folder: Path, cells: int, trials: int) -> int:
    """Write a run folder of about `cells` cells with `trials` trials each; return the number of cells."""
    servers = [f"server{number:04}" for number in range(max(1, cells // PER_SERVER))]
    run, example, _ = example_run(1)
    planned = tuple(_cells(servers, next(cell for cell in run.cells if cell.server == "epoll")))[:cells]
    folder.mkdir(parents=True)
    families = tuple(
        _family(name, tuple(cells), trials)
        for name, cells in itertools.groupby(sorted(planned, key=_family_name), _family_name)
    )
    matrix = _matrix(servers)
    head = Run("measured", "local", matrix=matrix, cells=planned, families=families, blocks=trials, preset="quick")
    write_run(folder, head)
    model = next(trial for trial in example if trial.server == "epoll" and trial.pair is None)
    with (folder / TRIALS_FILE).open("wb") as stream:
        stream.writelines(_lines(planned, trials, model))
    return len(planned)


def _family_name(cell: CellInfo) -> str:
    return cell.family


def _family(name: str, cells: Sequence[CellInfo], blocks: int) -> FamilyInfo:
    first, items = cells[0], tuple((cell.id,) for cell in cells)
    return FamilyInfo(
        name, "solo", first.threads, first.connections, first.mode, first.id, (items,) * blocks, "most blocks"
    )


def _cells(servers: Sequence[str], model: CellInfo) -> Iterator[CellInfo]:
    for server in servers:
        for threads in THREADS:
            for connections in CONNECTIONS:
                for mode in MODES:
                    slug = f"{server}/t{threads}/c{connections}/{mode}"
                    yield dataclasses.replace(
                        model, id=f"{slug}#0123abcd", slug=slug, server=server, title=server, threads=threads,
                        connections=connections, mode=mode, shared=False,
                        family=f"local/t{threads}/c{connections}/{mode}/wrk",
                    )  # fmt: skip


def _matrix(servers: Sequence[str]) -> str:
    told = MATRIX.format(servers="\n".join(f'[server.{name}]\nrun = ["{name}"]' for name in servers))
    rows = ", ".join(f'"{name}@{threads}"' for threads in THREADS for name in servers)
    return told + "".join(TABLE.format(mode=mode, rows=rows) for mode in MODES)


def _lines(cells: Sequence[CellInfo], trials: int, model: Trial) -> Iterator[bytes]:
    chance = random.Random(1)
    record: dict[str, Any] = dataclasses.asdict(model)
    for block in range(trials):
        for cell in cells:
            rate = chance.lognormvariate(11, 0.02) * (1 + hash_of(cell.server) / 10)
            record |= {
                "cell": cell.id, "server": cell.server, "threads": cell.threads, "connections": cell.connections,
                "mode": cell.mode, "family": cell.family, "block": block, "requests_per_s": rate,
                "requests": round(rate), "server_cpu_us_per_request": 1e6 / rate, "bound": "server",
            }  # fmt: skip
            yield sealed(json.dumps(record, separators=(",", ":")))


def hash_of(name: str) -> float:
    """Return a number between 0 and 1 that depends only on the server's name."""
    return random.Random(name).random()


def cost_of(folder: Path, cells: int, trials: int) -> Cost:
    """Write the report in a separate process and return what that cost."""
    began = time.monotonic()
    argv = [sys.executable, "-m", "speedup", "report", str(folder)]
    child = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"the report could not be written: exit code {child.returncode}")
    seconds = time.monotonic() - began
    cpu_s = usage.ru_utime + usage.ru_stime
    return Cost(cells, cells * trials, seconds, cpu_s, usage.ru_maxrss * 1024, (folder / REPORT_FILE).stat().st_size)


def main() -> int:
    """Measure one size after another; return 1 if any exceeds the budget."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--trials", type=int, default=10)
    options = parser.parse_args()
    broken = False
    for cells in options.cells:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "run"
            made = write_synthetic(folder, cells, options.trials)
            recorded = (folder / TRIALS_FILE).stat().st_size
            cost = cost_of(folder, made, options.trials)
        print(
            f"{cost.cells:6} cells, {cost.trials:7} trials ({recorded / 1e6:.0f} MB): {cost.seconds:6.2f} s"
            f" ({cost.cpu_s:.2f} s of CPU),"
            f" {cost.peak_bytes / 1e6:6.0f} MB of memory, a file of {cost.size_bytes / 1e6:.2f} MB",
            flush=True,
        )
        broken |= cost.seconds > BUDGET_S or cost.peak_bytes > BUDGET_BYTES
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
