"""Checks that rules match something, and that servers and rows have thread counts that are measured somewhere. Pure.

A rule or a row may be meant for one machine only, so what counts is the whole matrix, over all machine profiles.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase

from runners.matrix.cells import Cell, RowKey, expand, matches, parse_row, programs, variant_name
from runners.matrix.inheritance import inherits
from runners.matrix.mistakes.problems import Path_, Problem, closest
from runners.matrix.model import MODES, Heading, Matrix, Mode, Server, Table, Variant, variants_of
from runners.units import plural

OTHERS = "an [[include]] rule adds other thread counts"


def unreachable(matrix: Matrix) -> Iterator[Problem]:
    """Yield rules that match nothing, and servers and rows that are measured on no machine."""
    reach = _reach_of(matrix)
    yield from _idle_exclusions(matrix, reach)
    yield from _idle_additions(matrix, reach)
    yield from _unmeasured(matrix, reach)
    for index, table in enumerate(matrix.table):
        for position, key in _keys(table):
            yield from _unmeasured_row(("table", index, "rows", position), key, table, reach)


@dataclass(frozen=True)
class Reach:
    """What a matrix can measure: its cells on all machines, and the thread counts that each variant supports.

    `points` has the thread counts and modes with which each server or variant is measured somewhere.
    """

    cells: tuple[Cell, ...]
    limits: Mapping[str, tuple[int, ...] | None]
    points: Mapping[str, set[tuple[int, Mode]]]


def _reach_of(matrix: Matrix) -> Reach:
    """Return what a matrix can measure, in both modes and for all requests, even if not all are chosen."""
    mixes = [name for name, mix in matrix.mix.items() if set(mix.requests) <= matrix.request.keys()]
    suite = matrix.suite.model_copy(update={"modes": MODES, "requests": (*matrix.request, *mixes)})
    whole = matrix.model_copy(update={"suite": suite, "exclude": (), "mix": {name: matrix.mix[name] for name in mixes}})
    preset = next(iter(matrix.preset.values()))
    cells = tuple(planned.cell for machine in matrix.machine for planned in expand(whole, machine, preset, "wrk"))
    points: dict[str, set[tuple[int, Mode]]] = {}
    for cell in cells:
        points.setdefault(cell.name, set()).add((cell.threads, cell.mode))
    return Reach(cells, {program.name: limits for program, limits in programs(matrix)}, points)


def _idle_exclusions(matrix: Matrix, reach: Reach) -> Iterator[Problem]:
    """Yield globs that match no cell; one with a hash may match a cell of other sources."""
    for index, rule in enumerate(matrix.exclude):
        for path, glob in _globs(("exclude", index, "cells"), rule.cells):
            if "#" not in glob and not any(matches(cell, (glob,)) for cell in reach.cells):
                yield Problem(path, f"'{glob}' matches no cell", _cell_meant(glob, reach))


def _idle_additions(matrix: Matrix, reach: Reach) -> Iterator[Problem]:
    for index, rule in enumerate(matrix.include):
        for path, glob in _globs(("include", index, "variants"), rule.variants):
            if not any(fnmatchcase(name, glob) for name in reach.limits):
                hint = closest(glob, reach.limits) or f"variants are {', '.join(reach.limits)}"
                yield Problem(path, f"'{glob}' matches no variant", hint)


def _globs(path: Path_, written: str | Sequence[str]) -> Iterator[tuple[Path_, str]]:
    """Yield each glob with its place; a single one may be written without a list."""
    if isinstance(written, str):
        yield path, written
    else:
        yield from (((*path, position), glob) for position, glob in enumerate(written))


def _cell_meant(glob: str, reach: Reach) -> str | None:
    """Return the glob with the name that may have been meant, or else what a cell looks like."""
    name, slash, rest = glob.partition("/")
    known = any(fnmatchcase(each, name) for each in reach.limits)
    near = None if known else closest(name, reach.limits)
    if near is not None:
        return near.replace("'?", f"{slash}{rest}'?")
    return f"a cell is {reach.cells[0].slug}" if reach.cells else None


def _unmeasured(matrix: Matrix, reach: Reach) -> Iterator[Problem]:
    """Yield the `threads` that keep a server or variant from being measured on any machine."""
    servers, variants = matrix.server, variants_of(matrix.server)
    for name, server in servers.items():
        if not inherits(server, servers, "threads"):
            yield from _never(("server", name), name, server, reach)
        for key, variant in server.variant.items():
            if not inherits(variant, variants, "threads"):
                yield from _never(("server", name, "variant", key), variant_name(name, key), variant, reach)


def _never(path: Path_, name: str, limited: Server | Variant, reach: Reach) -> Iterator[Problem]:
    if limited.threads is not None and name not in reach.points:
        yield Problem((*path, "threads"), f"no machine profile has any of the 'threads' of '{name}'", OTHERS)


def _keys(table: Table) -> Iterator[tuple[int, RowKey]]:
    """Yield what each row refers to, with its position; what is not a row is reported elsewhere."""
    for position, entry in enumerate(table.rows):
        if not isinstance(entry, Heading):
            with suppress(ValueError):
                yield position, parse_row(entry if isinstance(entry, str) else entry.row)


def _unmeasured_row(path: Path_, key: RowKey, table: Table, reach: Reach) -> Iterator[Problem]:
    """Yield a row whose thread count no machine measures; published numbers may have it, if the server does."""
    name = variant_name(key.server, key.variant)
    limits = reach.limits.get(name)
    counts = sorted(count for count, mode in reach.points.get(name, ()) if mode == table.connection_mode)
    only_published = table.published is not None and (limits is None or key.threads in limits)
    if counts and key.threads not in counts and not only_published:
        measured = f"it is measured with {', '.join(map(str, counts))}; {OTHERS}"
        yield Problem(path, f"no machine measures '{name}' with {plural(key.threads, 'thread')}", measured)
