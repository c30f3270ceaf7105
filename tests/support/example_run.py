"""Synthetic run folders: the document's matrix on an invented machine, with every kind of row.

`python -m tests.support.example_run DIR` writes one, to look at its report.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import random
import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

from reports.forms.writing import write_as
from runners.matrix.cells import Planned, expand
from runners.matrix.model import Matrix, Validity
from runners.plan.order import plan_families
from runners.plan.pairing import pair_up
from runners.records.folder import read_run, read_trials, to_line, write_run
from runners.records.run import BuildInfo, CellInfo, FamilyInfo, Published, Run, ToolInfo
from runners.records.trial import Command, Errors, Evidence, Series, Trial
from runners.stats.histogram import encode
from runners.trial.validity import judge
from tests.support import ROOT

MATRIX_FILE = Path(__file__).with_name("example_matrix.toml")
SPEEDS = {  # requests per second with one thread
    "asynchttp": 14_200, "asynchttp.markandsweep": 16_900, "epoll": 88_400, "python_epoll": 9_600,
    "go": 52_300, "h2o": 88_900,
}  # fmt: skip


def example_matrix() -> tuple[Matrix, str]:
    """Return a matrix like the repository's, with fewer servers, and its text; tools are left out."""
    text = MATRIX_FILE.read_text(encoding="utf-8")
    return Matrix.model_validate(tomllib.loads(text)), text


def example_run(blocks: int = 6, *, threads: Sequence[int] = (1, 2)) -> tuple[Run, tuple[Trial, ...], dict[str, str]]:
    """Return a run's head, its trials (twins and duets among them) and its log files by name; each is made once."""
    run, trials, logs = _example_run(blocks, tuple(threads))
    return run, trials, dict(logs)


@cache
def _example_run(blocks: int, threads: tuple[int, ...]) -> tuple[Run, tuple[Trial, ...], dict[str, str]]:
    matrix, text = example_matrix()
    local = matrix.machine["local"].model_copy(update={"threads": tuple(threads)})
    matrix = matrix.model_copy(update={"machine": {**matrix.machine, "local": local}})
    pairing = pair_up(matrix, expand(matrix, "local", matrix.preset["quick"], "wrk"), twin=True, duet=None)
    cells = tuple(_cell(item) for item in pairing.cells)
    chosen = {cell.id: cell for cell in cells if cell.status == "planned"}
    solos = [item.cell for item in pairing.cells if item.cell.id in chosen]
    duets = [duet for duet in pairing.duets if {duet.row.id, duet.baseline.id} <= chosen.keys()]
    families = plan_families(solos, duets, blocks, 1, baselines=pairing.baselines)
    example = Example({"build-boehm.log": BUILD_FAILURE})
    trials = tuple(
        trial
        for block in range(blocks)
        for family in families
        for item in family.blocks[block]
        for trial in example.trials([chosen[name] for name in item], family.name, block)
    )
    return _head(text, cells, families, blocks), trials, example.logs


def of_the_document(run: Run) -> Run:
    """Return the run as one of the repository's own matrix, whose tables are the document's."""
    return dataclasses.replace(run, matrix=(ROOT / "matrix.toml").read_text(encoding="utf-8"))


def published_runs() -> tuple[Published, ...]:
    """Return the document's own numbers, as the runner embeds them."""
    folders = sorted((ROOT / "published").glob("2015-*"))
    return tuple(Published(read_run(folder), read_trials(folder)) for folder in folders)


def write_example(folder: Path, blocks: int = 6, *, threads: Sequence[int] = (1, 2)) -> Path:
    """Write an example run folder and return it."""
    run, trials, logs = example_run(blocks, threads=threads)
    return write_folder(folder, run, trials, logs)


def write_folder(folder: Path, run: Run, trials: Sequence[Trial], logs: dict[str, str]) -> Path:
    """Write a run folder from its parts, without an fsync for each line."""
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    write_run(folder, run)
    (folder / "trials.jsonl").write_bytes(b"".join(map(to_line, trials)))
    for name, content in logs.items():
        (folder / "logs" / name).write_text(content, encoding="utf-8")
    return folder


BUILD_FAILURE = """\
/build/asynchttp.nim(12, 8) Error: cannot open file: asyncdispatch
could not load: libgc.so
"""


def _cell(planned: Planned) -> CellInfo:
    cell, program = planned.cell, planned.cell.program
    failed = program.variant == "boehm" and planned.status == "planned"
    status: Literal["planned", "unavailable", "excluded", "failed"] = "planned"
    if planned.status == "unavailable":
        status = "unavailable"
    elif planned.status == "excluded":
        status = "excluded"
    elif failed:
        status = "failed"
    shared = cell.threads > 1
    return CellInfo(
        id=cell.id, slug=cell.slug, server=program.server, variant=program.variant,
        title=f"{program.title} (twin)" if cell.twin else program.title,
        twin_of=dataclasses.replace(cell, twin=False).id if cell.twin else None,
        language=program.language, class_=program.class_, group=program.group, threads=cell.threads,
        connections=cell.connections, mode=cell.mode, load="wrk", family=cell.family, status=status,
        reason="build failed: could not load: libgc.so" if failed else planned.reason,
        cpus_server="0-1" if shared else "0", cpus_client="0-1" if shared else "1", shared=shared,
        load_command=("wrk", "-c", "64", "-d", "1", "-t", "1", "--timeout", "3s", "http://127.0.0.1:8080/"),
    )  # fmt: skip


@dataclasses.dataclass
class Example:
    """Invents trials, one after another, and the logs that they leave."""

    logs: dict[str, str]
    randoms: random.Random = dataclasses.field(default_factory=random.Random)
    position: int = 0

    def trials(self, cells: Sequence[CellInfo], family: str, block: int) -> Iterator[Trial]:
        """Yield the trial of one cell, or the two of a duet, which the same disturbance meets."""
        self.position += 1
        slugs = " ".join(cell.slug for cell in cells)
        self.randoms = random.Random(f"{slugs} {block}")  # noqa: S311 - invented, the same whatever else is measured
        weather = self.randoms.lognormvariate(0, 0.03)
        if len(cells) == 1:
            yield dataclasses.replace(self.trial(cells[0], block, 1.0), family=family)
            return
        one, other = sorted(cell.id for cell in cells)
        roles: tuple[Literal["first", "second"], ...] = ("first", "second")
        for cell, role in zip(cells, roles, strict=True):
            made = self.trial(cell, block, weather)
            yield dataclasses.replace(
                made, family=family, pair=(one, other), role=role, design="duet", bound="shared", latency=None
            )

    def trial(self, cell: CellInfo, block: int, weather: float) -> Trial:
        """Return one trial; in bad weather a request costs more."""
        name = f"{cell.server}.{cell.variant}" if cell.variant else cell.server
        speed = SPEEDS[name] * (1.15 if cell.threads > 1 else 1) * (0.35 if cell.mode == "non-persistent" else 1)
        noise = 0.012 if weather == 1.0 else 0.004
        speed *= self.randoms.lognormvariate(0, noise) / weather
        requests = round(speed)
        log = f"{cell.slug.replace('/', '-')}-{block}"
        self.logs[f"{log}-wrk.txt"] = WRK_OUTPUT.format(requests=requests, rate=speed)
        self.logs[f"{log}-server.txt"] = f"{name}: listening on 127.0.0.1:8080\n"
        broken = weather == 1.0 and (name, cell.threads, cell.mode, block) == ("go", 1, "persistent", 2)
        evidence = self.evidence(cell, requests, broken=broken, duet=weather != 1.0)
        costs = [1e6 / speed * share * self.randoms.lognormvariate(0, noise / 2) for share in (0.96, 0.71, 1.9)]
        return Trial(
            cell=cell.id, server=cell.server, variant=cell.variant, threads=cell.threads,
            connections=cell.connections, mode=cell.mode, machine="local",
            verdict="invalid" if broken else "ok", reason="V1 errors: 3 timeouts" if broken else None,
            load="wrk", design="solo", block=block, position=self.position,
            bound="shared" if cell.shared else "client" if name == "h2o" else "server",
            requests=requests, duration_us=1_001_234, requests_per_s=speed, bytes_read=requests * 152,
            connections_opened=64, errors=evidence.errors,
            server_cpu_us_per_request=costs[0], client_cpu_us_per_request=costs[1],
            machine_cpu_us_per_request=costs[2], server_cpu_share=0.98, client_cpu_share=0.72,
            rss_bytes=self.randoms.randint(2, 30) * 2**20,
            latency=encode(_latency(speed, cell.connections, requests, self.randoms)),
            checks=judge(evidence, Validity()), evidence=evidence,
            commands=(
                Command("server", (f"/build/{name}", "--port=8080", f"--threads={cell.threads}"),
                        f"logs/{log}-server.txt", cell.cpus_server),
                Command("load", cell.load_command, f"logs/{log}-wrk.txt", cell.cpus_client),
            ),
            server_exit="SIGTERM", started_at="2026-11-24T18:00:00Z",
        )  # fmt: skip

    def evidence(self, cell: CellInfo, requests: int, *, broken: bool, duet: bool) -> Evidence:
        """Return what the checks of a calm trial look at; every seventh had to wait for a CPU."""
        slices = list(itertools.accumulate(round(requests / 5 * self.randoms.uniform(0.9, 1.1)) for _ in range(11)))
        fresh = 65 if cell.mode == "persistent" else requests + 65
        return Evidence(
            mode=cell.mode, load="wrk", network="namespace", duet=duet, connections=cell.connections,
            server_threads=cell.threads, asked_us=1_000_000, duration_us=1_001_234, watched_us=1_001_300,
            requests=requests, served=requests, errors=Errors(timeout=3 if broken else 0), shared_cpus=cell.shared,
            histogram_sum=requests - 3 * broken, least_count=1, mean_latency_us=1e6 * cell.connections / requests,
            bytes_per_request=152.0, probed_bytes=(152, 152),
            tcp={"PassiveOpens": fresh, "TCPOrigDataSent": 2 * requests, "OutSegs": 4 * requests, "ListenDrops": 0,
                 "RetransSegs": 0},
            established_mid=128, time_wait_max=0, ports=28_000, port_reuse_s=1.0, server_share=0.98, client_share=0.72,
            client_wait_share=0.071 if self.position % 7 == 0 else 0.004,
            client_thread_share=0.971 if cell.server == "h2o" else 0.72, steal_share=0.001, foreign_share=0.012,
            pressure_share={"memory some": 0.0, "io some": 0.002}, clock_step_us=14, processes_before=1,
            processes_after=1, threads_after=cell.threads, rss_growth_bytes=4096, rss_growth_share=0.002,
            server_exit="SIGTERM", strayed_cpus=(),
            series=Series(
                at_us=tuple(range(0, 1_100_000, 100_000)), segments=tuple(slices), established=(128,) * 11,
                rss_bytes=tuple(2**21 + 4096 * number for number in range(11)),
                server_run_us=tuple(98_000.0 * number for number in range(11)),
            ),
        )  # fmt: skip


WRK_OUTPUT = """\
Running 1s test @ http://127.0.0.1:8080/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.21ms    0.40ms   9.77ms   91.20%
  {requests} requests in 1.00s, 1.98MB read
Requests/sec: {rate:.2f}
speedup:histogram:should:not:be:shown
"""


def _latency(speed: float, connections: int, requests: int, randoms: random.Random) -> dict[int, int]:
    mean = 1e6 * connections / speed
    histogram: dict[int, int] = {}
    for _ in range(600):
        value = round(mean * randoms.lognormvariate(0, 0.3))
        histogram[value] = histogram.get(value, 0) + max(1, requests // 600)
    return histogram


def _head(text: str, cells: tuple[CellInfo, ...], families: tuple[FamilyInfo, ...], blocks: int) -> Run:
    ended = tuple(dataclasses.replace(family, ended_by="most blocks") for family in families)
    return Run(
        kind="measured", machine="local", machine_title=None, started_at="2026-11-24T18:00:00Z", matrix=text,
        matrix_path="matrix.toml", preset="quick", warmup_s=0.3, duration_s=1.0, blocks=blocks, seed=424242,
        version="0.1.0", arguments=("run", "--only", "*"),
        facts={"cpu": "Example CPU @ 2.50GHz", "cpus": "2", "kernel": "6.1.0", "governor": "unknown"},
        tools=(ToolInfo("wrk", "4.1.0", "wrk", "ab" * 32), ToolInfo("nim", "2.2.0", "nim")),
        builds=(
            BuildInfo("epoll", "built", ("nim", "c", "-d:danger", "epoll.nim"), 6.4, None, "Hint: ok"),
            BuildInfo("asynchttp.boehm", "failed", ("nim", "c", "--gc:boehm", "asynchttp.nim"), 2.1,
                      "logs/build-boehm.log", "could not load: libgc.so"),
            BuildInfo("python_epoll", "none"),
        ),
        cells=cells, families=ended, notes=("The CPU frequency governor is unknown.",), published=published_runs(),
        blocks_min=blocks,
    )  # fmt: skip


HOSTILE = "<script>alert(1)</script>\"'&amp;\x1b[31mred\u202e $\\frac$ {{ 7*7 }}]]>--><x"
KEPT = {  # words of a fixed vocabulary, keys that join records, and text in a syntax of its own
    "kind", "status", "verdict", "outcome", "purpose", "schema", "bound", "latency", "matrix", "cell", "id",
    "machine", "server", "variant", "mode", "load", "log", "started_at", "preset", "design", "role", "network",
    "family", "pair", "baseline", "twin_of", "blocks", "name",
}  # fmt: skip


def hostile(value: Any) -> Any:
    """Return a record with hostile text behind every free text in it, at any depth."""
    if isinstance(value, str):
        return value + HOSTILE
    if isinstance(value, tuple):
        return tuple(hostile(item) for item in value)
    if isinstance(value, dict):
        return {hostile(key): hostile(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return dataclasses.replace(value, **{name: hostile(item) for name, item in fields.items() if name not in KEPT})
    return value


def hostile_matrix(text: str) -> str:
    """Return matrix.toml with hostile text in titles, notes, headings and reasons."""
    quoted = json.dumps(HOSTILE)[1:-1]
    keys = r'((?:title|note|heading|unavailable|text|introduction) = ")(?!"")'
    return re.sub(keys, lambda match: match[1] + quoted, text)


def main(arguments: Sequence[str]) -> None:
    """Write an example run folder and its report, and say where."""
    sys.stdout.write(f"{write_as([write_example(Path(arguments[0]))], 'html')}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
