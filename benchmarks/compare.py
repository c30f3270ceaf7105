"""How often `speedup compare` raises a false alarm, and how often it finds a true slowdown, over real servers.

    python -m benchmarks.compare --tries 100 --of aa --budget 20s     # a server against itself; the gate at 1 %
    python -m benchmarks.compare --tries 40 --of 3% --budget 60s      # a true 3 % against a gate of 1 %
    python -m benchmarks.compare --tries 40 --of 1% --budget 60s      # a true 1 %: called at all

The servers of the matrix (`--server`, by default Go, Node and nginx) take turns. Both sides are the same build; the new
one is slowed as `compare --prove` does it. Printed is a line for each try, as JSON, and at last the counts with exact
bounds: of alarms of the gate, and of verdicts on CPU time per request in each direction. Servers that need a tool which
is missing are left out, and named.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from reports.changes.change import Change, change_of
from reports.changes.slowdowns import Bound, judged, verdict
from runners.errors import SpeedupError
from runners.matrix.starter.learned import Learned
from runners.matrix.starter.writing import Row
from runners.records.folder import read_folder
from runners.run.alone import alone_on_machine
from runners.server.revisions.checkouts import Revision
from runners.stats.proportions import at_least, at_most
from runners.units import parse_share
from speedup.comparing.building import Recipe, Side, build_side
from speedup.comparing.measuring import Manner, measure
from speedup.comparing.proving import slowed
from speedup.comparing.sides import learn
from speedup.parser import build_parser

ROOT = Path(__file__).resolve().parents[1]
SERVERS = ("go", "node", "nginx")
GATE = Bound("cpu", 0.01)


@dataclass(frozen=True)
class Try:
    """One comparison: the server, the true slowdown, the gate's outcome, and the verdict on CPU time, by mode."""

    server: str
    slowdown: float
    gate: str
    verdicts: tuple[str, ...]
    ratios: tuple[float, ...]
    run: str


def tried(server: str, slowdown: float, change: Change, run: Path) -> Try:
    """Return what a comparison said."""
    costs = [line for line in change.lines if line.kind.name == "cpu"]
    ratios = tuple(line.ratio.value for line in costs if line.ratio)
    outcome = verdict(judged(change, [GATE]))
    return Try(server, slowdown, outcome, tuple(line.verdict for line in costs), ratios, run.name)


def summary(tries: Sequence[Try]) -> Iterator[str]:
    """Yield the counts, each with its exact bounds at 95 %, one-sided."""
    for what, found in (
        (f"the gate at {GATE.text} failed", [each.gate == "slower" for each in tries]),
        ("CPU per request was called worse", ["worse" in each.verdicts for each in tries]),
        ("CPU per request was called better", ["better" in each.verdicts for each in tries]),
    ):
        hits, count = sum(found), len(found)
        bounds = f"at least {at_least(hits, count):.1%}, at most {at_most(hits, count):.1%}"
        yield f"{what} in {hits} of {count} tries ({bounds}, 95 % each)"


def _built(names: Sequence[str], folder: Path) -> Iterator[tuple[str, Side]]:
    for name in names:
        recipe = Recipe("", matrix=Path("matrix.toml"), only=name)
        try:
            yield name, build_side(recipe, Revision(name, ""), ROOT, folder / name / "build.txt")
        except SpeedupError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)


def _learned(side: Side, arguments: argparse.Namespace) -> tuple[Row, Learned]:
    rows = tuple(replace(side.row, name=name, title=name) for name in ("old", "new"))
    if side.known is not None:
        return rows[0], replace(side.known, modes=side.modes)
    (row, _), learned = learn(rows, arguments)
    return row, learned


def main() -> int:
    """Compare so many times, and print what was said."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tries", type=int, default=10, metavar="N", help="how many comparisons (default: 10)")
    parser.add_argument("--of", default="aa", help="aa, or the true slowdown, such as 3%% (default: aa)")
    parser.add_argument("--budget", default="20s", help="load of each comparison (default: 20s)")
    parser.add_argument("--server", action="append", default=[], help=f"of the matrix (default: {', '.join(SERVERS)})")
    chosen = parser.parse_args()
    slowdown = 0.0 if chosen.of == "aa" else parse_share(chosen.of)
    words = ["compare", "old", "new", "--budget", chosen.budget, "--mode", "persistent"]
    arguments = build_parser(words).parse_args(words)
    with tempfile.TemporaryDirectory() as place, alone_on_machine():
        arguments.results = Path(place) / "results"
        sides = [(name, *_learned(side, arguments)) for name, side in _built(chosen.server or SERVERS, Path(place))]
        tries = []
        for number in range(chosen.tries if sides else 0):
            name, row, learned = sides[number % len(sides)]
            pair = (slowed(row, "old", "old", 0.0), slowed(row, "new", "new", slowdown))
            learned = replace(learned, modes=("persistent",))
            run = measure(pair, learned, arguments, arguments.budget, manner=Manner(report=False))
            tries.append(tried(name, slowdown, change_of([read_folder(run)]), run))
            print(json.dumps(vars(tries[-1])), flush=True)
    print("\n".join(summary(tries)))
    return 0 if tries else 3


if __name__ == "__main__":
    sys.exit(main())
