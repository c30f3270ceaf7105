"""Rows against rows: ratios of what was measured alone, paired by block. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping

from reports.view.rows import FIGURES, Comparison, Row
from runners.stats.rule import Rule
from runners.stats.statistics import Estimate, attainable_level, family_level, ratio

VALUES = dict(zip(("rate", "cost", "client", "machine"), FIGURES, strict=True))


def compare(row: Row, baseline: Row, rule: Rule, *, whole: bool = True) -> Comparison:
    """Return the ratios of two measured rows, with intervals at the level of the rule.

    Unless `whole`, the ratios of the load generator's and the machine's CPU time are left out.
    """

    def estimate(value: str) -> Estimate | None:
        return rule.estimate(list(solo_logs(row, baseline, value).values()))

    return Comparison(
        ratio=estimate("rate") or _of_medians(row, baseline),
        cost=estimate("cost"),
        client=estimate("client") if whole else None,
        machine=estimate("machine") if whole else None,
    )


def solo_logs(row: Row, baseline: Row, value: str) -> Mapping[int, float]:
    """Return the log ratio in each block that both rows have."""
    mine, theirs = row.by_block[VALUES[value]], baseline.by_block[VALUES[value]]
    return {block: math.log(mine[block] / theirs[block]) for block in mine if block in theirs}


def paired(row: Row, baseline: Row, value: str, comparisons: int) -> Estimate | None:
    """Return the ratio over the blocks that both rows have, at the highest level that they give; None without any.

    For figures beside which no verdict stands; the level is said with them.
    """
    logs = list(solo_logs(row, baseline, value).values())
    return ratio(logs, attainable_level(len(logs), family_level(comparisons))) if logs else None


def _of_medians(row: Row, baseline: Row) -> Estimate:
    """Return the ratio of the medians: without a block in common there is no better one."""
    return Estimate(row.rps.value / baseline.rps.value if row.rps and baseline.rps else math.nan, 0)
