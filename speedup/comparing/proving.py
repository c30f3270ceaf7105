"""Proves on the user's own server what a comparison of this budget catches: a known slowdown, and nothing else."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from reports.changes.change import Change, change_of
from reports.changes.slowdowns import Bound, judged, verdict
from reports.view.words import percent
from runners.errors import BadInput
from runners.matrix.starter.learned import Launch
from runners.matrix.starter.writing import Row
from runners.records.folder import read_folder
from runners.selftest import slowing
from runners.server.learning.command import read_command
from runners.stats.proportions import at_least, at_most
from runners.units import format_duration, parse_share
from speedup.comparing.measuring import Manner, measure
from speedup.comparing.sides import learn, rows_for
from speedup.messages import log

if TYPE_CHECKING:
    import argparse

SCHEMA = "speedup.proof/1"
MOST_SLOWDOWN = 1.0
NAMES = ("unchanged", "slowed")


@dataclass(frozen=True)
class Proof:
    """How often a slowdown of the server was caught, and how often the unchanged server raised an alarm.

    `judged` says what counts as caught: a bound of the gate, or any verdict on CPU time per request.
    """

    slowdown: float
    caught: int
    alarms: int
    tries: int
    judged: str
    runs: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """Return it as people say it."""
        least, most = at_least(self.caught, self.tries), at_most(self.alarms, self.tries)
        return (
            f"A {self.slowdown * 100:.3g} % slowdown was caught in {self.caught} of {self.tries} tries (at least"
            f" {percent(least)} %, 95 % sure); false alarms {self.alarms} of {self.tries} (at most {percent(most)} %,"
            f" 95 % sure). Judged: {self.judged}."
        )


def prove(arguments: argparse.Namespace) -> Proof:
    """Compare the server with itself and with itself slowed, in turns, so many times each."""
    share = _share(arguments.prove)
    if len(arguments.sides) != 1 or arguments.rev:
        raise BadInput("--prove takes one command, which starts your server: './server --port={port}'")
    launch = read_command(arguments.sides[0], "compare")
    (row, _), learned = learn(rows_for(NAMES, (launch, launch), (Path(), Path())), arguments)
    load_s = 2 * arguments.tries * arguments.budget
    log.info(
        f"{2 * arguments.tries} comparisons of {format_duration(arguments.budget)} of load: {format_duration(load_s)}"
    )

    def compare(of: float) -> Path:
        sides = (slowed(row, "old", NAMES[0], 0.0), slowed(row, "new", NAMES[of > 0], of))
        return measure(sides, learned, arguments, arguments.budget, manner=Manner(report=False))

    return counted(share, arguments.tries, tuple(dict.fromkeys(arguments.fail_slower)), compare)


def _share(text: str) -> float:
    try:
        share = parse_share(text)
    except ValueError as error:
        raise BadInput(f"--prove {text}: {error}") from error
    if not 0 < share <= MOST_SLOWDOWN:
        raise BadInput(f"--prove {text}: name a slowdown above 0% and up to 100%, such as 2%")
    return share


def counted(share: float, tries: int, bounds: tuple[Bound, ...], compare: Callable[[float], Path]) -> Proof:
    """Return what so many comparisons of each kind come to; `compare` measures one with a slowdown."""
    caught, alarms, runs = 0, 0, []
    for number in range(1, tries + 1):
        for of in (share, 0.0):
            runs.append(compare(of))
            called = is_called(change_of([read_folder(runs[-1])]), bounds, either=of == 0)
            caught, alarms = caught + (called and of > 0), alarms + (called and of == 0)
        log.info(f"{number} of {tries}: caught {caught}, false alarms {alarms}")
    said = ", ".join(bound.text for bound in bounds) or "any verdict on CPU per request"
    return Proof(share, caught, alarms, tries, said, tuple(str(run) for run in runs))


def is_called(change: Change, bounds: tuple[Bound, ...], *, either: bool) -> bool:
    """Return whether a comparison calls a slowdown; with `either`, any difference, since both directions are wrong."""
    if bounds:
        return verdict(judged(change, bounds)) == "slower"
    wanted = {"worse", "better"} if either else {"worse"}
    return any(line.kind.name == "cpu" and line.verdict in wanted for line in change.lines)


def slowed(row: Row, name: str, title: str, share: float) -> Row:
    """Return a server behind what slows it; the unchanged one stands behind it, too, so that nothing else differs."""
    launch = row.launch or Launch(())
    run = (sys.executable, slowing.__file__, f"{share:g}", *launch.run)
    return replace(row, name=name, title=title, launch=replace(launch, run=run))


def data_of(proof: Proof) -> dict[str, object]:
    """Return a proof as data."""
    least, most = at_least(proof.caught, proof.tries), at_most(proof.alarms, proof.tries)
    return {
        "schema": SCHEMA,
        "sentence": proof.sentence,
        **asdict(proof),
        "caught_at_least": least,
        "alarms_at_most": most,
    }
