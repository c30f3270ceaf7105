"""Decides what is compared with what: each family's baseline, its A/A twin under another name, and the duets. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from runners.errors import BadInput, NothingSelected
from runners.matrix.cells import Cell, Planned, RowKey, matches, parse_row
from runners.matrix.model import Heading, Matrix, Table
from runners.plan.order import Duet


@dataclass(frozen=True)
class Pairing:
    """The cells, including twins, the duets, and the id of each family's baseline."""

    cells: tuple[Planned, ...]
    duets: tuple[Duet, ...]
    baselines: Mapping[str, str]


def pair_up(matrix: Matrix, cells: Sequence[Planned], *, twin: bool, duet: tuple[str, str] | None) -> Pairing:
    """Return what is compared with what; with `duet` (two globs), only these two, and the second with its twin."""
    measured = [planned.cell for planned in cells if planned.status == "planned"]
    if duet is not None:
        return _one_duet(measured, duet)
    baselines = family_baselines(matrix, measured)
    families = {family: [cell for cell in measured if cell.family == family] for family in baselines}
    paired = {family: baseline for family, baseline in baselines.items() if twin and len(families[family]) > 1}
    duets = tuple(dict.fromkeys(_table_duets(matrix, measured, baselines, twin=twin)))
    return Pairing(
        cells=(*cells, *(Planned(twin_of(baseline), "planned") for baseline in _twinned(paired.values(), duets))),
        duets=duets,
        baselines={family: baseline.id for family, baseline in baselines.items()}
        | {item.family: item.baseline.id for item in duets},
    )


def twin_of(cell: Cell) -> Cell:
    """Return the same cell under another name."""
    return replace(cell, twin=True)


def _twinned(baselines: Iterable[Cell], duets: Iterable[Duet]) -> list[Cell]:
    """Return the cells that need a twin, each once."""
    return list(dict.fromkeys((*baselines, *(duet.baseline for duet in duets if duet.row.twin))))


def family_baselines(matrix: Matrix, cells: Sequence[Cell]) -> dict[str, Cell]:
    """Return each family's baseline: its first cell in the order of the tables, or else of the servers."""
    baselines: dict[str, Cell] = {}
    for table in matrix.table:
        for cell in rows_of(table, cells):
            baselines.setdefault(cell.family, cell)
    for cell in cells:
        baselines.setdefault(cell.family, cell)
    return baselines


def rows_of(table: Table, cells: Sequence[Cell]) -> Iterator[Cell]:
    """Yield the measured cells of a table in the order of its rows."""
    for entry in table.rows:
        if not isinstance(entry, Heading):
            key = parse_row(entry if isinstance(entry, str) else entry.row)
            yield from (cell for cell in cells if cell.mode == table.connection_mode and _is(cell, key))


def _is(cell: Cell, key: RowKey) -> bool:
    return (cell.program.server, cell.program.variant, cell.threads) == (key.server, key.variant, key.threads)


def _table_duets(matrix: Matrix, cells: Sequence[Cell], baselines: Mapping[str, Cell], *, twin: bool) -> Iterator[Duet]:
    """Yield, for each table of design "duet", the duet of every row with its family's baseline, and of the twin.

    Where there is such a table, cells that stand in none, as a new variant's, get their duets as well.
    """
    shown = {cell for table in matrix.table for cell in rows_of(table, cells)}
    tables = [list(rows_of(table, cells)) for table in matrix.table if table.design == "duet"]
    rest = [cell for cell in cells if cell not in shown and cell.program.class_ != "historic"]  # never compared
    for entries in (*tables, rest) if tables else ():
        rows: dict[str, list[Cell]] = {}
        for cell in entries:
            if cell != baselines[cell.family]:
                rows.setdefault(cell.family, []).append(cell)
        for family, others in rows.items():
            yield from (Duet(other, baselines[family]) for other in others)
            if twin:
                yield Duet(twin_of(baselines[family]), baselines[family])


def _one_duet(cells: Sequence[Cell], globs: tuple[str, str]) -> Pairing:
    """Pair up the cells of two variants within each family, and each baseline with its twin as well."""
    rows, baselines = (tuple(cell for cell in cells if matches(cell, (glob,))) for glob in globs)
    for glob, found in zip(globs, (rows, baselines), strict=True):
        if not found:
            raise NothingSelected(f"'{glob}' matches no cell that can be measured; `speedup plan` lists them")
    pairs = [
        Duet(row, baseline)
        for baseline in baselines
        for row in rows
        if row.family == baseline.family and row != baseline
    ]
    if not pairs and globs[0] != globs[1]:
        raise BadInput(f"'{globs[0]}' and '{globs[1]}' have no family in common (threads, connections, mode)")
    twins = [
        Duet(twin_of(baseline), baseline) for baseline in dict.fromkeys(pair.baseline for pair in pairs) or baselines
    ]
    duets = (*pairs, *twins)
    members = dict.fromkeys(cell for duet in duets for cell in (duet.baseline, duet.row))
    return Pairing(
        cells=tuple(Planned(cell, "planned") for cell in members),
        duets=tuple(duets),
        baselines={duet.family: duet.baseline.id for duet in duets},
    )
