"""`speedup plan`: which cells would be measured, in which families, and how long that takes. Starts nothing."""

from __future__ import annotations

import gc
import sys

from runners.units import format_duration, plural
from speedup.arguments import add_json
from speedup.measure.options import add_options, options_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from typing import Any

    from runners.matrix.cells import Cell, Planned, Program
    from runners.matrix.model import Blocks, Matrix
    from runners.plan.order import Duet
    from runners.plan.planning import Plan

SCHEMA = "speedup.plan/1"
STYLES = {"": "{}", "bold": "\x1b[1m{}\x1b[0m", "dim": "\x1b[2m{}\x1b[0m"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    add_options(parser)
    add_json(parser)


def act(arguments: argparse.Namespace) -> int:
    """List what would be measured."""
    gc.disable()  # looking for garbage would take longer than it is worth: all of this ends at once
    from runners.plan.planning import make_plan

    plan = make_plan(options_of(arguments), versions=False)
    if arguments.json:
        import json

        print(json.dumps(plan_json(plan), indent=1))
    else:
        print_plan(plan)
    return 0


def plan_json(plan: Plan) -> dict[str, Any]:
    """Return the plan as plain data; durations in seconds."""
    return {
        "schema": SCHEMA,
        "title": plan.matrix.suite.title,
        "machine": plan.machine,
        "preset": plan.preset_name,
        "load": plan.load,
        "blocks": plan.preset.blocks.max,
        "duet_blocks": plan.preset.duet_blocks.max,
        "trials": plan.trial_count,
        "estimated_s": round(plan.estimated_s, 1),
        "latency_s": round(plan.latency_s, 1),
        "programs": _programs_json(plan),
        "cells": [_cell_json(planned) for planned in plan.cells],
        "duets": [_duet_json(duet) for duet in plan.duets],
    }


def _programs_json(plan: Plan) -> dict[str, Any]:
    """Return how each listed program is built and started, what it inherits included."""
    listed = {planned.cell.program.name: planned.cell.program for planned in plan.cells}
    return {name: _program_json(program, plan.matrix) for name, program in listed.items()}


def _program_json(program: Program, matrix: Matrix) -> dict[str, Any]:
    server = matrix.server[program.server]
    like = server.variant[program.variant].like if program.variant else server.like
    words = {key: getattr(program, key) for key in ("needs", "dir", "build", "run", "flags", "env")}
    return {"like": like, **words}


def _cell_json(planned: Planned) -> dict[str, Any]:
    from runners.plan.order import trial_s

    cell, program = planned.cell, planned.cell.program
    return {
        "id": cell.id,
        "slug": cell.slug,
        "server": program.server,
        "variant": program.variant,
        "title": program.title,
        "class": program.class_,
        "group": program.group,
        "threads": cell.threads,
        "connections": cell.connections,
        "mode": cell.mode,
        "family": cell.family,
        "status": planned.status,
        "reason": planned.reason,
        "trial_s": trial_s(cell),
    }


def _duet_json(duet: Duet) -> dict[str, Any]:
    from runners.plan.order import duet_s

    return {"cell": duet.row.id, "baseline": duet.baseline.id, "family": duet.family, "trial_s": duet_s(duet)}


def print_plan(plan: Plan) -> None:
    """Print the cells by family, what is not measured and why, and the total; rich would take longer than that."""
    from speedup.messages import is_terminal

    styled = is_terminal(sys.stdout)
    for line, style in _lines(plan):
        print(STYLES[style].format(line) if styled else line)


def _lines(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield the lines, each with its style."""
    yield from _solo_lines(plan)
    yield from _duet_lines(plan)
    for names, (status, reason) in _reasons(plan).items():
        yield f"{status}: {names} - {reason}", "dim"
    if plan.goals:
        yield f"latency at offered rates: {len(plan.goals)} cells, about {format_duration(plan.latency_s)}", "bold"
    if plan.unpaced:
        yield plan.unpaced, "dim"
    yield f"{what(plan)} = {plural(plan.trial_count, 'trial')} {where(plan)}{beyond(plan)}", ""


def _solo_lines(plan: Plan) -> Iterator[tuple[str, str]]:
    from runners.plan.order import trial_s

    for family, cells in _families(plan).items():
        spent = format_duration(sum(plan.blocks_of(cell) * trial_s(cell) for cell in cells))
        yield f"family {family}: {plural(len(cells), 'cell')}, {spent}", "bold"
        yield from ((f"  {cell.id:<52}  group {cell.program.group}", "") for cell in cells)


def _duet_lines(plan: Plan) -> Iterator[tuple[str, str]]:
    from runners.plan.order import duet_s

    for family, duets in _duet_families(plan).items():
        spent = format_duration(sum(map(duet_s, duets)) * plan.preset.duet_blocks.max)
        yield f"family {family}: {plural(len(duets), 'duet')}, {spent}", "bold"
        yield from ((f"  {duet.row.slug} with {duet.baseline.slug}", "") for duet in duets)


def what(plan: Plan) -> str:
    """Return what is measured how often: "25 cells x 6 blocks and 6 duets x 24 blocks"."""
    preset = plan.preset
    parts = [f"{plural(len(plan.solos), 'cell')} x {_count(preset.blocks)} blocks"] if plan.solos else []
    parts += [f"{plural(len(plan.duets), 'duet')} x {_count(preset.duet_blocks)} blocks"] if plan.duets else []
    parts += [_at_equal_rates(plan)] if plan.equal_rates else []
    return " and ".join(parts) or "nothing"


def _at_equal_rates(plan: Plan) -> str:
    return f"{plural(len(plan.equal_rates), 'duet')} x {plan.equally_paced.blocks} blocks at an equal rate"


def beyond(plan: Plan) -> str:
    """Return what comes on top of the time, since nobody knows how long it takes."""
    warming = any(None in (cell.load.warmup_s, cell.in_duet.load.warmup_s) for cell in plan.measurable)
    return ", plus builds and automatic warm-ups" if warming else ", plus builds"


def where(plan: Plan) -> str:
    """Return on what it is measured and how long that takes."""
    time = format_duration(plan.estimated_s)
    return f"on machine '{plan.machine}' with {plan.load}, preset '{plan.preset_name}': about {time}"


def _count(blocks: Blocks) -> str:
    return str(blocks.max) if blocks.min == blocks.max else f"{blocks.min} to {blocks.max}"


def _families(plan: Plan) -> dict[str, list[Cell]]:
    families: dict[str, list[Cell]] = {}
    for cell in plan.solos:
        families.setdefault(cell.family, []).append(cell)
    return families


def _duet_families(plan: Plan) -> dict[str, list[Duet]]:
    families: dict[str, list[Duet]] = {}
    for duet in plan.duets:
        families.setdefault(duet.family, []).append(duet)
    return families


def _reasons(plan: Plan) -> dict[str, tuple[str, str]]:
    """Return variants that are not measured -> status and reason, each reason once."""
    groups: dict[tuple[str, str], dict[str, None]] = {}
    for planned in plan.cells:
        if planned.status != "planned":
            key = (planned.status, planned.reason or "")
            groups.setdefault(key, {})[planned.cell.program.name] = None
    return {", ".join(names): key for key, names in groups.items()}
