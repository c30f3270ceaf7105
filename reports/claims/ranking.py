"""Ranks, in which rows that cannot be told apart share a place. Pure.

The intervals of all rows to their baseline hold together. So if two of them lie apart by more than the margin, those
rows differ, whatever their own pairs would show; rows whose intervals meet share a place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reports.claims.deciding import ONE, Decision, quotient, unlike
from reports.view.families import Measure
from reports.view.rows import Row
from runners.stats.rule import MARGINS, Design
from runners.stats.statistics import Answer, Estimate, judge, tie_groups

Decisions = Mapping[str, Decision]


@dataclass(frozen=True)
class Ranking:
    """Groups of rows that are not resolved from each other, the best group first; `refused` says why there are none.

    `ratios` holds each ranked row's ratio to the baseline by its cell.
    """

    basis: Design = "solo"
    by: Measure = "rate"
    groups: tuple[tuple[Row, ...], ...] = ()
    refused: str = ""
    ratios: Mapping[str, Estimate] | None = None

    @property
    def places(self) -> dict[str, str]:
        """Return each ranked cell's place: "1", or "2=" where it is shared."""
        places: dict[str, str] = {}
        for group in self.groups:
            place = f"{len(places) + 1}{'=' if len(group) > 1 else ''}"
            places |= {row.cell.id: place for row in group if row.cell}
        return places

    def lead(self, best: Row, other: Row) -> Estimate | None:
        """Return the ratio of two ranked rows, the worse one's to the better one's if a cost, else the other way."""
        ratios = self.ratios or {}
        mine, theirs = (ratios.get(row.cell.id) if row.cell else None for row in (best, other))
        if mine is None or theirs is None:
            return None
        return quotient(theirs, mine) if self.by == "cost" else quotient(mine, theirs)


def rank_rows(rows: Sequence[Row], decisions: Decisions) -> Ranking:
    """Rank the rows of one operating point that are decided as most of its rows are: by duets, if there are any."""
    baseline = next((row for row in rows if row.baseline), None)
    decided = {row.cell.id: found for row in rows if row.cell and (found := _verdict(row, decisions))}
    if baseline is None or baseline.cell is None or not decided or unlike(baseline, baseline):
        return Ranking(refused="alone")
    basis, by = _main(list(decided.values()))
    ratios = {cell: found.estimate for cell, found in decided.items() if (found.basis, found.measure) == (basis, by)}
    known = {cell: estimate for cell, estimate in ratios.items() if estimate and estimate.interval}
    if not known:
        return Ranking(basis, by, refused="few")
    known[baseline.cell.id] = ONE
    ranked = [row for row in rows if row.cell and row.cell.id in known]
    ranked.sort(key=lambda row: known[row.cell.id].value * (1 if by == "cost" else -1) if row.cell else 0)
    margin = max(found.rule.margin if found.rule else 0 for cell, found in decided.items() if cell in ratios)
    plain = Ranking(basis, by, ratios=known)
    return Ranking(basis, by, _groups(ranked, plain, margin), "", known)


def _verdict(row: Row, decisions: Decisions) -> Decision | None:
    """Return the decision on a row, if there is a verdict."""
    found = decisions.get(row.cell.id) if row.cell else None
    return found if found and found.judgement else None


def _main(decided: Sequence[Decision]) -> tuple[Design, Measure]:
    """Return by what a table is ranked."""
    groups = [(found.basis, found.measure) for found in decided]
    return min(dict.fromkeys(groups), key=lambda group: (group[0] != "duet", groups.index(group)))


def _groups(ranked: Sequence[Row], ranking: Ranking, margin: float) -> tuple[tuple[Row, ...], ...]:
    by_id = {row.cell.id: row for row in ranked if row.cell}

    def answer(best: str, name: str) -> Answer:
        ahead = ranking.lead(by_id[best], by_id[name])
        twice = margin > MARGINS[ranking.basis] and not (by_id[best].baseline or by_id[name].baseline)
        return judge(ahead, margin=(1 + margin) ** 2 - 1 if twice else margin).answer if ahead else "not resolved"

    return tuple(tuple(by_id[name] for name in group) for group in tie_groups(list(by_id), answer))
