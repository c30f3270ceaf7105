"""`python -m tests.chaos`: attacks real runs, prints what came of it, and ends with 1 if anything is wrong.

An episode is one run that is attacked. Each has a process of its own, which adopts all that the run starts.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from random import Random

from tests.chaos import damage, fleet, installing, kills, misbehaving, surroundings, traces, tuned
from tests.chaos.attack import Attack
from tests.chaos.ground import Ground
from tests.chaos.tally import Outcome, as_json, conclusion, table
from tests.support import ROOT

EPISODES: dict[str, Callable[[Attack], None]] = {
    "kills": kills.warm,
    "misbehaving servers 1": partial(misbehaving.third, number=0),
    "full disks": damage.full_disks,
    "kills while building": kills.cold,
    "flipped bits": damage.flipped_bits,
    "misbehaving servers 2": partial(misbehaving.third, number=1),
    "surroundings": surroundings.surroundings,
    "edits": damage.edits,
    "terminals": kills.terminal,
    "misbehaving servers 3": partial(misbehaving.third, number=2),
    "members": kills.members,
    "fleet": fleet.fleet,
    "tuned": tuned.tuned,
    "installing": installing.installing,
}
ONCE_IN = 4  # rounds; misbehaving servers do not vary with the seed
EPISODE_LIMIT_S = 600.0


def main() -> int:
    """Attack as the arguments say, and return the exit code."""
    arguments, began = _arguments(), time.monotonic()
    if arguments.only is not None:
        return _show(_episode(arguments.seed, arguments.only), arguments, began)
    outcomes: list[Outcome] = []
    numbers = _numbers(arguments.minutes, began, arguments.names)
    with ThreadPoolExecutor(arguments.jobs) as pool:
        waiting = {_submit(pool, arguments.seed, number) for number in islice(numbers, arguments.jobs)}
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for ended in done:
                found = ended.result()
                outcomes += found
                name = name_of(found[0].episode) if found else "no fault"
                sys.stderr.write(f"{time.monotonic() - began:5.0f} s: {len(outcomes)} faults; {len(found)} {name}\n")
            waiting |= {_submit(pool, arguments.seed, number) for number in islice(numbers, len(done))}
    return _show(outcomes, arguments, began)


def _submit(pool: ThreadPoolExecutor, seed: int, number: int) -> Future[list[Outcome]]:
    return pool.submit(_in_own_process, seed, number)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument(
        "--seed", type=int, default=int(time.time()), help="what chance begins with (default: the time)"
    )
    parser.add_argument("--minutes", type=float, help="how long to attack (default: each kind of episode once)")
    parser.add_argument("--only", type=int, metavar="N", help="repeat this episode")
    parser.add_argument("--names", nargs="*", metavar="NAME", help=f"kinds of episodes: {', '.join(EPISODES)}")
    parser.add_argument("--json", action="store_true", help="print everything for programs")
    parser.add_argument("--jobs", type=int, default=2, help="episodes at the same time (default: 2)")
    return parser.parse_args()


def name_of(number: int) -> str:
    """Return which kind of episode has a number: each in turn."""
    names = list(EPISODES)
    return names[number % len(names)]


def _numbers(minutes: float | None, began: float, names: Sequence[str] | None) -> Iterator[int]:
    """Yield the numbers of episodes: each kind once, or until the time is used up."""
    number = 0
    while number < len(EPISODES) if minutes is None else time.monotonic() - began < minutes * 60:
        varies = not name_of(number).startswith("misbehaving") or number // len(EPISODES) % ONCE_IN == 0
        if varies if names is None else name_of(number) in names:
            yield number
        number += 1


def _in_own_process(seed: int, number: int) -> list[Outcome]:
    argv = [sys.executable, "-m", "tests.chaos", "--json", f"--seed={seed}", f"--only={number}"]
    found = subprocess.run(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False, timeout=EPISODE_LIMIT_S)
    try:
        return [_outcome(each) for each in json.loads(found.stdout)["outcomes"]]
    except ValueError:
        return [Outcome("chaos itself", name_of(number), misnamed=(f"ended with {found.returncode}",), episode=number)]


def _outcome(found: dict[str, object]) -> Outcome:
    fields = {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}
    fields.pop("survived")
    return Outcome(**fields)  # type: ignore[arg-type]


def _episode(seed: int, number: int) -> list[Outcome]:
    """Carry out an episode; what is ignored here, as in the background of a shell, is not for the runs."""
    traces.adopt_orphans()
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="speedup-chaos-") as folder:
        ground = Ground(Path(folder) / "ground")
        attack = Attack(ground, Random(f"{seed}/{number}"))  # noqa: S311 - moments, not secrets
        try:
            EPISODES[name_of(number)](attack)
        finally:
            ground.close()
        return [replace(outcome, episode=number) for outcome in attack.outcomes]


def _show(outcomes: Sequence[Outcome], arguments: argparse.Namespace, began: float) -> int:
    """Print the table, and for each failure what repeats it."""
    seconds, failures = time.monotonic() - began, [outcome for outcome in outcomes if not outcome.survived]
    for outcome in failures:
        sys.stderr.write(f"{outcome.kind}, {outcome.how}: lost {outcome.lost}, left {list(outcome.left)}\n")
        sys.stderr.writelines(f"  {each}\n" for each in outcome.misnamed)
        sys.stderr.write(f"  again: python -m tests.chaos --seed {arguments.seed} --only {outcome.episode}\n")
    if arguments.json:
        sys.stdout.write(json.dumps(as_json(outcomes, arguments.seed, seconds)) + "\n")
    else:
        ended = f"seed {arguments.seed}, {seconds:.0f} s, {os.cpu_count()} CPUs"
        sys.stdout.write(f"{table(outcomes)}\n{conclusion(outcomes)}\n{ended}\n")
    return 1 if failures or not outcomes else 0


if __name__ == "__main__":
    sys.exit(main())
