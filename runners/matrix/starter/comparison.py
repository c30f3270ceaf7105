"""Writes the matrix of `speedup compare`: an old and a new server, with lengths that fill a budget of load. Pure."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

from runners.matrix.starter.learned import Learned
from runners.matrix.starter.toml import toml_text, toml_value
from runners.matrix.starter.writing import ANSWERS_IN_A_WINDOW, Row, asked_for, launch_lines, ready_lines

TEMPLATE = Path(__file__).with_name("comparison.toml")
OLD, NEW = "old", "new"
ALONE = 1  # connections: one request at a time
DUET_SHARE = 0.4  # of the budget; the rest is for blocks in turns
DUETS, FEWEST_DUETS = 24, 10  # of each pair
FEWEST_SOLO = 6
LIMIT = 2.5  # times the load's budget is what everything may take, warm-ups and starts included
SHORTEST_DUET_S, LONGEST_NEEDED_S = 0.2, 1.0
ANSWERS_EACH = 20  # on every connection of both sides, lest a trial say too little (V12)


@dataclass(frozen=True)
class Lengths:
    """How long trials take, and how many blocks there are, alone and in duets."""

    solo_s: int
    solo_blocks: int
    duet_ms: int
    duet_blocks: int


def lengths_for(budget_s: float, learned: Learned) -> Lengths:
    """Return lengths that fill a budget of load; a slow server's trials are longer, so that they hold some answers."""
    window_s = ANSWERS_IN_A_WINDOW * learned.took_s
    modes = len(learned.modes)
    pairs = modes * len(operating_points(learned))
    share_s = DUET_SHARE * budget_s / pairs
    crowd_s = 2 * ANSWERS_EACH * learned.connections * learned.took_s
    shortest_s = max(SHORTEST_DUET_S, window_s, min(crowd_s, LONGEST_NEEDED_S))
    duets = min(DUETS, max(FEWEST_DUETS, int(share_s / shortest_s)))
    duet_s = max(shortest_s, share_s / duets)
    solo_s = max(1, math.ceil(window_s))
    left_s = budget_s - pairs * duets * duet_s
    return Lengths(solo_s, max(1, int(left_s / (2 * modes * solo_s))), math.ceil(1000 * duet_s), duets)


def operating_points(learned: Learned) -> tuple[int, ...]:
    """Return the numbers of connections to measure with: one, and as many as both sides answer at once."""
    return tuple(dict.fromkeys((ALONE, learned.connections)))


def comparison_matrix(old: Row, new: Row, learned: Learned, budget_s: float) -> str:
    """Return the text of a matrix that compares two servers; `learned` is what they have in common."""
    lengths = lengths_for(budget_s, learned)
    filled = {
        "title": toml_text(f"{new.title} against {old.title}"),
        "modes": toml_value(learned.modes),
        "asked": asked_for(learned),
        "solo_s": str(lengths.solo_s),
        "solo_blocks": str(lengths.solo_blocks),
        "least_solo": str(min(FEWEST_SOLO, lengths.solo_blocks)),
        "least_duets": str(min(FEWEST_DUETS, lengths.duet_blocks)),
        "limit_s": str(round(LIMIT * budget_s)),
        "duet_ms": str(lengths.duet_ms),
        "duet_blocks": str(lengths.duet_blocks),
        "connections": toml_value(operating_points(learned)),
        "servers": "\n".join(_side(row, learned) for row in (old, new)),
        "tables": "\n".join(_table(mode) for mode in learned.modes),
    }
    template = TEMPLATE.read_text(encoding="utf-8").rstrip()
    return re.sub("@([a-z_]+)@", lambda match: filled[match[1]], template)


def _side(row: Row, learned: Learned) -> str:
    lines = [f"[server.{row.name}]", f"title = {toml_text(row.title)}", 'class = "application"']
    lines.append(f"dir = {toml_text(row.dir)}")
    lines += launch_lines(row.launch) if row.launch else []
    lines += [f"config = {toml_text(row.config)}"] if row.config is not None else []
    return "\n".join((*lines, *ready_lines(learned), ""))


def _table(mode: str) -> str:
    title = f"{mode.capitalize()} connections"
    return f'[[table]]\ntitle = "{title}"\nmode = "{mode}"\ndesign = "duet"\nrows = ["{OLD}", "{NEW}"]\n'
