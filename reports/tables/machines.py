"""The same tables on several machines: a column for each run, and one for published numbers. Pure.

Rates of different machines cannot be compared, but ratios to a baseline can, so every column holds both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from reports.tables.tables import OperatingPoint, TableModel
from reports.view.rows import HeadingRow, Row
from reports.view.view import PublishedNumbers, RunView
from runners.matrix.cells import RowKey
from runners.units import plural

RowIdentity = tuple[str, RowKey | None, OperatingPoint]  # label, what it names, and where if there are several points


@dataclass(frozen=True)
class Column:
    """One machine: its name, and a note with the connections that its rows share, or that it was published."""

    name: str
    note: str
    published: bool = False


@dataclass(frozen=True)
class MachineEntry:
    """A row on one machine: the measured row, or a published rate, and its ratio to the baseline there."""

    row: Row | None = None
    rate: float | None = None
    ratio: float | None = None


@dataclass(frozen=True)
class MachineRow:
    """One row with an entry per column, None if the machine has no such row; `row` is the first with a cell."""

    row: Row
    entries: tuple[MachineEntry | None, ...]


@dataclass(frozen=True)
class MachineTable:
    """One table of the matrix over all machines."""

    id: str
    title: str
    mode: str
    columns: tuple[Column, ...]
    rows: tuple[MachineRow | HeadingRow, ...]


def machine_tables(runs: Sequence[tuple[RunView, Sequence[TableModel]]]) -> tuple[MachineTable, ...]:
    """Return the tables that two or more runs have, in the order of the first run."""
    names = column_names([view for view, _ in runs])
    found: dict[tuple[str, str], dict[int, TableModel]] = {}
    for number, (_, tables) in enumerate(runs):
        for table in tables:
            found.setdefault((table.title, table.mode), {})[number] = table
    several = (of for of in found.values() if len(of) > 1)
    return tuple(_table(of, names, f"machines-{number}") for number, of in enumerate(several, start=1))


def column_names(views: Sequence[RunView]) -> tuple[str, ...]:
    """Return each run's machine, with its load if that differs, and with its time or number if two are the same."""
    several = len({view.load_name for view in views}) > 1
    names = [f"{view.machine_name}, {view.load_name}" if several else view.machine_name for view in views]
    timed = [_distinct(names, name, view.run.started_at or "") for name, view in zip(names, views, strict=True)]
    return tuple(_distinct(timed, name, f"run {number}") for number, name in enumerate(timed, start=1))


def _distinct(names: Sequence[str], name: str, what: str) -> str:
    return f"{name}, {what}" if names.count(name) > 1 and what else name


def _table(of: Mapping[int, TableModel], names: Sequence[str], anchor: str) -> MachineTable:
    published = next((table.published for table in of.values() if table.published), None)
    first = next(iter(of.values()))
    columns = [Column(names[number], _common(table)) for number, table in of.items()]
    several = any(len({row.operating_point for row in table.measured}) > 1 for table in of.values())
    shown = [{_identity(row, several=several): row for row in table.measurable} for table in of.values()]
    rows = (_row(item, shown, published) if not isinstance(item, HeadingRow) else item for item in _items(first, shown))
    return MachineTable(
        id=anchor,
        title=first.title,
        mode=first.mode,
        columns=(*columns, *([Column(published.name, "published", published=True)] if published else [])),
        rows=tuple(_without_empty(rows)),
    )


def _identity(row: Row, *, several: bool) -> RowIdentity:
    """Return by what a row is found on another machine, which may have another number of connections."""
    return row.label, row.key, row.operating_point if several else None


def _common(table: TableModel) -> str:
    counts = {row.cell.connections for row in table.measured if row.cell}
    return plural(next(iter(counts)), "connection") if len(counts) == 1 else ""


def _items(first: TableModel, shown: Sequence[Mapping[RowIdentity, Row]]) -> Iterator[RowIdentity | HeadingRow]:
    """Yield the first table's rows and headings in order, then the rows that only later tables have."""
    names = iter(shown[0])
    yield from (row if isinstance(row, HeadingRow) else next(names) for row in first.rows)
    yield from dict.fromkeys(name for rows in shown[1:] for name in rows if name not in shown[0])


def _row(
    name: RowIdentity, shown: Sequence[Mapping[RowIdentity, Row]], published: PublishedNumbers | None
) -> MachineRow:
    found = [rows.get(name) for rows in shown]
    entries = [_entry(row) if row else None for row in found]
    known = [row for row in found if row]
    if published:
        before = next((row for row in known if row.published is not None), None)
        entries.append(MachineEntry(rate=before.published, ratio=before.published_ratio) if before else None)
    return MachineRow(next((row for row in known if row.cell), known[0]), tuple(entries))


def _entry(row: Row) -> MachineEntry:
    ratio = 1.0 if row.baseline else row.comparison.ratio.value if row.comparison else None
    return MachineEntry(row, row.rps.value if row.rps and row.status == "measured" else None, ratio)


def _without_empty(rows: Iterable[MachineRow | HeadingRow]) -> Iterator[MachineRow | HeadingRow]:
    """Yield the rows with a number on some machine, and the headings above such rows."""
    heading: HeadingRow | None = None
    for row in rows:
        if isinstance(row, HeadingRow):
            heading = row
        elif any(entry and entry.rate is not None for entry in row.entries):
            yield from [heading] if heading else []
            heading = None
            yield row
