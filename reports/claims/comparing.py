"""Rows against rows: ratios paired by block, what they allow to say, and ranks in which ties share a place.

Pure. Rates rank rows only where the server was the limit. Where the load generator was, or both sides shared CPUs, the
server's CPU time per request ranks them. Where the twin differs from its original, nothing is ranked (check V23).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reports.view.families import Family, Measure, gate
from reports.view.rows import FIGURES, Comparison, Row
from runners.stats.statistics import (
    Answer,
    Estimate,
    Judgement,
    attainable_level,
    family_level,
    judge,
    judge_cost,
    ratio,
    tie_groups,
)

Families = Mapping[str, Family]
VALUES = dict(zip(("rate", "cost", "client", "machine"), FIGURES, strict=True))


@dataclass(frozen=True)
class Ranking:
    """Groups of rows that are not resolved from each other, the best group first; `refused` says why there are none."""

    by: Measure = "rate"
    groups: tuple[tuple[Row, ...], ...] = ()
    refused: str = ""

    @property
    def places(self) -> dict[str, str]:
        """Return each ranked cell's place: "1", or "2=" where it is shared."""
        places: dict[str, str] = {}
        for group in self.groups:
            place = f"{len(places) + 1}{'=' if len(group) > 1 else ''}"
            places |= {row.cell.id: place for row in group if row.cell}
        return places


def compare(row: Row, baseline: Row, comparisons: int, families: Families, *, whole: bool = True) -> Comparison:
    """Return the ratios of two measured rows, one of so many comparisons of a table.

    Unless `whole`, the ratios of the load generator's and the machine's CPU time are left out.
    """
    estimate = paired(row, baseline, "rate", comparisons) or _of_medians(row, baseline)
    cost = paired(row, baseline, "cost", comparisons)
    judgement = judge(estimate)
    unranked = _unranked(row, baseline, judgement) or _gate((row, baseline), "rate", families)
    no_cost = _unlike(row, baseline) or _gate((row, baseline), "cost", families)
    return Comparison(
        ratio=estimate,
        judgement=None if unranked else judgement,
        unranked=unranked,
        cost=cost,
        cost_judgement=judge_cost(cost) if cost and not no_cost else None,
        cost_unranked=no_cost,
        client=paired(row, baseline, "client", comparisons) if whole else None,
        machine=paired(row, baseline, "machine", comparisons) if whole else None,
        block_s=_block_s(row, families),
    )


def _block_s(row: Row, families: Families) -> float | None:
    family = families.get(row.cell.family) if row.cell else None
    return family.block_s if family else None


def paired(row: Row, baseline: Row, value: str, comparisons: int) -> Estimate | None:
    """Return the ratio over the blocks that both rows have; None without such blocks."""
    mine, theirs = row.by_block[VALUES[value]], baseline.by_block[VALUES[value]]
    logs = [math.log(mine[block] / theirs[block]) for block in mine if block in theirs]
    return ratio(logs, attainable_level(len(logs), family_level(comparisons))) if logs else None


def _of_medians(row: Row, baseline: Row) -> Estimate:
    """Return the ratio of the medians: without a block in common there is no better one."""
    return Estimate(row.rps.value / baseline.rps.value if row.rps and baseline.rps else math.nan, 0)


def _gate(rows: Sequence[Row], measure: Measure, families: Families) -> str:
    return gate([families.get(row.cell.family) for row in rows if row.cell], measure)


def _unlike(row: Row, baseline: Row) -> str:
    """Return why two rows are never compared, whatever their numbers; empty if they can be."""
    if "historic" in row.tags or "historic" in baseline.tags:
        return "historic: shown, never ranked"
    for each in (row, baseline):
        if each.broken:
            return f"not ranked: its class promises {', '.join(each.broken)}, which {each.name} fails"
    if row.shared != baseline.shared:
        return "only one of the two shared CPUs with the load generator"
    return ""


def _unranked(row: Row, baseline: Row, judgement: Judgement) -> str:
    """Return why no verdict follows from a ratio of rates; empty if one does."""
    if unlike := _unlike(row, baseline):
        return unlike
    if row.client_bound and baseline.client_bound:
        return "the load generator limited both"
    if row.client_bound and judgement.answer != "faster":
        return "limited by the load generator: a lower bound"
    if baseline.client_bound and judgement.answer != "slower":
        return "the baseline was limited by the load generator: an upper bound"
    return ""


def rank_rows(rows: Sequence[Row], families: Families) -> Ranking:
    """Rank the measured rows that can be compared with the table's baseline, by rate or by the server's CPU time."""
    baseline = next((row for row in rows if row.baseline), None)
    pool = [
        row
        for row in rows
        if baseline and row.operating_point == baseline.operating_point and not _unlike(row, baseline)
    ]
    if baseline is None or len(pool) < 2:
        return Ranking(refused="alone")
    by: Measure = "cost" if baseline.shared or any(row.client_bound for row in pool) else "rate"
    if refused := _gate([baseline], by, families):
        return Ranking(by, refused=refused)
    ranked = [row for row in pool if _figure(row, by).interval and not _gate([row], by, families)]
    if len(ranked) < 2:
        return Ranking(by, refused="few")
    ranked.sort(key=lambda row: _figure(row, by).value * (1 if by == "cost" else -1))
    return Ranking(by, _groups(ranked, by))


def _figure(row: Row, by: Measure) -> Estimate:
    """Return what a row is ranked by; an unknown value has no interval."""
    return (row.rps if by == "rate" else row.costs.server) or Estimate(math.nan, 0)


def _groups(ranked: Sequence[Row], by: Measure) -> tuple[tuple[Row, ...], ...]:
    by_id = {row.cell.id: row for row in ranked if row.cell}

    def answer(best: str, name: str) -> Answer:
        estimate = lead(by_id[best], by_id[name], by, len(ranked) - 1)
        return judge(estimate).answer if estimate else "not resolved"

    return tuple(tuple(by_id[name] for name in group) for group in tie_groups(list(by_id), answer))


def lead(best: Row, other: Row, by: Measure, comparisons: int) -> Estimate | None:
    """Return by how much one row is ahead of another: above 1 it answers more, or costs less."""
    return paired(best, other, "rate", comparisons) if by == "rate" else paired(other, best, "cost", comparisons)
