"""Duets: two cells measured at the same moment, compared by the server's CPU time per request.

Pure. What disturbs the machine disturbs both, so it cancels. Costs hold under contention; a ratio of throughputs means
nothing in a duet and is not shown.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from reports.claims.phrases import capital, cost_difference, inverse, no_difference
from reports.claims.rules import WORDS, Logs, rule_of, seen
from reports.trust.checks import CheckLine, check_line
from reports.view.families import COST, Family
from reports.view.names import cell_name
from reports.view.rows import Row
from reports.view.view import RunView
from reports.view.words import percent
from runners.records.run import CellInfo
from runners.records.trial import Trial
from runners.stats.comparison import block_ratios, duet_row
from runners.stats.rule import Rule, twin_estimate
from runners.stats.statistics import Estimate, Judgement, median
from runners.stats.steadiness import cold_side


@dataclass(frozen=True)
class DuetRow:
    """One pair: what a request cost on both sides, and the ratio row / baseline with what it allows to say.

    `first` counts in how many blocks the row started first; `logs` are the log ratios by block, and `rule` that of all
    pairs of the family. A twin has no judgement, nor has a pair of which a side was `cold`, as that says. A block more
    takes about `block_s`.
    """

    row: CellInfo
    baseline: CellInfo
    row_cost: Estimate | None = None
    baseline_cost: Estimate | None = None
    ratio: Estimate | None = None
    judgement: Judgement | None = None
    first: int = 0
    invalid: int = 0
    block_s: float | None = None
    logs: Logs = field(default_factory=dict)
    rule: Rule | None = None
    cold: str = ""

    @property
    def twin(self) -> bool:
        """Return whether this pair is a cell against itself."""
        return self.row.twin_of == self.baseline.id


@dataclass(frozen=True)
class DuetCell:
    """A table row's part in duets: its pair, None for the baseline; `to` names the baseline if it is another one."""

    duet: DuetRow | None
    to: str = ""


@dataclass(frozen=True)
class DuetTable:
    """All pairs of a run, the twins last, with the answer in a sentence and their families."""

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
    family = view.families.get(trials[0].family or "")
    sides = [[trial for trial in trials if trial.cell == cell.id] for cell in (row, baseline)]
    logs = block_ratios(sides[0], sides[1], COST)
    families = (family,) if family else ()
    rule = rule_of("duet", counts[trials[0].family or ""], "cost", families)
    known = seen(logs, families)
    estimate = twin_estimate(known) if row.twin_of else rule.estimate(known)
    valid = [trial for trial in sides[0] if trial.verdict == "ok"]
    cold = cold_side((cell_name(row), sides[0]), (cell_name(baseline), sides[1]))
    return DuetRow(
        row=row,
        baseline=baseline,
        row_cost=_cost(sides[0]),
        baseline_cost=_cost(sides[1]),
        ratio=estimate,
        judgement=rule.judge(estimate, *WORDS["cost"]) if estimate and not row.twin_of and not cold else None,
        first=sum(1 for trial in valid if trial.role == "first"),
        invalid=len(sides[0]) - len(valid),
        block_s=family.block_s if family else None,
        logs=logs,
        rule=rule,
        cold=cold,
    )


def _cost(trials: Sequence[Trial]) -> Estimate | None:
    known = [trial.server_cpu_us_per_request for trial in trials if trial.verdict == "ok"]
    values = [value for value in known if value]
    return median(values) if values else None


def turned(duet: DuetRow) -> DuetRow:
    """Return a pair seen from its other side."""
    other = inverse(duet.ratio) if duet.ratio else None
    judged = duet.rule.judge(other, *WORDS["cost"]) if other and duet.rule and duet.judgement else None
    return replace(
        duet, row=duet.baseline, baseline=duet.row, row_cost=duet.baseline_cost, baseline_cost=duet.row_cost,
        ratio=other, judgement=judged,
        first=(duet.ratio.count if duet.ratio else 0) - duet.first,
        logs={block: -value for block, value in duet.logs.items()},
    )  # fmt: skip


def duet_cells(rows: Sequence[Row], duets: Sequence[DuetRow]) -> dict[str, DuetCell]:
    """Return each row's part in duets by its cell: its pair with an earlier row, or that it is a baseline."""
    pairs = {(duet.row.id, duet.baseline.id): duet for duet in duets if not duet.twin}
    pairs |= {(baseline, row): turned(duet) for (row, baseline), duet in pairs.items()}
    names = {row.cell.id: row.name for row in rows if row.cell}
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
    """Return one careful sentence about the pairs; with several of them, about the one with the lowest ratio."""
    pairs = [duet for duet in duets if not duet.twin and duet.ratio and not duet.cold]
    if not pairs and (cold := next((duet.cold for duet in duets if duet.cold), "")):
        return f"No verdict: {cold}."
    if not pairs:
        return "Only twins were measured together: they show the noise."
    best = min(pairs, key=lambda duet: duet.ratio.value if duet.ratio else math.inf)
    others = f"; the best of {len(pairs)} pairs" if len(pairs) > 1 else ""
    return capital(f"{_said(best)}{others}{_biased(best)}.")


def _biased(duet: DuetRow) -> str:
    """Return by how much the baseline differs from its own twin, if it does."""
    bias = duet.rule.bias if duet.rule else 0
    return f"; the baseline differed from itself by up to {percent(bias)} %, so less does not count" if bias else ""


def _said(duet: DuetRow) -> str:
    names = cell_name(duet.row), cell_name(duet.baseline)
    return cost_difference(*names, duet.ratio) if duet.ratio else no_difference(*names, None)
