"""Decides who is compared with whom: each family's base, its twin under another name, and the duets. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from runners.errors import BadInput, NothingSelected
from runners.matrix.cells import Cell, Planned, RowKey, matches, parse_row
from runners.matrix.model import Heading, Matrix, Table
from runners.plan.order import Duet


@dataclass(frozen=True)
class Pairing:
    """The cells with the twins among them, the duets, and each family's base by its id."""

    cells: tuple[Planned, ...]
    duets: tuple[Duet, ...]
    bases: Mapping[str, str]


def pair_up(matrix: Matrix, cells: Sequence[Planned], *, twin: bool, duet: tuple[str, str] | None) -> Pairing:
    """Return who is compared with whom; with `duet` (two globs) only these two, and the second with its twin."""
    measured = [planned.cell for planned in cells if planned.status == "planned"]
    if duet is not None:
        return _one_duet(measured, duet)
    bases = family_bases(matrix, measured)
    families = {family: [cell for cell in measured if cell.family == family] for family in bases}
    paired = {family: base for family, base in bases.items() if twin and len(families[family]) > 1}
    duets = tuple(dict.fromkeys(_table_duets(matrix, measured, bases, twin=twin)))
    return Pairing(
        cells=(*cells, *(Planned(twin_of(base), "planned") for base in _twinned(paired.values(), duets))),
        duets=duets,
        bases={family: base.id for family, base in bases.items()} | {item.family: item.base.id for item in duets},
    )


def twin_of(cell: Cell) -> Cell:
    """Return the same cell under another name."""
    return replace(cell, twin=True)


def _twinned(bases: Iterable[Cell], duets: Iterable[Duet]) -> list[Cell]:
    """Return the cells that need a twin, each once."""
    return list(dict.fromkeys((*bases, *(duet.base for duet in duets if duet.row.twin))))


def family_bases(matrix: Matrix, cells: Sequence[Cell]) -> dict[str, Cell]:
    """Return each family's base: the first of its cells in the tables' order, else in the servers' order."""
    bases: dict[str, Cell] = {}
    for table in matrix.table:
        for cell in rows_of(table, cells):
            bases.setdefault(cell.family, cell)
    for cell in cells:
        bases.setdefault(cell.family, cell)
    return bases


def rows_of(table: Table, cells: Sequence[Cell]) -> Iterator[Cell]:
    """Yield the measured cells of a table in the order of its rows."""
    for entry in table.rows:
        if not isinstance(entry, Heading):
            key = parse_row(entry if isinstance(entry, str) else entry.row)
            yield from (cell for cell in cells if cell.mode == table.connection_mode and _is(cell, key))


def _is(cell: Cell, key: RowKey) -> bool:
    return (cell.program.server, cell.program.variant, cell.threads) == (key.server, key.variant, key.threads)


def _table_duets(matrix: Matrix, cells: Sequence[Cell], bases: Mapping[str, Cell], *, twin: bool) -> Iterator[Duet]:
    """Yield for each table of design "duet" every row with the base of its family, and the twin."""
    for table in matrix.table:
        rows: dict[str, list[Cell]] = {}
        for cell in rows_of(table, cells) if table.design == "duet" else ():
            if cell != bases[cell.family]:
                rows.setdefault(cell.family, []).append(cell)
        for family, others in rows.items():
            yield from (Duet(other, bases[family]) for other in others)
            if twin:
                yield Duet(twin_of(bases[family]), bases[family])


def _one_duet(cells: Sequence[Cell], globs: tuple[str, str]) -> Pairing:
    """Pair up the cells of two variants that stand in the same family, each base with its twin as well."""
    rows, bases = (tuple(cell for cell in cells if matches(cell, (glob,))) for glob in globs)
    for glob, found in zip(globs, (rows, bases), strict=True):
        if not found:
            raise NothingSelected(f"'{glob}' matches no cell that can be measured; speedup plan lists them")
    pairs = [Duet(row, base) for base in bases for row in rows if row.family == base.family and row != base]
    if not pairs and globs[0] != globs[1]:
        raise BadInput(f"'{globs[0]}' and '{globs[1]}' share no family (threads, connections, mode)")
    twins = [Duet(twin_of(base), base) for base in dict.fromkeys(pair.base for pair in pairs) or bases]
    duets = (*pairs, *twins)
    members = dict.fromkeys(cell for duet in duets for cell in (duet.base, duet.row))
    return Pairing(
        cells=tuple(Planned(cell, "planned") for cell in members),
        duets=tuple(duets),
        bases={duet.family: duet.base.id for duet in duets},
    )
