"""Lists a plan: its cells with ids, families and status, and the time it will take; for people and for programs."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from runners.matrix.cells import Cell
from runners.matrix.model import Blocks
from runners.plan.order import Duet, duet_s, trial_s
from runners.plan.planning import Plan
from runners.units import format_duration

SCHEMA = "speedup.plan/1"


class PlainPipeConsole(Console):
    """A console that leaves a reader that has gone to the command line, for which that is no failure."""

    def on_broken_pipe(self) -> None:
        """Tell it as any other output would."""
        raise BrokenPipeError


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
        "cells": [
            {
                "id": planned.cell.id,
                "slug": planned.cell.slug,
                "server": planned.cell.program.server,
                "variant": planned.cell.program.variant,
                "title": planned.cell.program.title,
                "class": planned.cell.program.class_,
                "group": planned.cell.program.group,
                "threads": planned.cell.threads,
                "connections": planned.cell.connections,
                "mode": planned.cell.mode,
                "family": planned.cell.family,
                "status": planned.status,
                "reason": planned.reason,
                "trial_s": trial_s(planned.cell),
            }
            for planned in plan.cells
        ],
        "duets": [
            {"cell": duet.row.id, "baseline": duet.baseline.id, "family": duet.family, "trial_s": duet_s(duet)}
            for duet in plan.duets
        ],
    }


def print_plan(plan: Plan, console: Console | None = None) -> None:
    """Print the cells by family, what is not measured and why, and what it comes to."""
    console = console or PlainPipeConsole(highlight=False, soft_wrap=True)
    for family, cells in _families(plan).items():
        spent = format_duration(sum(map(trial_s, cells)) * plan.preset.blocks.max)
        console.print(Text(f"family {family}: {plural(len(cells), 'cell')}, {spent}", style="bold"))
        for cell in cells:
            console.print(Text(f"  {cell.id:<52}  group {cell.program.group}"))
    for family, duets in _duet_families(plan).items():
        spent = format_duration(sum(map(duet_s, duets)) * plan.preset.duet_blocks.max)
        console.print(Text(f"family {family}: {plural(len(duets), 'duet')}, {spent}", style="bold"))
        for duet in duets:
            console.print(Text(f"  {duet.row.slug} with {duet.baseline.slug}"))
    for slugs, (status, reason) in _reasons(plan).items():
        console.print(Text(f"{status}: {slugs} - {reason}", style="dim"))
    if plan.goals:
        spent = format_duration(plan.latency_s)
        console.print(Text(f"latency at offered rates: {len(plan.goals)} cells, about {spent}", style="bold"))
    if plan.unpaced:
        console.print(Text(plan.unpaced, style="dim"))
    console.print(
        f"{what(plan)} = {plan.trial_count} trials on machine '{plan.machine}'"
        f" with {plan.load}, preset '{plan.preset_name}': about {format_duration(plan.estimated_s)}, and the builds"
    )


def what(plan: Plan) -> str:
    """Return what is measured how often: "25 cells x 6 blocks and 6 duets x 24 blocks"."""
    preset = plan.preset
    parts = [f"{plural(len(plan.solos), 'cell')} x {_count(preset.blocks)} blocks"] if plan.solos else []
    parts += [f"{plural(len(plan.duets), 'duet')} x {_count(preset.duet_blocks)} blocks"] if plan.duets else []
    return " and ".join(parts) or "nothing"


def _count(blocks: Blocks) -> str:
    return str(blocks.max) if blocks.min == blocks.max else f"{blocks.min} to {blocks.max}"


def plural(count: int, word: str) -> str:
    """Return "1 cell" or "2 cells"."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


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
