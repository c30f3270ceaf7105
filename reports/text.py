"""The document's own form: a title, sections, and aligned names and numbers with notes in brackets.

Pure. `text_measured` renders this run's numbers, `text_published` the published ones in the same way, so that a
new block can be pasted over an old one.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence

from reports.clean import clean
from reports.duets import Duet, DuetTable, cell_name
from reports.rows import HeadingRow, Row, one_line, plural
from reports.tables import TableModel
from reports.view import RunView

UNIT = "rqs/s"
LABEL_WIDTH = 14  # at least, so that short tables line up with each other
NUMBER_WIDTH = 6
PROSE_WIDTH = 79

Value = Callable[[Row], float | None]


def text_measured(view: RunView, tables: Sequence[TableModel], duets: DuetTable | None = None) -> str:
    """Return the document with the numbers of this run; a row that was not measured shows a dash and why."""

    def lead(table: TableModel) -> Iterator[str]:
        if table.load_lines:
            yield f"All numbers on {one_line(view.machine_name)}:"
            yield ""
            yield from dict.fromkeys(f"    {line.command}" for line in table.load_lines)

    document = _document(view, tables, lambda row: row.rps.value if row.rps else None, lead, absent=True)
    return document + clean("\n".join(_duet_lines(duets)), keep="\n") if duets else document


def _duet_lines(table: DuetTable) -> Iterator[str]:
    """Yield the pairs: the row, what it costs in times its base, and what may be said from that."""
    yield from ("", "## Duets", "", "Server CPU per request, both at the same moment:", "")
    names = [f"{cell_name(duet.row)} / {cell_name(duet.base)}" for duet in table.duets]
    width = max(LABEL_WIDTH, *map(len, map(one_line, names)))
    for name, duet in zip(names, table.duets, strict=True):
        value = f"{duet.ratio.value:.3f}" if duet.ratio else "-"
        yield f"    {one_line(name):{width}} {value:>{NUMBER_WIDTH}} ({_duet_bracket(duet)})"
    yield ""


def _duet_bracket(duet: Duet) -> str:
    interval = duet.ratio.interval if duet.ratio else None
    between = [f"{interval.low:.3f}-{interval.high:.3f}"] if interval else []
    answer = "noise floor" if duet.twin else duet.unranked or (duet.judgement.answer if duet.judgement else "")
    return ", ".join([*between, plural(duet.ratio.count if duet.ratio else 0, "block"), *([answer] if answer else [])])


def text_published(view: RunView, tables: Sequence[TableModel]) -> str:
    """Return the document with the published numbers; rows that were never published are left out."""

    def lead(table: TableModel) -> Iterator[str]:
        if table.published:
            yield f"All numbers on {one_line(table.published.name)}:"
            yield ""
            yield from (f"    {one_line(command)}" for command in table.published.load_commands)

    shown = [table for table in tables if any(row.published is not None for row in table.measurable)]
    return _document(view, shown, lambda row: row.published, lead, absent=False)


def _document(
    view: RunView,
    tables: Sequence[TableModel],
    value: Value,
    lead: Callable[[TableModel], Iterator[str]],
    *,
    absent: bool,
) -> str:
    suite = view.matrix.suite if view.matrix else None
    lines = [f"# {one_line(suite.title)}" if suite else "# HTTP speedup"]
    if suite and suite.introduction:
        lines += ["", *_wrapped(suite.introduction)]
    said: list[str] = []
    for table in tables:
        lines += ["", f"## {one_line(table.title)}"]
        for paragraph in table.text:
            lines += ["", *_wrapped(paragraph)]
        above = list(lead(table))
        if above and above != said:
            lines += ["", *above]
            said = above
        lines += ["", *_table_lines(table.rows, value, absent=absent)]
    return clean("\n".join(lines), keep="\n") + "\n"


def _wrapped(paragraph: str) -> list[str]:
    return textwrap.wrap(one_line(paragraph), PROSE_WIDTH, break_long_words=False, break_on_hyphens=False)


def _table_lines(rows: Sequence[Row | HeadingRow], value: Value, *, absent: bool) -> Iterator[str]:
    """Yield the header and the rows: names to the left, numbers to the right, notes in brackets behind."""
    shown = [row for row in rows if isinstance(row, HeadingRow) or absent or value(row) is not None]
    labels = [one_line(row.label) for row in shown if isinstance(row, Row)]
    numbers = [_number(value(row)) for row in shown if isinstance(row, Row)]
    width = max(LABEL_WIDTH, *map(len, labels)) if labels else LABEL_WIDTH
    digits = max(NUMBER_WIDTH, *map(len, numbers)) if numbers else NUMBER_WIDTH
    yield f"    {'':{width}} {UNIT:>{digits}}"
    for number, row in enumerate(shown):
        if isinstance(row, Row):
            note = _bracket(row, value(row), limits=absent)
            yield f"    {one_line(row.label):{width}} {_number(value(row)):>{digits}}{note}"
        elif number + 1 < len(shown) and isinstance(shown[number + 1], Row):
            yield from ([""] if number else [])
            yield f"    {one_line(row.title)}:"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def _bracket(row: Row, value: float | None, *, limits: bool) -> str:
    parts = [one_line(row.note)] if row.note else []
    if value is None:
        parts.append(row.status)
    elif limits:
        parts += ["shared CPUs"] if row.shared else []
        parts += ["at least: limited by the load"] if row.client_bound else []
    return f" ({', '.join(parts)})" if parts else ""
