"""Persistent and non-persistent connections side by side: what opening a connection per request costs. Pure.

Both modes of a block were measured in the same round of the run, so their ratio is taken block by block, with an
interval if there are enough blocks. There is no verdict: the two modes are different work.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reports.claims.comparing import paired
from reports.tables.tables import joint_note
from reports.view.names import differences
from reports.view.rows import Row, cell_row
from reports.view.view import CellKey, RunView
from runners.records.run import CellInfo
from runners.stats.statistics import Estimate

KEPT, CLOSED = "persistent", "non-persistent"


@dataclass(frozen=True)
class ModeRow:
    """One variant in both modes, and non-persistent / persistent: of the rate, and of the server's CPU time.

    `limit` says why the ratio of rates is only a bound; `published` is the ratio of the published rates.
    """

    kept: Row
    closed: Row
    ratio: Estimate | None
    cost: Estimate | None
    limit: str
    published: float | None

    @property
    def connection_us(self) -> float | None:
        """Return what a connection of its own adds to a request, of the medians, in microseconds of server CPU."""
        costs = self.kept.costs.server, self.closed.costs.server
        return costs[1].value - costs[0].value if costs[0] and costs[1] else None


@dataclass(frozen=True)
class ModeTable:
    """Every variant that was planned in both modes and measured in at least one, in the order of the plan."""

    rows: tuple[ModeRow, ...]
    level_note: str

    @property
    def both(self) -> tuple[ModeRow, ...]:
        """Return the rows that were measured in both modes."""
        return tuple(row for row in self.rows if _known(row.kept) and _known(row.closed))

    @property
    def one(self) -> tuple[ModeRow, ...]:
        """Return the rows that were measured in one mode only."""
        return tuple(row for row in self.rows if row not in self.both)


def mode_table(view: RunView) -> ModeTable | None:
    """Return the modes side by side; None if nothing was planned in both."""
    rows = _rows(view)
    ratios = [row.ratio for row in rows if row.ratio]
    return ModeTable(rows, joint_note(ratios, len(ratios))) if rows else None


def _rows(view: RunView) -> tuple[ModeRow, ...]:
    pairs = list(_pairs(view))
    cells = [kept for kept, _ in pairs]
    rows = [[cell_row(cell, cell.title, differences(pair[0], cells), view) for cell in pair] for pair in pairs]
    both = sum(1 for kept, closed in rows if _known(kept) and _known(closed))
    return tuple(_compared(kept, closed, both, view) for kept, closed in rows if _known(kept) or _known(closed))


def _known(row: Row) -> bool:
    return row.status == "measured"


def _pairs(view: RunView) -> Iterator[tuple[CellInfo, CellInfo]]:
    for (server, variant, threads, mode), cells in view.by_key.items():
        if mode == KEPT:
            others = view.by_key.get((server, variant, threads, CLOSED), ())
            closed = {(cell.connections, cell.load): cell for cell in others}
            yield from ((cell, closed[key]) for cell in cells if (key := (cell.connections, cell.load)) in closed)


def _compared(kept: Row, closed: Row, comparisons: int, view: RunView) -> ModeRow:
    return ModeRow(
        kept=kept,
        closed=closed,
        ratio=paired(closed, kept, "rate", comparisons),
        cost=paired(closed, kept, "cost", comparisons),
        limit=_limit(kept, closed),
        published=_published(kept, view),
    )


def _limit(kept: Row, closed: Row) -> str:
    if kept.client_bound and closed.client_bound:
        return "the load generator limited both"
    if kept.client_bound:
        return "at most: the load generator limited the persistent rate"
    if closed.client_bound:
        return "at least: the load generator limited the non-persistent rate"
    return ""


def _published(row: Row, view: RunView) -> float | None:
    """Return the published ratio, from the first source with both numbers."""
    if row.key is None:
        return None
    keys: list[CellKey] = [(row.key.server, row.key.variant, row.key.threads, mode) for mode in (KEPT, CLOSED)]
    for numbers in view.published.values():
        kept, closed = (numbers.requests_per_s.get(key) for key in keys)
        if kept and closed:
            return closed / kept
    return None
