"""How often the rule calls a difference that is none, under noise of many kinds.

    python -m benchmarks.rule
    python -m benchmarks.rule --replicates 400

Each replicate is a family of 1, 5 or 20 rows with a twin, measured in 40 blocks and looked at after 12, 20 and 40, in
the orders that `speedup run` draws. It is false if at any look a row without a difference is called different, or one
with a difference is called the opposite; so no way of choosing the last look can do worse. With `half`, every second
row differs by 3 %, and `found` is the share of those that are called so in the end. The exit code is 1 if the exact
lower 99 % bound of a false share is above 5 %, in a process for which the methodology claims that it is not.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from runners.plan.order import squares, starts
from runners.stats.rule import LOOKS, MARGINS, Design, Rule
from runners.stats.statistics import LEVEL, walsh_rank

Array = NDArray[np.float64]
Noise = Callable[[np.random.Generator, tuple[int, ...]], Array]

SEED = 20261128
BLOCKS = LOOKS[-1]
ROWS = (1, 5, 20)
SIDE_SD = {"duet": 0.02, "solo": 0.05}  # of one side's logarithm: that of a noisy machine
DIFFERENCE = 0.03
SIMULATED_ORDERS = 200
CHUNK = 2000  # rows at a time: as many as the cache of a processor holds
MOST_FALSE = 0.05
START_EFFECT = 0.02  # what it costs to be started first, beside a fifth of the machine's state


def normal(chance: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Return what the textbook assumes."""
    return chance.standard_normal(shape)


def heavy(chance: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Return values without a variance: Student's t with two degrees of freedom."""
    return chance.standard_t(2, shape)


def laplace(chance: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Return values with a sharp peak."""
    return chance.laplace(0, np.sqrt(0.5), shape)


def contaminated(chance: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Return normal values, of which one in twenty is from a distribution 20 times as wide."""
    return chance.standard_normal(shape) * np.where(chance.random(shape) < 0.05, 20.0, 1.0)


def bimodal(chance: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Return starts of two kinds: three in ten settle five standard deviations higher."""
    return chance.standard_normal(shape) + np.where(chance.random(shape) < 0.3, 5.0, 0.0)


def two_state(chance: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Return noise that is ten times as wide while a neighbour works; he stays, or stays away, for some ten blocks."""
    switches = chance.random((shape[0], BLOCKS)) < 0.1
    busy = (np.cumsum(switches, axis=1) + chance.integers(0, 2, (shape[0], 1))) % 2
    along = busy.reshape(shape[0], *(BLOCKS if size == BLOCKS else 1 for size in shape[1:]))
    return chance.standard_normal(shape) * np.where(along, 10.0, 1.0)


def sticky(chance: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Return what follows one server from block to block: AR(1) 0.9 along the axis of the blocks."""
    values = np.moveaxis(chance.standard_normal(shape), shape.index(BLOCKS), 0)
    return np.moveaxis(_autoregressive(values), 0, shape.index(BLOCKS))


def _autoregressive(steps: Array) -> Array:
    """Return AR(1) with coefficient 0.9 along the first axis, of variance 1 from the beginning."""
    state = steps.copy()
    for number in range(1, len(state)):
        state[number] = 0.9 * state[number - 1] + np.sqrt(1 - 0.9**2) * steps[number]
    return state


def calm(_chance: np.random.Generator, times: int, replicates: int) -> Array:
    """Return a machine that stays as it is."""
    return np.zeros((replicates, times))


def drifting(_chance: np.random.Generator, times: int, replicates: int) -> Array:
    """Return a machine that becomes 20 % slower from beginning to end."""
    return np.broadcast_to(np.linspace(0, 0.2, times), (replicates, times))


def wandering(chance: np.random.Generator, times: int, replicates: int) -> Array:
    """Return a machine whose speed wanders: AR(1) 0.9 from one time to the next, of 7 % (3 % a step)."""
    return 0.07 * _autoregressive(chance.standard_normal((times, replicates))).T


@dataclass(frozen=True)
class Process:
    """A kind of noise: of each side, and of the machine over time; `claimed` says that the rule must hold under it."""

    name: str
    side: Noise = normal
    machine: Callable[[np.random.Generator, int, int], Array] = calm
    claimed: bool = True


PROCESSES = (
    Process("normal"),
    Process("t(2)", heavy),
    Process("Laplace", laplace),
    Process("5 % contamination at 20 sd", contaminated),
    Process("AR(1) 0.9 of the machine", machine=wandering),
    Process("drift of 20 %", machine=drifting),
    Process("two-state noise", two_state),
    Process("bimodal starts", bimodal),
    Process("AR(1) 0.9 of one server", sticky, claimed=False),
)


@cache
def duet_orders() -> Array:
    """Return orders of a pair's starts, as planned: half where the row starts first in a block, else minus half."""
    chance = random.Random(SEED)
    drawn = [starts((0.5, -0.5), BLOCKS, chance) for _ in range(SIMULATED_ORDERS)]
    return np.array([[first for first, _ in order] for order in drawn])


@cache
def solo_orders(cells: int) -> NDArray[np.int64]:
    """Return orders of a family, as planned: the place of each cell among all trials, by cell and block."""
    chance = random.Random(SEED)
    ids = [str(cell) for cell in range(cells)]
    drawn = [squares(ids, BLOCKS, chance) for _ in range(SIMULATED_ORDERS)]
    places = [[[block.index((cell,)) for block in order] for cell in ids] for order in drawn]
    return np.array(places) + np.arange(BLOCKS) * cells


def duet_logs(process: Process, replicates: int, rows: int, chance: np.random.Generator) -> Array:
    """Return the log ratios of each row, the twin last, by block: both sides meet the machine in the same state."""
    shape = (replicates, rows + 1, BLOCKS)
    sides = SIDE_SD["duet"] * process.side(chance, (*shape, 2))
    first = duet_orders()[chance.integers(0, SIMULATED_ORDERS, shape[:2])]
    machine = process.machine(chance, BLOCKS, replicates)[:, None, :]
    return sides[..., 0] - sides[..., 1] + first * (START_EFFECT + 0.2 * machine)


def solo_logs(process: Process, replicates: int, rows: int, chance: np.random.Generator) -> Array:
    """Return the log ratios of each row, the twin last, by block: the baseline was measured at another time."""
    cells = rows + 2
    order = solo_orders(cells)[chance.integers(0, SIMULATED_ORDERS, replicates)]
    machine = process.machine(chance, BLOCKS * cells, replicates)
    then = np.take_along_axis(machine[:, None, :], order.reshape(replicates, 1, -1), axis=2).reshape(order.shape)
    figures = then + SIDE_SD["solo"] * process.side(chance, order.shape)
    return figures[:, 1:] - figures[:, :1]


LOGS = {"duet": duet_logs, "solo": solo_logs}


def intervals(logs: Array, level: float) -> tuple[Array, Array]:
    """Return the exact signed-rank intervals of the last axis: `runners.stats.statistics.hodges_lehmann`, for many."""
    count = logs.shape[-1]
    found = walsh_rank(count, level)
    if found is None:
        return np.full(logs.shape[:-1], -np.inf), np.full(logs.shape[:-1], np.inf)
    one, other = np.triu_indices(count)
    ends = (found[0] - 1, len(one) - found[0])
    flat = logs.reshape(-1, count)
    parts = [np.partition(part[:, one] + part[:, other], ends, axis=1)[:, ends] / 2 for part in _chunks(flat)]
    low, high = np.concatenate(parts).T
    return low.reshape(logs.shape[:-1]), high.reshape(logs.shape[:-1])


def _chunks(flat: Array) -> Iterator[Array]:
    for start in range(0, len(flat), CHUNK):
        yield flat[start : start + CHUNK]


def called(logs: Array, look: int, design: Design) -> Array:
    """Return each row's verdict at a look: 1 or -1 where it is called different, else 0."""
    rows = logs.shape[1] - 1
    low, high = intervals(logs[:, :-1, :look], Rule(design, rows, len(LOOKS)).level)
    twin_low, twin_high = intervals(logs[:, -1:, :look], LEVEL)
    bias = np.where((twin_low > 0) | (twin_high < 0), np.maximum(twin_high, -twin_low), 0.0)
    margin = np.maximum(np.log1p(MARGINS[design]), bias)
    return (low > margin).astype(float) - (high < -margin)


@dataclass(frozen=True)
class Outcome:
    """How often the rule was wrong in a process, and which share of the real differences it found."""

    process: Process
    design: Design
    rows: int
    half: bool
    replicates: int
    false: int
    found: float | None

    @property
    def lower(self) -> float:
        """Return the exact (Clopper-Pearson) lower bound of the false share, at 99 %."""
        return float(stats.beta.ppf(0.01, self.false, self.replicates - self.false + 1)) if self.false else 0.0

    @property
    def fails(self) -> bool:
        """Return whether the rule is wrong too often."""
        return self.lower > MOST_FALSE


def simulate(process: Process, design: Design, rows: int, replicates: int, *, half: bool) -> Outcome:
    """Return what the rule does in so many families."""
    chance = np.random.default_rng([SEED, PROCESSES.index(process), rows, half, design == "duet"])
    logs = LOGS[design](process, replicates, rows, chance)
    differs = (np.add.outer(np.arange(replicates), np.arange(rows)) % 2 == 1) & half
    truth = np.where(differs, np.where(chance.random(differs.shape) < 0.5, 1, -1), 0)
    logs[:, :-1] += (truth * np.log1p(DIFFERENCE))[:, :, None]
    verdicts = [called(logs, look, design) for look in LOOKS]
    false = np.any([(said != 0) & (said != truth) for said in verdicts], axis=(0, 2))
    found = float(np.mean(verdicts[-1][differs] == truth[differs])) if half else None
    return Outcome(process, design, rows, half, replicates, int(false.sum()), found)


def outcomes(replicates: int) -> Iterator[Outcome]:
    """Yield every process, design and number of rows, with all rows alike and with half of them."""
    for process in PROCESSES:
        for design in ("duet", "solo"):
            for rows in ROWS:
                for half in (False, True):
                    yield simulate(process, design, rows, replicates, half=half)


def line(outcome: Outcome) -> str:
    """Return an outcome as a row of a table."""
    share, found = outcome.false / outcome.replicates, outcome.found
    verdict = ("FAILS" if outcome.process.claimed else "beyond the claim") if outcome.fails else "holds"
    return (
        f"| {outcome.process.name} | {outcome.design} | {outcome.rows} | {'half' if outcome.half else 'all'} |"
        f" {share * 100:.2f} % | {outcome.lower * 100:.2f} % | {'' if found is None else f'{found * 100:.0f} %'} |"
        f" {verdict} |"
    )


def main() -> int:
    """Simulate, print a table, and return whether the rule is wrong too often somewhere."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=5000, help="families in each process (default: 5000)")
    wanted = parser.parse_args()
    print("| noise | design | rows | alike | false | at least | found | |\n|---|---|--:|---|--:|--:|--:|---|")
    failed = False
    for outcome in outcomes(wanted.replicates):
        print(line(outcome), flush=True)
        failed |= outcome.fails and outcome.process.claimed
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
