"""The form of the document that this project grew from: sections with aligned names, numbers and notes in brackets.

Pure. `text_measured` renders this run's numbers and `text_published` the published ones in the same way, so that a new
block can be pasted over an old one. `render_text` is the whole report in this form.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence

from reports.claims.duets import DuetRow, DuetTable
from reports.forms.summary import Summary, summaries, title_of
from reports.tables.tables import TableModel
from reports.trust.consistency import Consistency
from reports.view.names import cell_name
from reports.view.rows import HeadingRow, Row
from reports.view.view import RunView
from reports.view.words import clean, one_line
from runners.records.run import RunFolder
from runners.units import plural

UNIT = "rqs/s"  # as the document writes it; everywhere else it is req/s
LABEL_WIDTH = 14  # at least, so that short tables line up with each other
NUMBER_WIDTH = 6
PROSE_WIDTH = 79

NumberOf = Callable[[Row], float | None]


def render_text(folders: Sequence[RunFolder]) -> str:
    """Return a report of run folders as text: one document per run, each with its answers and warnings."""
    return "\n\n".join(_report(item) for item in summaries(folders))


def _report(item: Summary) -> str:
    head = _head(item.view)
    after = clean("\n".join(["", *_consistency_lines(item.consistency), ""]), keep="\n")
    if item.published:
        return text_published(item.view, item.tables, head) + after
    measured = text_measured(item.view, item.tables, item.duets, [*head, "", one_line(item.subtitle), *_front(item)])
    beside = text_published(item.view, item.tables, ["# Published numbers"]) if item.view.published else ""
    return measured + after + (f"\n\n{beside}" if beside else "")


def _front(item: Summary) -> Iterator[str]:
    """Yield the answers and the warnings."""
    if item.answers:
        yield from ("", "## Answers", "")
        for title, answer in item.answers:
            yield from _listed(f"{title}: {answer}")
    if item.notices:
        yield from ("", "## Before you read the numbers", "")
        for notice in item.notices:
            yield from _listed(f"{notice.kind}: {notice.text}")


def _consistency_lines(runs: Sequence[Consistency]) -> Iterator[str]:
    """Yield what the rules found in each run's numbers, and which rules lacked data."""
    yield from ("## Consistency", "")
    for run in runs:
        for finding in run.findings:
            yield from _listed(f"{run.source}: {finding.rule.title}: {finding.saw}. What to do: {finding.rule.advice}.")
        if run.nothing:
            yield from _listed(f"{run.source}: {run.nothing}.")
        if run.unchecked:
            yield from _listed(f"{run.source}: no data for {run.unchecked}.")


def _listed(text: str) -> list[str]:
    return textwrap.wrap(
        one_line(text), PROSE_WIDTH, initial_indent="- ", subsequent_indent="  ", break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


def text_measured(
    view: RunView, tables: Sequence[TableModel], duets: DuetTable | None = None, head: Sequence[str] | None = None
) -> str:
    """Return the document with the numbers of this run; a row without a number shows a dash and its status.

    `head` replaces title and introduction.
    """

    def lead(table: TableModel) -> Iterator[str]:
        if table.load_lines:
            yield f"All numbers on {one_line(view.machine_name)}:"
            yield ""
            yield from dict.fromkeys(f"    {one_line(line.command)}" for line in table.load_lines)

    lines = _head(view) if head is None else head
    document = _document(lines, tables, lambda row: row.rps.value if row.rps else None, lead, absent=True)
    return document + clean("\n".join(_duet_lines(duets)), keep="\n") if duets else document


def _duet_lines(table: DuetTable) -> Iterator[str]:
    """Yield the pairs: the row, its cost relative to its baseline, and the verdict."""
    yield from (
        "",
        "## Duets",
        "",
        "Server CPU per request, relative to the other, both measured at the same moment:",
        "",
    )
    names = [f"{cell_name(duet.row)} / {cell_name(duet.baseline)}" for duet in table.duets]
    width = max(LABEL_WIDTH, *map(len, map(one_line, names)))
    for name, duet in zip(names, table.duets, strict=True):
        value = f"{duet.ratio.value:.3f}" if duet.ratio else "-"
        yield f"    {one_line(name):{width}} {value:>{NUMBER_WIDTH}} ({_duet_bracket(duet)})"
    yield ""


def _duet_bracket(duet: DuetRow) -> str:
    interval = duet.ratio.interval if duet.ratio else None
    between = [f"{interval.low:.3f}-{interval.high:.3f}"] if interval else []
    judged = duet.judgement.answer if duet.judgement else "not warm" if duet.cold else ""
    answer = "noise floor" if duet.twin else judged
    return ", ".join([*between, plural(duet.ratio.count if duet.ratio else 0, "block"), *([answer] if answer else [])])


def text_published(view: RunView, tables: Sequence[TableModel], head: Sequence[str] | None = None) -> str:
    """Return the document with the published numbers, without rows that were never published."""

    def lead(table: TableModel) -> Iterator[str]:
        if table.published:
            yield f"All numbers on {one_line(table.published.name)}:"
            yield ""
            yield from (f"    {one_line(command)}" for command in table.published.load_commands)

    shown = [table for table in tables if any(row.published is not None for row in table.measurable)]
    return _document(_head(view) if head is None else head, shown, lambda row: row.published, lead, absent=False)


def _head(view: RunView) -> list[str]:
    """Return title and introduction."""
    suite = view.matrix.suite if view.matrix else None
    lines = [f"# {one_line(title_of(view))}"]
    return [*lines, "", *_wrapped(suite.introduction)] if suite and suite.introduction else lines


def _document(
    head: Sequence[str],
    tables: Sequence[TableModel],
    value: NumberOf,
    lead: Callable[[TableModel], Iterator[str]],
    *,
    absent: bool,
) -> str:
    lines, before = list(head), list[str]()
    for table in tables:
        lines += ["", f"## {one_line(table.title)}"]
        for paragraph in table.text:
            lines += ["", *_wrapped(paragraph)]
        above = list(lead(table))
        if above and above != before:
            lines += ["", *above]
            before = above
        lines += ["", *_table_lines(table.rows, value, absent=absent)]
    return clean("\n".join(lines), keep="\n") + "\n"


def _wrapped(paragraph: str) -> list[str]:
    return textwrap.wrap(one_line(paragraph), PROSE_WIDTH, break_long_words=False, break_on_hyphens=False)


def _table_lines(rows: Sequence[Row | HeadingRow], value: NumberOf, *, absent: bool) -> Iterator[str]:
    """Yield the header and the rows: names on the left, numbers on the right, notes in brackets behind them."""
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
    if value is None or (limits and row.status == "noisy"):
        parts.append(row.status)
    elif limits:
        parts += ["shared CPUs"] if row.shared else []
        parts += ["at least: limited by the load generator"] if row.client_bound else []
    return f" ({', '.join(parts)})" if parts else ""
