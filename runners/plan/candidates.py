"""The servers that `check` examines: a cell for each variant, without load, twins or duets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runners.matrix.cells import Cell, Selection, expand
from runners.matrix.model import Limits
from runners.matrix.reading import read_matrix, read_requests
from runners.plan.planning import PREFERRED_LOADS, default_matrix, layouts_of, needed_by, select, with_tools
from runners.system.machine import Layout, choose_profile, machine_facts
from runners.tools.find import TOOL_DATA, Host, ToolStatus, find_tools, this_host


@dataclass(frozen=True)
class Candidates:
    """What it takes to examine servers; `lacking` has the variants that cannot be started here, with the reason."""

    root: Path
    host: Host
    tools: Mapping[str, ToolStatus]
    layouts: Mapping[int, Layout]
    cells: tuple[Cell, ...]
    lacking: Mapping[str, str]
    limits: Limits


def find_candidates(file: Path | None, selection: Selection) -> Candidates:
    """Read a matrix and return the selected servers, their tools, and the CPUs that they would use."""
    path, host = file or default_matrix(), this_host()
    matrix, _ = read_matrix(path, TOOL_DATA)
    machine = choose_profile(matrix.machine, None, machine_facts())
    preset, requests = matrix.preset[matrix.suite.preset], read_requests(matrix, path.resolve().parent)
    every = expand(matrix, machine, preset, PREFERRED_LOADS[0], requests=requests)
    chosen = select(every, selection.within(matrix.suite.groups), matrix.table)
    tools = find_tools(matrix.tool, needed_by(chosen), host)
    fit = [with_tools(planned, tools) for planned in chosen]
    cells = tuple(planned.cell for planned in fit if planned.status == "planned")
    return Candidates(
        root=path.resolve().parent,
        host=host,
        tools=tools,
        layouts=layouts_of(matrix, machine, {cell.threads for cell in cells}),
        cells=cells,
        lacking={planned.cell.program.name: planned.reason or "" for planned in fit if planned.lacks},
        limits=matrix.limits,
    )
