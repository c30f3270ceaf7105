"""A matrix with one table of mode "latency"."""

from __future__ import annotations

from runners.matrix.cells import Cell, expand
from runners.matrix.model import Matrix
from runners.matrix.reading import parse_matrix

MATRIX = """
[suite]
title = "t"

[preset.quick]
warmup = "100ms"
duration = "1s"
blocks = {{ min = 2, max = 4 }}

[machine.local]
threads = [1]
connections = [8]

[server.a]
run = ["a"]

[server.b]
run = ["b"]

[[table]]
title = "Latency"
mode = "{mode}"
rows = ["a"]
{more}
"""


def matrix(more: str = "", mode: str = "latency") -> Matrix:
    """Return a matrix with one table about server a."""
    return parse_matrix(MATRIX.format(mode=mode, more=more))


def cells(of: Matrix) -> list[Cell]:
    """Return all cells of a matrix."""
    return [planned.cell for planned in expand(of, "local", of.preset["quick"], "wrk")]
