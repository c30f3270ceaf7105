"""Runs common benchmarking protocols and ours, side by side, on servers whose true difference is known.

    python -m benchmarks.protocols --scale 0.25 --json results/protocols.json

Every protocol is asked again and again: is B slower than A? B is A's twin, or A with a spin of a known share of its CPU
time per request (0.5, 1 and 3 %). For each protocol, this prints how often it saw a difference that does not exist
(false positives), how often it saw one that does, in the right direction (detections), and the seconds of load per
answer. All protocols take turns, so that the machine's moods affect all of them.

The common protocols give no interval, so they get a threshold of 1 %: nobody would report less as a difference.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from scipy import stats

from runners.matrix.cells import Cell, expand
from runners.matrix.reading import parse_matrix
from runners.plan.order import Slot, starts
from runners.records.trial import Trial
from runners.server.process import Programs
from runners.stats.comparison import SERVER_COST, log_ratios
from runners.stats.rule import Design, Rule
from runners.system.machine import available_cores, share_cpus
from runners.system.network import Kind, enter_user_namespace
from runners.trial.trial import Rig, measure

SOURCE = Path(__file__).with_name("spin_server.c")
SHARES = (0.0, 0.005, 0.01, 0.03)
FIELD_THRESHOLD = 0.01
COMPARISONS = 1  # rows that `speedup run` of two servers compares: twins are none
CHANCE = random.Random()
WARMUP_S = 0.2
PILOTS = 12
RECENT = 50
TIMED_UNITS = 100
TIMINGS = 5

MATRIX = """
[suite]
title = "Protocols"
modes = ["persistent"]

[preset.quick]
warmup = "200ms"
duration = "1s"

[preset.quick.duet]
warmup = "50ms"
duration = "200ms"

[machine.local]
threads = [1]
connections = [32]

[validity] # this is about the machine's moods: no trial is left out because of them
foreign_fail = "100000%"
steal_fail = "100%"
pressure_fail = "100%"
drift_fail = "100000%"
spread_fail = "100000%"
overshoot_fail = "10s"
"""

SERVER = """
[server.{name}]
dir = "."
run = [{program}, "{{port}}", "{units}"]
"""


class Bench:
    """Two servers, A and B, with a known difference, and ways to put load on them."""

    def __init__(self, program: Path, units: int, where: Callable[[], Rig]) -> None:
        text = MATRIX + "".join(
            SERVER.format(name=name, program=json.dumps(str(program)), units=count)
            for name, count in (("a", 0), ("b", units))
        )
        matrix = parse_matrix(text)
        planned = expand(matrix, "local", matrix.preset["quick"], "wrk")
        self.a, self.b = (item.cell for item in planned)
        self.rig = replace(where(), limits=matrix.validity)
        self.count = 0
        self.load_s = 0.0
        self.costs_us: list[float] = []
        self.log_ratios: list[float] = []

    def _slot(self, cells: Sequence[Cell], block: int) -> Slot:
        self.count += 1
        return Slot(tuple(cell.id for cell in cells), "protocols", block, 0, self.count)

    def solo(self, cell: Cell, duration_s: float, block: int = 0, warmup_s: float = WARMUP_S) -> Trial:
        """Measure one server alone."""
        timed = replace(cell, load=replace(cell.load, duration_s=duration_s, warmup_s=warmup_s))
        self.load_s += warmup_s + duration_s
        (trial,) = measure([timed], self._slot([timed], block), self.rig)
        if cell is self.a:
            self._note_cost(trial)
        return replace(trial, cell=cell.id)

    def duets(self, blocks: int) -> Iterator[tuple[Trial, Trial]]:
        """Measure both at the same time, again and again; yield A's and B's trial."""
        in_duet = self.a.in_duet.load
        for block, cells in enumerate(starts((self.a, self.b), blocks, CHANCE)):
            self.load_s += (in_duet.warmup_s or 0.0) + in_duet.duration_s
            first, second = measure(cells, self._slot(cells, block), self.rig)
            a, b = (first, second) if first.cell == self.a.id else (second, first)
            self._note_cost(a)
            yield a, b

    def _note_cost(self, trial: Trial) -> None:
        if trial.server_cpu_us_per_request:
            self.costs_us.append(trial.server_cpu_us_per_request)


Answer = float  # > 0: B is slower (or costlier) than A, < 0: the other way round, 0: no difference seen


def rate(trial: Trial) -> float:
    """Return the requests per second; end the benchmark if the trial has none."""
    if trial.requests_per_s is None:
        raise SystemExit(f"a trial failed: {trial.reason}")
    return trial.requests_per_s


def beyond_threshold(rate_a: float, rate_b: float) -> Answer:
    """Return the difference that a reader of two bare numbers sees."""
    difference = rate_a / rate_b - 1
    return difference if abs(difference) > FIELD_THRESHOLD else 0.0


def one_long_run(bench: Bench) -> Answer:
    """Compare one 15 s run of each."""
    return beyond_threshold(rate(bench.solo(bench.a, 15)), rate(bench.solo(bench.b, 15)))


def best_of_three(bench: Bench) -> Answer:
    """Compare the best of three 5 s runs of each, one server after the other."""
    best = [max(rate(bench.solo(cell, 5)) for _ in range(3)) for cell in (bench.a, bench.b)]
    return beyond_threshold(*best)


def ten_back_to_back(bench: Bench, duration_s: float = 2) -> Answer:
    """Compare the means of ten runs of A, then ten of B, by Welch's t test at 95 %."""
    a, b = ([rate(bench.solo(cell, duration_s)) for _ in range(10)] for cell in (bench.a, bench.b))
    if stats.ttest_ind(a, b, equal_var=False).pvalue > 0.05:
        return 0.0
    return statistics.mean(a) / statistics.mean(b) - 1


def judged(logs: Sequence[float], design: Design) -> Answer:
    """Return the estimate if `speedup run` would call it a difference, otherwise 0."""
    rule = Rule(design, COMPARISONS, 1)
    estimate = rule.estimate(logs)
    different = estimate and rule.judge(estimate, "costlier", "cheaper").answer in ("cheaper", "costlier")
    return math.log(estimate.value) if estimate and different else 0.0


def solo_blocks(blocks: int, duration_s: float, warmup_s: float) -> Callable[[Bench], Answer]:
    """Return a protocol: blocks of A and B in random order, compared by server CPU per request."""

    def protocol(bench: Bench) -> Answer:
        trials: list[Trial] = []
        for block in range(blocks):
            trials += [bench.solo(cell, duration_s, block, warmup_s) for cell in CHANCE.sample((bench.a, bench.b), 2)]
        rows, baselines = ([trial for trial in trials if trial.cell == cell.id] for cell in (bench.b, bench.a))
        bench.log_ratios = log_ratios(rows, baselines, SERVER_COST)
        return judged(bench.log_ratios, "solo")

    return protocol


def duets(blocks: int) -> Callable[[Bench], Answer]:
    """Return a protocol: duets of A and B, 0.2 s after 0.05 s of warm-up, compared by server CPU per request."""

    def protocol(bench: Bench) -> Answer:
        bench.log_ratios = [b.cost_log_ratio for _a, b in bench.duets(blocks) if b.cost_log_ratio is not None]
        return judged(bench.log_ratios, "duet")

    return protocol


@dataclass(frozen=True)
class Plan:
    """A protocol, and the number of tries at each true difference."""

    name: str
    protocol: Callable[[Bench], Answer]
    tries: dict[float, int]
    design: str = "solo"


def plans(scale: float) -> list[Plan]:
    """Return all protocols; `scale` multiplies the numbers of tries."""

    def times(**tries: int) -> dict[float, int]:
        keys = {"none": 0.0, "half": 0.005, "one": 0.01, "three": 0.03}
        return {keys[key]: max(1, round(count * scale)) for key, count in tries.items()}

    return [
        Plan("one 15 s run", one_long_run, times(none=10, one=5, three=5)),
        Plan("best of three 5 s runs", best_of_three, times(none=10, one=5, three=5)),
        Plan("means of ten 2 s runs", ten_back_to_back, times(none=10, one=5, three=5)),
        Plan("our solo blocks, 7 x 1.2 s", solo_blocks(7, 1, 0.2), times(none=164)),
        Plan("our solo blocks, 140 x 0.6 s", solo_blocks(140, 0.5, 0.1), times(three=24)),
        Plan("our duets, 40 x 0.25 s", duets(40), times(none=408, one=84), "duet"),
        Plan("our duets, 120 x 0.25 s", duets(120), times(half=52), "duet"),
    ]


def chosen_plans(options: argparse.Namespace) -> list[Plan]:
    """Return the selected protocols and true differences."""
    shares = {share for share in SHARES if any(math.isclose(100 * share, given) for given in options.differences)}
    return [
        replace(plan, tries={share: tries for share, tries in plan.tries.items() if share in shares})
        for plan in plans(options.scale)
        if options.only in plan.name
    ]


@dataclass
class Score:
    """What one protocol saw at one true difference: the intended share, and the true one in each try.

    `log_ratios` has the log ratios of the blocks behind each of our answers.
    """

    protocol: str
    share: float
    truths: list[float]
    answers: list[float]
    load_s: list[float]
    log_ratios: list[list[float]]

    @property
    def seen(self) -> int:
        """Return how often a difference was seen; a real one counts only in the right direction."""
        return sum(1 for answer in self.answers if (answer > 0 if self.share else answer != 0))


def build(folder: Path) -> Path:
    """Compile the server."""
    program = folder / "spin_server"
    subprocess.run(["cc", "-O2", "-o", str(program), str(SOURCE)], check=True)
    return program


def rig(folder: Path) -> Rig:
    """Return a rig with server and client on separate CPUs."""
    matrix = parse_matrix(MATRIX + SERVER.format(name="a", program='"a"', units=0))
    layouts = {1: share_cpus(available_cores(), 1)}
    return Rig(folder, Programs(folder, {}, dict(os.environ)), layouts, NETWORK, matrix.validity)


def spin_ns(program: Path, units: int) -> float:
    """Return the CPU nanoseconds of a spin: the median of several timings of a million spins each."""
    command = [str(program), "0", str(units)]
    return statistics.median(
        float(subprocess.run(command, check=True, capture_output=True, text=True).stdout) for _ in range(TIMINGS)
    )


class Calibration:
    """Converts a share of a request's current CPU time into a number of spins.

    The spin is timed by itself, since one large enough for duets to time would change the cost of the rest of a
    request. The cost of a request, alone or in a duet, changes with the machine's mood, so each try updates it.
    """

    def __init__(self, program: Path, folder: Path) -> None:
        self.program, self.folder = program, folder
        idle_ns, spun_ns = (spin_ns(program, units) for units in (0, TIMED_UNITS))
        self.unit_us = (spun_ns - idle_ns) / TIMED_UNITS / 1000
        self.costs_us: dict[str, deque[float]] = {design: deque(maxlen=RECENT) for design in ("solo", "duet")}
        pilot = self.bench(0)
        for _ in pilot.duets(PILOTS):
            pass
        self.learn("duet", pilot)
        for block in range(PILOTS):
            pilot.solo(pilot.a, 1, block)
        self.learn("solo", pilot)

    def bench(self, units: int) -> Bench:
        """Return two servers that differ by `units` spins per request."""
        return Bench(self.program, units, lambda: rig(self.folder))

    def learn(self, design: str, bench: Bench) -> None:
        """Record what requests cost in a try."""
        self.costs_us[design].extend(bench.costs_us)
        bench.costs_us.clear()

    def units(self, design: str, share: float) -> int:
        """Return the spins that slow a request down by this share."""
        return round(share * statistics.median(self.costs_us[design]) / self.unit_us)

    def share(self, units: int, bench: Bench) -> float:
        """Return the share of a request's CPU time that `units` spins were in a try."""
        return units * self.unit_us / statistics.median(bench.costs_us)


def play(calibration: Calibration, todo: list[Plan], seed: int) -> list[Score]:
    """Try all protocols at all differences in random order; Ctrl-C ends this with the results so far."""
    scores = {(plan.name, share): Score(plan.name, share, [], [], [], []) for plan in todo for share in plan.tries}
    turns = [(plan, share) for plan in todo for share, tries in plan.tries.items() for _ in range(tries)]
    random.Random(seed).shuffle(turns)
    began = time.monotonic()
    with contextlib.suppress(KeyboardInterrupt):
        for number, (plan, share) in enumerate(turns, start=1):
            score = scores[plan.name, share]
            play_once(calibration, plan, score)
            left_min = (time.monotonic() - began) / number * (len(turns) - number) / 60
            line = f"[{number}/{len(turns)}] {plan.name}, {score.truths[-1]:.2%}: {score.answers[-1]:+.2%}"
            print(f"{line} ({left_min:.0f} min left)", file=sys.stderr, flush=True)
    return [score for score in scores.values() if score.answers]


def play_once(calibration: Calibration, plan: Plan, score: Score) -> None:
    """Try one protocol once, and record its answer and the truth."""
    units = calibration.units(plan.design, score.share)
    bench = calibration.bench(units)
    answer = plan.protocol(bench)
    score.truths.append(calibration.share(units, bench))
    score.answers.append(answer)
    score.load_s.append(bench.load_s)
    score.log_ratios.append(bench.log_ratios)
    calibration.learn(plan.design, bench)


def show(scores: Sequence[Score]) -> None:
    """Print the table."""
    print(f"{'protocol':28}{'true difference':>16}{'seen':>12}{'share':>8}{'median answer':>15}{'load, s':>9}")
    for score in sorted(scores, key=lambda score: (score.share, score.protocol)):
        tries = len(score.answers)
        truth = f"{statistics.median(score.truths):.2%}" if score.share else "none"
        print(
            f"{score.protocol:28}{truth:>16}{score.seen:>8}/{tries:<3}{score.seen / tries:>8.0%}"
            f"{statistics.median(score.answers):>15.2%}{statistics.median(score.load_s):>9.1f}"
        )


def main() -> None:
    """Run everything and print what each protocol saw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="multiply the numbers of tries (1: about 6 hours)")
    parser.add_argument("--only", default="", help="only protocols whose name contains this")
    shares = [100 * share for share in SHARES]
    parser.add_argument("--differences", type=float, nargs="*", default=shares, metavar="PERCENT", help="only these")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="also write all answers to this file")
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored if a shell starts this in the background
    CHANCE.seed(options.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        program = build(folder)
        scores = play(Calibration(program, folder), chosen_plans(options), options.seed)
    show(scores)
    if options.json:
        options.json.write_text(json.dumps([vars(score) for score in scores]), encoding="utf-8")


NETWORK: Kind = "namespace" if enter_user_namespace() else "host"

if __name__ == "__main__":
    main()
