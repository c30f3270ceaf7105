"""What a reader must know before the numbers: what is missing, what broke, what limits them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from reports.view.families import floor_text, percent
from reports.view.rows import one_line, plural
from reports.view.view import RunView
from runners.records.trial import Trial
from runners.stats.comparison import Floor
from runners.stats.statistics import MIN_VALUES


@dataclass(frozen=True)
class Notice:
    """One line of the banner: how bad it is, what it says, and where to read on (an anchor)."""

    kind: Literal["error", "warning", "note"]
    text: str
    link: str | None = None


def notices(view: RunView, prefix: str = "") -> tuple[Notice, ...]:
    """Return the banner's lines, the worst first."""
    found = [*_limits(view), *_progress(view), *_builds(view, prefix), *_trials(view)]
    found += [*_noise(view), *_noise_floor(view), *_load(view), *_machine(view)]
    rank = {"error": 0, "warning": 1, "note": 2}
    return tuple(sorted(found, key=lambda notice: rank[notice.kind]))


def _recorded(view: RunView) -> Iterator[Trial]:
    """Yield the trials that the report shows."""
    for trials in view.every.values():
        yield from trials


def _limits(view: RunView) -> Iterator[Notice]:
    if view.limits.said:
        yield Notice("note", view.limits.said)


def _progress(view: RunView) -> Iterator[Notice]:
    run = view.run
    if view.matrix is None:
        yield Notice("error", "The matrix in this run folder cannot be read; its tables are missing.")
    planned = {
        (family.name, block, tuple(sorted(item)))
        for family in run.families
        for block, items in enumerate(family.blocks)
        for item in items
    }
    done = {
        (trial.family, trial.block, trial.pair or (trial.cell,))
        for trial in _recorded(view)
        if trial.verdict != "not run"
    }
    left = 0 if any(family.ended_by for family in run.families) else len(planned - done)
    if left:
        yield Notice(
            "warning",
            f"Incomplete: {len(planned) - left} of {plural(len(planned), 'planned trial')} measured. The numbers"
            " below are those so far; the run goes on, or can be resumed.",
        )
    if 0 < run.blocks < MIN_VALUES:
        yield Notice(
            "note",
            f"{plural(run.blocks, 'block')} only: at least {MIN_VALUES} are needed for intervals and verdicts.",
        )


def _builds(view: RunView, prefix: str) -> Iterator[Notice]:
    for build in view.run.builds:
        if build.status == "failed":
            tail = one_line(build.output_tail.strip().splitlines()[-1]) if build.output_tail.strip() else ""
            yield Notice("error", f"{build.variant} did not build{': ' if tail else ''}{tail}", f"{prefix}builds")


def _trials(view: RunView) -> Iterator[Notice]:
    verdicts = Counter(trial.verdict for trial in _recorded(view))
    bad = [f"{count} {verdict}" for verdict, count in sorted(verdicts.items()) if verdict != "ok"]
    if bad:
        total = plural(sum(verdicts.values()), "trial")
        yield Notice("warning", f"Of {total}, {' and '.join(bad)}; they do not count and are shown with the reason.")
    missing = Counter(cell.reason or "no reason given" for cell in view.cells if cell.status == "unavailable")
    if missing:
        yield Notice("note", f"{plural(sum(missing.values()), 'cell')} unavailable; each row says why.")


def _noise(view: RunView) -> Iterator[Notice]:
    """Yield the families in which nothing is ranked, since their baseline differs from its own twin."""
    for family in view.families.values():
        floors = {"rate": family.rate, "CPU cost": family.cost}
        refused = [f"by {by} ({floor_text(floor)})" for by, floor in floors.items() if floor and not floor.ranks]
        if refused:
            yield Notice("warning", f"Nothing in {family.name} is ranked {' or '.join(refused)}: check V23, the twin.")


def _noise_floor(view: RunView) -> Iterator[Notice]:
    """Yield how far equal servers lie apart on this machine, over all families: what smaller differences are worth."""
    solos = [family for family in view.families.values() if family.design == "solo"]
    duets = [family for family in view.families.values() if family.design == "duet"]
    said: dict[str, list[Floor | None]] = {
        "by rate": [family.rate for family in solos],
        "by CPU time": [family.cost for family in solos],
        "by CPU time in duets": [family.cost for family in duets],
    }
    parts = [f"{between} {how}" for how, floors in said.items() if (between := _between(floors))]
    if parts:
        yield Notice(
            "note", f"Noise floor, baselines against their own twins: {', '.join(parts)}. Each table has its own."
        )


def _between(floors: Iterable[Floor | None]) -> str:
    """Return "\u00b11.5 % to \u00b15 %", the least and the largest; empty where none is known."""
    known = sorted(floor.reach for floor in floors if floor and floor.reach is not None)
    if not known:
        return ""
    low, high = (f"\u00b1{percent(reach)} %" for reach in (known[0], known[-1]))
    return low if low == high else f"{low} to {high}"


def _load(view: RunView) -> Iterator[Notice]:
    loads = {cell.load for cell in view.cells if cell.status == "planned"}
    if "locust" in loads:
        yield Notice(
            "warning",
            "Loaded by Locust: these numbers are bounded by the client. A Python client is slower than the servers"
            " that it asks, so rows that look alike may differ.",
        )
    shared = sum(1 for cell in view.cells if cell.shared and cell.status == "planned" and not cell.twin_of)
    if shared:
        yield Notice(
            "note",
            f"{plural(shared, 'cell')} shared CPUs with the load generator (marked shared): ranked by CPU time per"
            " request, not by throughput.",
        )


def _machine(view: RunView) -> Iterator[Notice]:
    for note in view.run.notes:
        yield Notice("warning", one_line(note))
