"""The report's tables: rows in the matrix's order with ratios, verdicts, published numbers and what may be said.

Pure: from a view of a run to frozen models, which `text`, `plots` and `html` only have to draw.
"""

from __future__ import annotations

import dataclasses
import math
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from reports.rows import Comparison, HeadingRow, Row, cell_row, named, plural, rows_of
from reports.view import PublishedNumbers, RunView, ok_trials
from runners.cells import parse_row
from runners.matrix import Heading, Table
from runners.records import CellInfo
from runners.statistics import (
    LEVEL,
    Estimate,
    Judgement,
    attainable_level,
    blocks_for_level,
    family_level,
    joint_level,
    judge,
    ratio,
)

Group = tuple[int, str] | None
ByBlock = dict[int, float]  # block -> what was measured in it


@dataclass(frozen=True)
class LoadLine:
    """A load generator's command line, the CPUs of both sides, and how many rows it made."""

    command: str
    cpus: str
    shared: bool
    rows: int


@dataclass(frozen=True)
class TableModel:
    """One table, ready to be drawn in any form; `level_note` says what its ratios' intervals promise."""

    id: str
    title: str
    text: tuple[str, ...]
    mode: str
    rows: tuple[Row | HeadingRow, ...]
    load_lines: tuple[LoadLine, ...]
    published: PublishedNumbers | None
    headline: str
    level_note: str
    other: bool = False

    @property
    def measurable(self) -> tuple[Row, ...]:
        """Return the rows without the headings."""
        return tuple(row for row in self.rows if isinstance(row, Row))

    @property
    def measured(self) -> tuple[Row, ...]:
        """Return the rows that have a number of this run."""
        return tuple(row for row in self.measurable if row.status == "measured")


def build_tables(view: RunView, prefix: str = "") -> tuple[TableModel, ...]:
    """Return the matrix's tables in its order, then one for each mode with the cells that no table names."""
    tables = view.matrix.table if view.matrix else ()
    models = [_table(table, view, f"{prefix}{_anchor(table, number)}") for number, table in enumerate(tables)]
    return (*_unique(models), *_other_tables(view, tables, prefix))


def _table(table: Table, view: RunView, anchor: str) -> TableModel:
    published = view.published.get(table.published) if table.published else None
    rows: list[Row | HeadingRow] = []
    for entry in table.rows:
        if isinstance(entry, Heading):
            rows.append(HeadingRow(entry.heading))
        else:
            rows.extend(rows_of(entry, table.mode, view, published))
    return _finish(
        TableModel(
            id=anchor,
            title=table.section or table.title,
            text=tuple(part.strip() for part in re.split(r"\n\s*\n", table.text) if part.strip()),
            mode=table.mode,
            rows=tuple(rows),
            load_lines=(),
            published=published,
            headline="",
            level_note="",
        )
    )


def _anchor(table: Table, number: int) -> str:
    made = re.sub(r"[^a-z0-9]+", "-", table.title.lower()).strip("-")
    return f"table-{table.id or made or number}"


def _unique(models: Iterable[TableModel]) -> Iterator[TableModel]:
    taken: set[str] = set()
    for number, model in enumerate(models):
        anchor = f"{model.id}-{number}" if model.id in taken else model.id
        taken.add(anchor)
        yield dataclasses.replace(model, id=anchor)


def _other_tables(view: RunView, tables: Sequence[Table], prefix: str) -> Iterator[TableModel]:
    """Yield, for each mode, the cells that were to be measured and that no table names."""
    named = set(_named_keys(tables))
    rest: dict[str, list[CellInfo]] = {}
    for cell in view.cells:
        to_be_measured = cell.status in ("planned", "failed") or cell.id in view.trials
        if to_be_measured and (cell.server, cell.variant, cell.threads, cell.mode) not in named:
            rest.setdefault(cell.mode, []).append(cell)
    for mode, cells in rest.items():
        yield _finish(
            TableModel(
                id=f"{prefix}other-{re.sub(r'[^A-Za-z0-9]+', '-', mode)}",
                title=f"Other cells, {mode} connections",
                text=("Measured, but in no table of the matrix.",),
                mode=mode,
                rows=tuple(cell_row(cell, cell.title, _cell_note(cell, cells), view) for cell in cells),
                load_lines=(),
                published=None,
                headline="",
                level_note="",
                other=True,
            )
        )


def _named_keys(tables: Sequence[Table]) -> Iterator[tuple[str, str | None, int, str]]:
    for table in tables:
        for entry in table.rows:
            if not isinstance(entry, Heading):
                try:
                    key = parse_row(entry if isinstance(entry, str) else entry.row)
                except ValueError:
                    continue
                yield key.server, key.variant, key.threads, table.mode


def _cell_note(cell: CellInfo, cells: Sequence[CellInfo]) -> str:
    parts = [plural(cell.threads, "thread")] if len({other.threads for other in cells}) > 1 else []
    parts += [plural(cell.connections, "connection")] if len({other.connections for other in cells}) > 1 else []
    parts += [cell.load] if len({other.load for other in cells}) > 1 else []
    return ", ".join(parts)


def _finish(model: TableModel) -> TableModel:
    """Add what needs all rows: ratios, command lines, the headline and what the intervals promise."""
    rows, level_note = _compare(model.rows)
    model = dataclasses.replace(model, rows=rows, load_lines=load_lines(rows), level_note=level_note)
    return dataclasses.replace(model, headline=_headline(model))


def _compare(rows: Sequence[Row | HeadingRow]) -> tuple[tuple[Row | HeadingRow, ...], str]:
    """Compare each measured row with the first one that has its connections and load generator."""
    bases: dict[Group, Row] = {}
    for row in rows:
        if isinstance(row, Row) and row.status == "measured":
            bases.setdefault(row.group, row)
    count = sum(1 for row in rows if isinstance(row, Row) and row.status == "measured") - len(bases)
    compared = tuple(_compared(row, bases, count) if isinstance(row, Row) else row for row in rows)
    return compared, _level_note([row for row in compared if isinstance(row, Row)], count)


def _compared(row: Row, bases: dict[Group, Row], comparisons: int) -> Row:
    base = bases.get(row.group) or next(iter(bases.values()), None)
    before = None
    if base is not None and row is not base and row.published and base.published:
        before = row.published / base.published
    if base is None or row.status != "measured":
        return dataclasses.replace(row, published_ratio=before)
    if row is base:
        return dataclasses.replace(row, base=True, published_ratio=1.0 if row.published else None)
    return dataclasses.replace(row, published_ratio=before, comparison=compare(row, base, comparisons))


def compare(row: Row, base: Row, comparisons: int) -> Comparison:
    """Return the ratio of two measured rows, paired by block, as one of so many comparisons of a family."""
    estimate = _paired(_rates(row), _rates(base), comparisons)
    if estimate is None:  # no block in common: only the medians can be set against each other
        top, bottom = row.rps, base.rps
        estimate = Estimate(top.value / bottom.value if top and bottom else math.nan, 0)
    cost = _paired(_costs(row), _costs(base), comparisons)
    judgement = judge(estimate)
    if reason := _unranked(row, base, judgement):
        return Comparison(estimate, None, reason, cost)
    return Comparison(estimate, judgement, cost=cost)


def _paired(mine: ByBlock, theirs: ByBlock, comparisons: int) -> Estimate | None:
    """Return the ratio over the blocks that both have; None without such blocks."""
    logs = [math.log(mine[block] / theirs[block]) for block in mine if block in theirs]
    return ratio(logs, attainable_level(len(logs), family_level(comparisons))) if logs else None


def _rates(row: Row) -> ByBlock:
    trials = ((trial.block, trial.requests_per_s) for trial in ok_trials(row.trials))
    return {block: rate for block, rate in trials if block is not None and rate}


def _costs(row: Row) -> ByBlock:
    trials = ((trial.block, trial.server_cpu_us_per_request) for trial in ok_trials(row.trials))
    return {block: cost for block, cost in trials if block is not None and cost}


def _unranked(row: Row, base: Row, judgement: Judgement) -> str:
    """Return why no verdict follows from a ratio, in the row's words; empty where one does."""
    if "historic" in row.tags or "historic" in base.tags:
        return "historic: shown, never ranked"
    if row.shared != base.shared:
        return "only one of the two shared CPUs with the load generator"
    if row.client_bound and base.client_bound:
        return "the load generator was the limit of both"
    if row.client_bound and judgement.answer != "faster":
        return "the load generator was the limit: a lower bound"
    if base.client_bound and judgement.answer != "slower":
        return "the load generator was the base's limit: an upper bound"
    return ""


def _level_note(rows: Sequence[Row], comparisons: int) -> str:
    """Return with what level the intervals of a table's ratios hold."""
    intervals = [row.comparison.ratio.interval for row in rows if row.comparison and row.comparison.ratio.interval]
    if not intervals:
        few = any(row.comparison for row in rows)
        return "Fewer than six blocks in common: ratios without intervals, and so without verdicts." if few else ""
    wanted = family_level(comparisons)
    lowest = min(interval.level for interval in intervals)
    if lowest >= wanted:
        together = "" if comparisons == 1 else f" for all {comparisons} ratios of this table together"
        return f"Intervals of ratios: at least {_percent(LEVEL)}{together}."
    return (
        f"Intervals of ratios: {_percent(lowest)} for each; that all {comparisons} hold together is only sure with"
        f" {_percent(joint_level(comparisons, lowest))}. {blocks_for_level(wanted)} blocks would give"
        f" {_percent(LEVEL)} together."
    )


def _percent(level: float) -> str:
    return f"{level * 100:.3g} %"


def load_lines(rows: Iterable[Row | HeadingRow]) -> tuple[LoadLine, ...]:
    """Return each distinct command line of the load generator with its CPUs, in the order of the rows."""
    found: dict[tuple[str, str, bool], int] = {}
    for row in rows:
        if isinstance(row, Row) and row.cell is not None and (row.status == "measured" or row.trials):
            command = _load_command(row)
            if command:
                line = (command, _cpus(row.cell), row.cell.shared)
                found[line] = found.get(line, 0) + 1
    return tuple(LoadLine(*line, rows=count) for line, count in found.items())


def _load_command(row: Row) -> str:
    """Return the command line that loaded a row: the plan's, or what the first trial ran."""
    if row.cell and row.cell.load_command:
        return shlex.join(row.cell.load_command)
    commands = (command for trial in row.trials for command in trial.commands if command.purpose == "load")
    first = next(commands, None)
    return shlex.join(first.argv) if first else ""


def _cpus(cell: CellInfo) -> str:
    if cell.cpus_server is None or cell.cpus_client is None:
        return ""
    if cell.shared:
        return f"server and load share CPUs: {cell.cpus_server} and {cell.cpus_client}"
    return f"server on CPU {cell.cpus_server}, load on CPU {cell.cpus_client}"


def _headline(model: TableModel) -> str:
    """Return one careful sentence: which row answered most, against the base and against the runner-up."""
    measured = model.measured
    if not measured:
        return "nothing measured in this run."
    if len(measured) == 1:
        only = measured[0]
        return f"only {named(only)} measured: {_rate(only)} requests per second{_at_least(only)}."
    base = next(row for row in measured if row.base)
    ranked = sorted(
        (row for row in measured if row.group == base.group and not row.shared and "historic" not in row.tags),
        key=lambda row: -(row.rps.value if row.rps else 0),
    )
    if len(ranked) < 2:
        unranked = f"{len(measured) - len(ranked)} of {len(measured)} measured rows"
        return f"nothing to rank: {unranked} shared CPUs with the load generator."
    best, second = ranked[0], ranked[1]
    return f"{_against(best, base)}{_runner_up(best, second, len(measured) - 1)}."


def _against(best: Row, base: Row) -> str:
    """Return what the best row has over the base, with the interval or the doubt."""
    comparison = best.comparison
    if comparison is None:  # it is the base itself
        return f"{named(best)} answered most requests, {_rate(best)} per second{_at_least(best)}"
    interval = comparison.ratio.interval
    between = f"between {interval.low:.2f} and {interval.high:.2f}" if interval else "no interval: too few blocks"
    if interval and not _is_faster(comparison):
        return f"{named(best)} and {named(base)} cannot be told apart: ratio {comparison.ratio.value:.2f} ({between})"
    times = f"{comparison.ratio.value:.2f} times as many requests as {named(base)} ({between})"
    return f"{named(best)} answered {times}{_at_least(best)}"


def _is_faster(comparison: Comparison) -> bool:
    return comparison.judgement is not None and comparison.judgement.answer == "faster"


def _runner_up(best: Row, second: Row, comparisons: int) -> str:
    """Return whether the best row is really ahead of the next one, where that is not said already."""
    if second.base or (best.comparison and not _is_faster(best.comparison)):
        return ""
    comparison = compare(best, second, comparisons)
    if not comparison.ratio.interval:
        return ""
    if not _is_faster(comparison):
        return f"; it cannot be told from the next, {named(second)}"
    return f"; the next, {named(second)}, is slower by a factor of {comparison.ratio.value:.2f}"


def _rate(row: Row) -> str:
    return f"{row.rps.value:.0f}" if row.rps else "?"


def _at_least(row: Row) -> str:
    return ", at least: the load generator was the limit" if row.client_bound else ""
