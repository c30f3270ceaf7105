"""What a reader must know before the numbers: what is missing, what broke, what limits them. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from reports.view.families import COST
from reports.view.names import cell_name
from reports.view.view import RunView
from reports.view.words import one_line, percent
from runners.records.run import BuildInfo
from runners.records.trial import Trial
from runners.stats.comparison import Floor, block_ratios
from runners.stats.noise import is_noisy
from runners.stats.populations import two_populations
from runners.stats.statistics import MIN_VALUES
from runners.units import plural


@dataclass(frozen=True)
class Notice:
    """One line of the banner: how bad it is, what it says, and where to read on (an anchor)."""

    kind: Literal["error", "warning", "note"]
    text: str
    link: str | None = None


def notices(view: RunView, prefix: str = "") -> tuple[Notice, ...]:
    """Return the banner's lines, the worst first."""
    found = [*_damage(view), *_progress(view), *_builds(view, prefix), *_trials(view)]
    found += [*_biased(view), *_in_two(view), *_noise_floor(view), *_load(view), *_run_notes(view)]
    rank = {"error": 0, "warning": 1, "note": 2}
    return tuple(sorted(found, key=lambda notice: rank[notice.kind]))


def _recorded(view: RunView) -> Iterator[Trial]:
    """Yield the trials that the report shows."""
    for trials in view.every.values():
        yield from trials


def _damage(view: RunView) -> Iterator[Notice]:
    """Yield what of the run folder is not as it was written."""
    folder = view.folder
    if folder.damaged_head:
        yield Notice("error", "The run's head, run.json, is damaged or was edited: it may say what never was.")
    if folder.damaged_lines:
        are = "are" if folder.damaged_lines > 1 else "is"
        yield Notice(
            "warning",
            f"{plural(folder.damaged_lines, 'line')} of trials.jsonl {are} damaged and set aside: what stood there"
            " counts only where it was measured again. speedup verify names each line.",
        )


def _progress(view: RunView) -> Iterator[Notice]:
    run = view.run
    if view.matrix is None and run.kind != "imported":  # nobody planned those
        yield Notice("error", "This version cannot read the run's matrix, so the matrix's tables are missing.")
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
            f"Incomplete: {len(planned) - left} of {plural(len(planned), 'planned trial')} measured so far. The run is"
            " still going on, or can be resumed with --resume.",
        )
    if 0 < run.blocks < MIN_VALUES:
        yield Notice(
            "note",
            f"Only {plural(run.blocks, 'block')}: intervals and verdicts need at least {MIN_VALUES}. A longer preset"
            " measures more.",
        )


def _builds(view: RunView, prefix: str) -> Iterator[Notice]:
    failed = [build for build in view.run.builds if build.status == "failed"]
    if failed:
        which = f"{failed[0].variant} did" if len(failed) == 1 else f"{len(failed)} variants did"
        why = "; ".join(_build_failure(build, alone=len(failed) == 1) for build in failed)
        yield Notice("error", f"{which} not build: {why}", f"{prefix}builds")


def _build_failure(build: BuildInfo, *, alone: bool) -> str:
    """Return the last line of a build's output, behind its name unless that is said already."""
    lines = build.output_tail.strip().splitlines() or ["no output"]
    return one_line(lines[-1]) if alone else f"{build.variant} ({one_line(lines[-1])})"


def _trials(view: RunView) -> Iterator[Notice]:
    verdicts = Counter("noisy" if is_noisy(trial) else trial.verdict for trial in _recorded(view))
    bad = [f"{count} {verdict}" for verdict, count in sorted(verdicts.items()) if verdict != "ok"]
    if bad:
        total = plural(sum(verdicts.values()), "trial")
        cause = _main_cause(trial for trial in _recorded(view) if trial.verdict != "ok")
        yield Notice("warning", f"Not counted: {' and '.join(bad)} of {total}.{cause} Each row says why.")
    missing = Counter(cell.reason or "no reason given" for cell in view.cells if cell.status == "unavailable")
    if missing:
        yield Notice("note", f"{plural(sum(missing.values()), 'cell')} unavailable. Each row says what is missing.")


def _main_cause(trials: Iterable[Trial]) -> str:
    """Return the check that most trials failed, and what to do about it; empty if no check failed."""
    failed = [check for trial in trials for check in trial.checks if check.outcome == "fail"]
    if not failed:
        return ""
    (most, count), *_ = Counter((check.id, check.name) for check in failed).most_common()
    advice = next((check.advice for check in failed if check.id == most[0] and check.advice), "")
    return f" Most frequent cause: {' '.join(most)} ({plural(count, 'trial')}){'; ' if advice else ''}{advice}."


def _biased(view: RunView) -> Iterator[Notice]:
    """Yield in one line in how many families the baseline differs from its own twin."""
    found = [bias for family in view.families.values() if (bias := _bias((family.rate, family.cost)))]
    if found:
        every = len(found) == len(view.families)
        where = "this run" if every else f"{len(found)} of {len(view.families)} families"
        yield Notice(
            "warning",
            f"In {where}, the baseline differed from itself by up to {percent(max(found))} % (check V23). Only larger"
            " differences are called there. Use a quieter machine.",
        )


def _bias(floors: Iterable[Floor | None]) -> float:
    """Return how far a baseline differs from its twin; 0 if it does not."""
    return max((floor.bias for floor in floors if floor), default=0.0)


def _in_two(view: RunView) -> Iterator[Notice]:
    """Yield each pair whose starts fall into two groups, with both figures: the one in between belongs to neither."""
    names = {cell.id: cell_name(cell) for cell in view.cells}
    for pair, trials in view.together.items():
        row, baseline = pair
        mine, theirs = ([trial for trial in trials if trial.cell == cell] for cell in pair)
        found = two_populations(list(block_ratios(mine, theirs, COST).values()))
        if found is None:
            continue
        shares = (f"{math.exp(log):.2f} times as much in {starts} starts" for log, starts in found.groups)
        yield Notice(
            "warning",
            f"Starts of {names[row]} and {names[baseline]} fall into two groups: the first needs"
            f" {' and '.join(shares)} as the second. A figure between them belongs to neither.",
        )


def _noise_floor(view: RunView) -> Iterator[Notice]:
    """Yield how far equal servers lie apart on this machine: what smaller differences are worth."""
    solos = [family for family in view.families.values() if family.design == "solo"]
    duets = [family for family in view.families.values() if family.design == "duet"]
    floors: dict[str, list[Floor | None]] = {
        "by CPU time in duets": [family.cost for family in duets],
        "by rate": [family.rate for family in solos],
        "by CPU time": [family.cost for family in solos],
    }
    parts = [f"{between} {how}" for how, found in floors.items() if (between := _between(found))]
    if parts:
        yield Notice("note", f"Noise floor, from baselines measured twice: {', '.join(parts)}. Each table has its own.")


def _between(floors: Iterable[Floor | None]) -> str:
    """Return "\u00b11.5 % to \u00b15 %", the smallest and the largest; empty where none is known."""
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
            "Loaded by Locust: these numbers are bounded by the client. A Python client is slower than the servers it"
            " asks, so rows that look alike may differ. wrk has no such limit.",
        )
    shared = sum(1 for cell in view.cells if cell.shared and cell.status == "planned" and not cell.twin_of)
    if shared:
        yield Notice(
            "note",
            f"{plural(shared, 'cell')} shared CPUs with the load generator (tagged shared): their rates decide"
            " nothing, CPU time per request does.",
        )


def _run_notes(view: RunView) -> Iterator[Notice]:
    for note, count in Counter(map(one_line, view.run.notes)).items():
        yield Notice("warning", note if count == 1 else f"{note} ({count} times)")
