"""Which table, and which row of it, a card or a badge shows."""

from __future__ import annotations

from collections.abc import Sequence

from reports.claims.headlines import NOTHING
from reports.forms.summary import Summary
from reports.tables.tables import TableModel
from reports.view.rows import Row
from runners.errors import BadInput


def pick_table(runs: Sequence[Summary], name: str) -> tuple[Summary, TableModel]:
    """Return the table of a name, its title or anchor in any case, with its run; without a name the first answer."""
    tables = [(run, table) for run in runs for table in run.tables]
    if name:
        found = [(run, table) for run, table in tables if _plain(name) in _names(table)]
    else:
        found = [(run, table) for run, table in tables if table.answer != NOTHING]
    if found:
        return found[0]
    known = ", ".join(f"'{table.title}'" for _, table in tables) or "none"
    raise BadInput(f"no table {f'is called {name!r}' if name else 'has an answer'}; tables of this report: {known}")


def _names(table: TableModel) -> set[str]:
    return {_plain(table.title), _plain(table.id), _plain(table.id.removeprefix("table-"))}


def pick_row(table: TableModel, name: str) -> Row:
    """Return the row of a name as the table shows it; without a name the first of those that are ranked."""
    if not name:
        if not table.ranking.groups:
            raise BadInput(
                f"no row of '{table.title}' is resolved, so that none can have a badge: {table.answer.short}"
            )
        return table.ranking.groups[0][0]
    for row in table.measurable:
        if _plain(name) in {
            _plain(known) for known in (row.name, row.label, row.shown, row.cell.slug if row.cell else "")
        }:
            return row
    known = ", ".join(f"'{row.name or row.shown}'" for row in table.compared) or "none"
    raise BadInput(f"'{table.title}' has no row {name!r}; its rows: {known}")


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()
