"""Duets: two cells measured at the same moment, compared by the server's CPU time per request in the same window.

Pure. What disturbs the machine disturbs both, so it cancels. Costs hold under contention; ratios of throughput mean
nothing in a duet and are shown nowhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from reports.trust.checks import CheckLine, check_line
from reports.view.families import COST, Family, gate
from reports.view.rows import Row, named
from reports.view.view import RunView
from runners.records.run import CellInfo
from runners.records.trial import Trial
from runners.stats.comparison import duet_row, log_ratios
from runners.stats.statistics import (
    Estimate,
    Interval,
    Judgement,
    attainable_level,
    family_level,
    judge_duet,
    median,
    ratio,
)


@dataclass(frozen=True)
class DuetRow:
    """One pair: what a request cost on both sides, and the ratio row / baseline with what may be said from it.

    `first` counts in how many blocks the row started first; `unranked` says why the twin forbids a verdict.
    """

    row: CellInfo
    baseline: CellInfo
    row_cost: Estimate | None = None
    baseline_cost: Estimate | None = None
    ratio: Estimate | None = None
    judgement: Judgement | None = None
    first: int = 0
    invalid: int = 0
    unranked: str = ""

    @property
    def twin(self) -> bool:
        """Return whether this pair is a cell against itself."""
        return self.row.twin_of == self.baseline.id


@dataclass(frozen=True)
class DuetCell:
    """A table row's part in duets: its pair, or that others are compared with it; `to` names an unusual baseline."""

    duet: DuetRow | None
    to: str = ""


@dataclass(frozen=True)
class DuetTable:
    """All pairs of a run, the twins last, with the answer in a sentence and the families that they are in."""

    duets: tuple[DuetRow, ...]
    headline: str
    families: tuple[Family, ...]
    checks: CheckLine


def duets_of(view: RunView) -> tuple[DuetRow, ...]:
    """Return every pair that was measured, in the order of the plan, twins last."""
    cells = {cell.id: cell for cell in view.cells}
    members = [(trials, *_sides(pair, trials, view)) for pair, trials in view.together.items()]
    counts = _comparisons((trials[0].family or "", cells[row]) for trials, row, _ in members)
    found = [_duet(trials, cells[row], cells[baseline], counts, view) for trials, row, baseline in members]
    order = {cell.id: number for number, cell in enumerate(view.cells)}
    return tuple(sorted(found, key=lambda duet: (duet.twin, order[duet.baseline.id], order[duet.row.id])))


def _sides(pair: tuple[str, str], trials: Sequence[Trial], view: RunView) -> tuple[str, str]:
    """Return the compared cell of a pair and its baseline: a twin's original, else the family's baseline."""
    twins = {cell.id: cell.twin_of for cell in view.cells if cell.twin_of}
    family = view.run.family(trials[0].family)
    baseline = next((twins[cell] for cell in pair if twins.get(cell) in pair), None)
    baseline = baseline or (family.baseline if family else "")
    if baseline not in pair:
        baseline = pair[-1]
    return duet_row(pair, baseline), baseline


def _comparisons(members: Iterable[tuple[str, CellInfo]]) -> dict[str, int]:
    """Return how many rows each family compares; its twins are not among them."""
    counts: dict[str, int] = {}
    for family, row in members:
        counts[family] = counts.get(family, 0) + (row.twin_of is None)
    return counts


def _duet(trials: Sequence[Trial], row: CellInfo, baseline: CellInfo, counts: dict[str, int], view: RunView) -> DuetRow:
    family = trials[0].family or ""
    sides = [[trial for trial in trials if trial.cell == cell.id] for cell in (row, baseline)]
    logs = log_ratios(sides[0], sides[1], COST)
    level = attainable_level(len(logs), family_level(counts[family]))
    valid = [trial for trial in sides[0] if trial.verdict == "ok"]
    duet = DuetRow(
        row=row,
        baseline=baseline,
        row_cost=_cost(sides[0]),
        baseline_cost=_cost(sides[1]),
        ratio=ratio(logs, level) if logs else None,
        first=sum(1 for trial in valid if trial.role == "first"),
        invalid=len(sides[0]) - len(valid),
        unranked="" if row.twin_of else gate([view.families.get(family)], "cost"),
    )
    ranked = duet.ratio is not None and not duet.unranked
    return replace(duet, judgement=judge_duet(duet.ratio)) if ranked and duet.ratio else duet


def _cost(trials: Sequence[Trial]) -> Estimate | None:
    known = [trial.server_cpu_us_per_request for trial in trials if trial.verdict == "ok"]
    values = [value for value in known if value]
    return median(values) if values else None


def turned(duet: DuetRow) -> DuetRow:
    """Return a pair seen from its other side."""
    estimate = duet.ratio
    if estimate is not None:
        interval = estimate.interval
        inverse = Interval(1 / interval.high, 1 / interval.low, interval.level) if interval else None
        estimate = Estimate(1 / estimate.value, estimate.count, inverse)
    judged = judge_duet(estimate) if estimate and duet.judgement else None
    first = (duet.ratio.count if duet.ratio else 0) - duet.first
    return replace(
        duet, row=duet.baseline, baseline=duet.row, row_cost=duet.baseline_cost, baseline_cost=duet.row_cost,
        ratio=estimate,
        judgement=judged, first=first,
    )  # fmt: skip


def duet_cells(rows: Sequence[Row], duets: Sequence[DuetRow]) -> dict[str, DuetCell]:
    """Return each row's part in duets by its cell: a pair with an earlier row of the table, or being the baseline."""
    pairs = {(duet.row.id, duet.baseline.id): duet for duet in duets if not duet.twin}
    pairs |= {(baseline, row): turned(duet) for (row, baseline), duet in pairs.items()}
    names = {row.cell.id: named(row) for row in rows if row.cell}
    order = {cell: number for number, cell in enumerate(names)}
    known = [pair for pair in pairs if pair[0] in order and pair[1] in order and order[pair[1]] < order[pair[0]]]
    found: dict[str, DuetCell] = {}
    for cell, baseline in sorted(known, key=lambda pair: (order[pair[0]], order[pair[1]])):
        if cell not in found:
            first = next(iter(found), baseline)
            found.setdefault(baseline, DuetCell(None))
            found[cell] = DuetCell(pairs[cell, baseline], "" if baseline == first else names[baseline])
    return found


def duet_table(view: RunView, duets: Sequence[DuetRow]) -> DuetTable | None:
    """Return the table of all pairs; None where there are none."""
    if not duets:
        return None
    families = tuple(family for family in view.families.values() if family.design == "duet")
    trials = [trial for members in view.together.values() for trial in members]
    return DuetTable(tuple(duets), duet_headline(duets), families, check_line(trials, families))


def duet_headline(duets: Sequence[DuetRow]) -> str:
    """Return one careful sentence about the pairs; with several of them, about the cheapest row."""
    pairs = [duet for duet in duets if not duet.twin and duet.ratio]
    if not pairs:
        return "only twins were measured together: they show the noise."
    best = min(pairs, key=lambda duet: duet.ratio.value if duet.ratio else math.inf)
    said = f"{_said(best)}{_others(len(pairs))}"
    return f"nothing is ranked, {best.unranked}; {said}" if best.unranked else said


def _others(count: int) -> str:
    return f"; the least of {count} pairs." if count > 1 else "."


def _said(duet: DuetRow) -> str:
    names = cell_name(duet.row), cell_name(duet.baseline)
    if duet.ratio is None or duet.ratio.interval is None:
        value = duet.ratio.value if duet.ratio else math.nan
        return f"{names[0]} took {value:.3f} times the CPU of {names[1]} per request (no interval: too few blocks)"
    interval = f"between {duet.ratio.interval.low:.3f} and {duet.ratio.interval.high:.3f}"
    if duet.judgement and duet.judgement.answer == "equivalent":
        return f"{names[0]} and {names[1]} cost the same: ratio {duet.ratio.value:.3f} ({interval})"
    if duet.judgement and duet.judgement.answer == "not resolved":
        return f"{names[0]} and {names[1]} cannot be told apart by cost: ratio {duet.ratio.value:.3f} ({interval})"
    return f"{names[0]} took {duet.ratio.value:.3f} times the CPU of {names[1]} per request ({interval})"


def cell_name(cell: CellInfo) -> str:
    """Return a cell's title with its threads where it has several."""
    return f"{cell.title} ({cell.threads} threads)" if cell.threads > 1 else cell.title
