"""Writes the matrix of `speedup compare`: an old and a new server, with lengths that fill a budget of load. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from runners.matrix.model import Mode
from runners.matrix.quantities import AUTO
from runners.matrix.requests.mix import Asked
from runners.matrix.starter.learned import Learned
from runners.matrix.starter.toml import toml_text, toml_value
from runners.matrix.starter.writing import ANSWERS_IN_A_WINDOW, Row, asked_for, launch_lines, ready_lines
from runners.stats.rule import LOOKS

TEMPLATE = Path(__file__).with_name("comparison.toml")
OLD, NEW = "old", "new"
ALONE = 1  # connections: one request at a time
DUET_SHARE = 0.4  # of the budget
EQUAL_SHARE = 0.2  # of it is for both at one rate, if connections persist; the rest is for blocks in turns
DUETS, FEWEST_DUETS = 24, 10  # of each pair
FEWEST_SOLO = 6
LIMIT = 2.5  # times the load's budget is what everything may take, warm-ups and starts included
FEWEST_ALONE, MOST_ALONE = LOOKS[1], LOOKS[2]  # duets where nothing else is measured: the first look ends them
SHORTEST_DUET_S, LONGEST_NEEDED_S = 0.2, 1.0
SHORTEST_EQUAL_S, USUAL_EQUAL_S = 0.4, 1.0
FEWEST_EQUAL, MOST_EQUAL = 10, 40
FILES = ("body_file", "har", "urls", "targets")  # keys of requests and mixes that name files
ANSWERS_EACH = 20  # on every connection of both sides, lest a trial say too little (V12)


@dataclass(frozen=True)
class Lengths:
    """How long trials take, and how many blocks there are, alone and in duets."""

    solo_s: int
    solo_blocks: int
    duet_ms: int
    duet_blocks: int
    equal_ms: int = 0
    equal_blocks: int = 0


@dataclass(frozen=True)
class Described:
    """What a matrix says to ask a server: the requests and mixes, each in which modes, and the tables that define them.

    `names` are those of the chosen ones in `tables`, which are of `[request.NAME]` and `[mix.NAME]`, by kind and name.
    """

    names: tuple[str, ...]
    asked: tuple[Asked, ...]
    places: tuple[tuple[Mode, str], ...]
    tables: Mapping[str, Mapping[str, Any]]

    @property
    def modes(self) -> tuple[Mode, ...]:
        """Return the connection modes in which anything is asked."""
        return tuple(dict.fromkeys(mode for mode, _ in self.places))

    def within(self, modes: Sequence[Mode]) -> Described:
        """Return what remains of it in some modes."""
        return replace(self, places=tuple(place for place in self.places if place[0] in modes))


def tables_of(document: Mapping[str, Any], root: Path) -> Mapping[str, Mapping[str, Any]]:
    """Return the tables of requests and mixes of a matrix in `root`, so that they can stand in one anywhere else."""
    return {
        kind: {name: _placed(table, root) for name, table in document.get(kind, {}).items()}
        for kind in ("request", "mix")
    }


def _placed(table: Mapping[str, Any], root: Path) -> Mapping[str, Any]:
    return {key: str(root.resolve() / value) if key in FILES else value for key, value in table.items()}


def lengths_for(
    budget_s: float, learned: Learned, described: Described | None = None, *, duets_only: bool = False
) -> Lengths:
    """Return lengths that fill a budget of load; a slow server's trials are longer, so that they hold some answers.

    What is described is measured, or else each mode with one request.
    """
    window_s = ANSWERS_IN_A_WINDOW * learned.took_s
    modes = len(described.places) if described else len(learned.modes)
    pairs = modes * (1 if duets_only else len(operating_points(learned)))
    share_s = (1.0 if duets_only else DUET_SHARE) * budget_s / pairs
    crowd_s = 2 * ANSWERS_EACH * learned.connections * learned.took_s
    shortest_s = max(SHORTEST_DUET_S, window_s, min(crowd_s, LONGEST_NEEDED_S))
    fewest, most = (FEWEST_ALONE, MOST_ALONE) if duets_only else (FEWEST_DUETS, DUETS)
    duets = min(most, max(fewest, int(share_s / shortest_s)))
    duet_s = max(shortest_s, share_s / duets)
    solo_s = max(1, math.ceil(window_s))
    places = 0 if duets_only else _places_at_equal_rate(learned, described)
    equal_share_s = EQUAL_SHARE * budget_s / max(1, places)
    equal = min(MOST_EQUAL, max(FEWEST_EQUAL, int(equal_share_s / USUAL_EQUAL_S)))
    equal_s = max(SHORTEST_EQUAL_S, window_s, equal_share_s / equal)
    left_s = budget_s - pairs * duets * duet_s - places * equal * equal_s
    return Lengths(
        solo_s,
        max(1, int(left_s / (2 * modes * solo_s))),
        math.ceil(1000 * duet_s),
        duets,
        math.ceil(1000 * equal_s) if places else 0,
        equal if places else 0,
    )


def _places_at_equal_rate(learned: Learned, described: Described | None) -> int:
    """Return how many places are measured at one rate on both sides: those of many persistent connections."""
    if learned.connections == ALONE:
        return 0
    modes = [mode for mode, _ in described.places] if described else learned.modes
    return sum(mode == "persistent" for mode in modes)


def operating_points(learned: Learned) -> tuple[int, ...]:
    """Return the numbers of connections to measure with: one, and as many as both sides answer at once."""
    return tuple(dict.fromkeys((ALONE, learned.connections)))


def comparison_matrix(
    old: Row,
    new: Row,
    learned: Learned,
    budget_s: float,
    described: Described | None = None,
    *,
    duets_only: bool = False,
    warmup: str = AUTO,
) -> str:
    """Return the text of a matrix that compares two servers; `learned` is what they have in common.

    They are asked for what is described, or else for what was learned. With `duets_only`, all of the budget goes to
    duets under load, which compare CPU time alone.
    """
    modes = described.modes if described else learned.modes
    lengths = lengths_for(budget_s, learned, described, duets_only=duets_only)
    points = (learned.connections,) if duets_only else operating_points(learned)
    filled = {
        "title": toml_text(f"{new.title} against {old.title}"),
        "modes": toml_value(modes),
        "asked": _described(described) if described else asked_for(learned),
        "solo_s": str(lengths.solo_s),
        "solo_blocks": str(lengths.solo_blocks),
        "least_solo": str(min(FEWEST_SOLO, lengths.solo_blocks)),
        "least_duets": str(min(FEWEST_ALONE if duets_only else FEWEST_DUETS, lengths.duet_blocks)),
        "limit_s": str(round(LIMIT * budget_s)),
        "warmup": warmup,
        "duet_ms": str(lengths.duet_ms),
        "duet_blocks": str(lengths.duet_blocks),
        "equal_rate": _equal_rate(lengths),
        "connections": toml_value(points),
        "servers": "\n".join(_side(row, learned) for row in (old, new)),
        "tables": "\n".join(_table(mode) for mode in modes),
    }
    template = TEMPLATE.read_text(encoding="utf-8").rstrip()
    return re.sub("@([a-z_]+)@", lambda match: filled[match[1]], template)


def _equal_rate(lengths: Lengths) -> str:
    """Return how long both sides are asked at one rate; nothing if they are not."""
    if not lengths.equal_blocks:
        return ""
    return f'equal_rate = {{ duration = "{lengths.equal_ms}ms", blocks = {lengths.equal_blocks} }}'


def _described(described: Described) -> str:
    """Return what is asked: the requests by name, their tables, and which are left out of which mode."""
    asked = [asked.name for asked in described.asked]
    left_out = [each for each in product(described.modes, asked) if each not in described.places]
    return "\n".join(
        (
            f"requests = {toml_value(described.names)}",
            *(
                "\n".join((f"\n[{kind}.{name}]", *(f"{key} = {toml_value(value)}" for key, value in table.items())))
                for kind, tables in described.tables.items()
                for name, table in tables.items()
            ),
            *(f'\n[[exclude]]\ncells = "*/{mode}/{name}"' for mode, name in left_out),
        )
    )


def _side(row: Row, learned: Learned) -> str:
    lines = [f"[server.{row.name}]", f"title = {toml_text(row.title)}", 'class = "application"']
    lines.append(f"dir = {toml_text(row.dir)}")
    lines += launch_lines(row.launch) if row.launch else []
    lines += [f"config = {toml_text(row.config)}"] if row.config is not None else []
    return "\n".join((*lines, *ready_lines(learned), ""))


def _table(mode: str) -> str:
    title = f"{mode.capitalize()} connections"
    return f'[[table]]\ntitle = "{title}"\nmode = "{mode}"\ndesign = "duet"\nrows = ["{OLD}", "{NEW}"]\n'
