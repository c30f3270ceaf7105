"""The report as GitHub-flavoured Markdown, short enough for a pull request: answers first, then tables.

Pure. Whatever a run folder contains is shown as text: nothing in it becomes a link, a mention, an element or a column.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence

from reports.claims.deciding import Decision
from reports.claims.duets import DuetRow, DuetTable
from reports.claims.paced import PERCENTILES, PacedRow, PacedTable
from reports.forms.summary import Summary, summaries
from reports.tables.tables import TableModel
from reports.trust.consistency import Consistency
from reports.view.names import cell_name
from reports.view.rows import HeadingRow, Row
from reports.view.words import clean, digits, needs, one_line
from runners.records.run import RunFolder
from runners.stats.statistics import Estimate, Judgement

UNKNOWN = "\u2013"  # an en dash
WORDS = ("row", "cell", "against", "verdict", "decided by", "fact", "value")  # columns of text, not of numbers
MEASURED = (
    "row", "rank", "verdict", "decided by", "its ratio", "its interval", "req/s", "interval", "ratio of req/s",
    "server CPU µs/request", "RSS MiB",
)  # fmt: skip
_SPECIAL = re.compile(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])|^[-+=#]")
_LINKS = re.compile(r"(?<=@)(?=\w)|(?<=#)(?=\d)|(?<=:)(?=//|[a-z_+-][\w+-]*:)|(?<=\bwww)(?=\.)", re.IGNORECASE)
_NOTHING = "<!-- -->"  # goes between characters that GitHub would make a link or a mention of

Cells = tuple[str, ...]


def render_markdown(folders: Sequence[RunFolder]) -> str:
    """Return a report of run folders as Markdown, one run after another."""
    return "\n".join("\n".join(_report(item)) + "\n" for item in summaries(folders))


def escaped(text: str) -> str:
    """Return text on one line, escaped so that Markdown shows it as it is."""
    words = clean(one_line(text), keep="")
    words = words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    marked = _SPECIAL.sub(lambda match: f"\\{match[0]}", _LINKS.sub("\0", words))
    return re.sub(r"^(\d+)([.)])(?!\S)", r"\1\\\2", marked).replace("\0", _NOTHING)


def code(text: str) -> str:
    """Return text as inline code; the fence is longer than any run of backticks in it."""
    words = clean(one_line(text), keep="")
    fence = "`" * (_longest_run(words) + 1)
    space = " " if words.startswith("`") or words.endswith("`") or not words else ""
    return f"{fence}{space}{words}{space}{fence}"


def _block(text: str) -> Iterator[str]:
    words = clean(text)
    fence = "`" * max(3, _longest_run(words) + 1)
    yield from (fence, words, fence)


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


def _report(item: Summary) -> Iterator[str]:
    yield from (f"# {escaped(item.title)}", "", escaped(item.subtitle))
    for notice in item.notices:
        yield from ("", f"> **{notice.kind.capitalize()}:** {escaped(notice.text)}")
    if item.published:
        yield from ("", "Nothing was measured here: these numbers were published by others.")
    for table in item.tables:
        yield from _table(table, measured=not item.published)
    if item.duets:
        yield from _duets(item.duets)
    for paced in item.paced:
        yield from _paced(paced)
    yield from _consistency(item.consistency)
    yield from _environment(item)


def _table(table: TableModel, *, measured: bool) -> Iterator[str]:
    """Yield a table below its answer; the last columns are published numbers."""
    then = [row for row in table.measurable if row.published is not None]
    if not measured and not then:
        return
    yield from ("", f"## {escaped(table.title)}", "")
    if measured:
        yield from (f"**{escaped(table.headline)}**", "")
    columns = [*(MEASURED if measured else ["row"]), *(_published_columns(table) if then else [])]
    kept = [row for row in table.rows if measured or isinstance(row, HeadingRow) or row.published is not None]
    shown = [row for row, after in zip(kept, (*kept[1:], None), strict=True) if _is_shown(row, after)]
    yield from _grid(columns, [_cells(row, table, measured=measured, then=bool(then)) for row in shown])
    yield from _under(table) if measured else ()


def _is_shown(row: Row | HeadingRow, after: Row | HeadingRow | None) -> bool:
    """Return whether a row is shown: a heading only above a row."""
    return isinstance(row, Row) or isinstance(after, Row)


def _published_columns(table: TableModel) -> list[str]:
    name = escaped(table.published.name) if table.published else ""
    return [f"req/s, {name}", f"ratio, {name}"]


def _cells(row: Row | HeadingRow, table: TableModel, *, measured: bool, then: bool) -> Cells:
    if isinstance(row, HeadingRow):
        return (f"*{escaped(row.title)}*",)
    compared = row.status == "measured" or table.is_compared(row)
    numbers = (_measured(row, table) if compared else _absent(row)) if measured else ()
    before = (_whole(row.published), _decimals(row.published_ratio)) if then else ()
    unmeasured = f" *{row.status} alone: {escaped(row.reason)}*" if compared and row.status != "measured" else ""
    return (f"{_label(row)}{unmeasured}", *numbers, *before)


def _label(row: Row) -> str:
    tags = f" *{escaped(', '.join(row.tags))}*" if row.tags else ""
    return f"{escaped(row.shown)}{tags}"


def _absent(row: Row) -> Cells:
    reason = f": {escaped(row.reason)}" if row.reason else ""
    rate = _whole(row.rps.value) if row.rps else UNKNOWN
    return ("", f"**{row.status}**{reason}", "", "", "", rate, "", "", "", "")


def _measured(row: Row, table: TableModel) -> Cells:
    to, cost = row.comparison, row.costs.server
    return (
        table.places.get(row.cell.id, "") if row.cell else "",
        *(("baseline", "", "1.00", "") if row.baseline else _decided(table.decision(row))),
        f"**{_whole(row.rps.value if row.rps else None)}**",
        _spread(row),
        "1.00" if row.baseline else _ratio(to.ratio if to else None),
        _decimals(cost.value, 1) if cost else UNKNOWN,
        _decimals(row.costs.rss_bytes / 2**20, 1) if row.costs.rss_bytes is not None else UNKNOWN,
    )


def _decided(found: Decision | None) -> Cells:
    """Return the verdict, by what, its ratio and that ratio's interval."""
    if found is None:
        return ("", "", "", "")
    if found.judgement is None:
        return (escaped(": ".join(found.unsaid)), "", "", "")
    disagrees = f"; disagrees: {escaped(found.disagrees)}" if found.disagrees else ""
    places = 3 if found.basis == "duet" else None
    verdict = f"{_verdict(found.judgement, found.needs)}{disagrees}"
    return (verdict, found.by, _ratio(found.estimate, places), _between(found.estimate, places))


def _spread(row: Row) -> str:
    if row.rps is None or row.spread is None or row.rps.count < 2:
        return "one trial"
    words = f"{row.spread[0]:.0f}{UNKNOWN}{row.spread[1]:.0f}"
    return words if row.rps.interval else f"min{UNKNOWN}max {words}"


def _verdict(judgement: Judgement | None, wanted: str) -> str:
    return f"**{judgement.answer}**{f'; {wanted}' if wanted else ''}" if judgement else ""


def _under(table: TableModel) -> Iterator[str]:
    """Yield the notes below a table: its baseline, the intervals' level, trials that do not count, and the load."""
    baseline = [escaped(row.shown) for row in table.compared if row.baseline]
    if baseline:
        yield from ("", f"Baseline: {', '.join(baseline)}. {escaped(table.level_note)}".rstrip())
    notes = [f"{escaped(row.label)}: {escaped(row.trials_note)}" for row in table.measured if row.trials_note]
    yield from (line for note in notes for line in ("", note))
    for command in dict.fromkeys(line.command for line in table.load_lines):
        yield from ("", f"Load: {code(command)}")


def _duets(table: DuetTable) -> Iterator[str]:
    yield from ("", "## Duets", "", f"**{escaped(table.headline)}**", "")
    costs = ["row: server CPU µs/request", "against: server CPU µs/request"]
    columns = ["row", "against", *costs, "ratio", "interval of ratio", "verdict", "blocks"]
    yield from _grid(columns, [_duet(duet) for duet in table.duets])


def _duet(duet: DuetRow) -> Cells:
    costs = (_decimals(cost.value, 2) if cost else UNKNOWN for cost in (duet.row_cost, duet.baseline_cost))
    wanted = needs(duet.judgement, duet.block_s)
    verdict = "noise floor" if duet.twin else duet.cold or _verdict(duet.judgement, wanted)
    count = str(duet.ratio.count if duet.ratio else 0)
    names = escaped(cell_name(duet.row)), escaped(cell_name(duet.baseline))
    return (*names, *costs, _ratio(duet.ratio, 3), _between(duet.ratio, 3), verdict, count)


def _paced(table: PacedTable) -> Iterator[str]:
    yield from ("", f"## Latency under a given load, {escaped(table.mode)} connections", "")
    percentiles = [f"p{percent:g} ms" for percent in PERCENTILES]
    columns = ["cell", "load, % of capacity", "offered req/s", "achieved req/s", *percentiles, "trials"]
    if table.rows:
        yield from _grid(columns, [_pace(row) for row in table.rows])
    for found in table.searches:
        yield from ("", escaped(found.said))


def _pace(row: PacedRow) -> Cells:
    return (
        code(row.cell.slug).replace("|", "\\|"),
        UNKNOWN if row.fraction is None else f"{row.fraction * 100:.0f}",
        _whole(row.offered_per_s),
        f"{_whole(row.achieved_per_s)}{' late' if row.late else ''}",
        *(UNKNOWN if value is None else f"{value / 1000:.2f}" for value in row.percentiles_us),
        str(row.trials),
    )


def _consistency(runs: Sequence[Consistency]) -> Iterator[str]:
    """Yield what the rules found in each run's numbers, and which rules lacked data."""
    yield from ("", "## Consistency", "")
    for run in runs:
        source = escaped(run.source)
        for finding in run.findings:
            said = escaped(f"{finding.saw}. What to do: {finding.rule.advice}.")
            yield f"- {source}: **{finding.rule.title}** {said}"
        if run.nothing:
            yield f"- {source}: {run.nothing}."
        if run.unchecked:
            yield f"- {source}: no data for {escaped(run.unchecked)}."


def _environment(item: Summary) -> Iterator[str]:
    """Yield the machine, the tools and how the run was started, folded away."""
    run = item.view.run
    yield from ("", "<details>", "<summary>Environment</summary>", "")
    yield from _grid(["fact", "value"], _facts(item))
    if run.arguments:
        yield from ("", *_block(shlex.join(["speedup", *run.arguments])))
    yield from ("", "</details>")


def _facts(item: Summary) -> Iterator[Cells]:
    run = item.view.run
    title = f": {escaped(run.machine_title)}" if run.machine_title else ""
    yield "profile", f"{escaped(run.machine)}{title}"
    yield from ((escaped(name), escaped(fact)) for name, fact in run.facts.items())
    for tool in run.tools:
        yield escaped(tool.name), escaped(tool.version or ("version unknown" if tool.path else "not found"))
    if run.seed is not None:
        yield "seed", str(run.seed)
    for numbers in item.view.published.values():
        source = numbers.run.source
        yield escaped(numbers.name), escaped(f"published: {source.title}" if source else "published")
    if run.version:
        yield "http-speedup", escaped(run.version)


def _grid(columns: Sequence[str], rows: Iterable[Cells]) -> Iterator[str]:
    """Yield a table; short rows are filled up, and columns of numbers without a number are left out."""
    full = [(*row, *[""] * (len(columns) - len(row))) for row in rows]
    words = [name in WORDS for name in columns]
    kept = [number for number in range(len(columns)) if words[number] or any(row[number] for row in full)]
    yield _line(columns[number] for number in kept)
    yield _line("---" if words[number] else "--:" for number in kept)
    yield from (_line(row[number] for number in kept) for row in full)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _whole(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.0f}"


def _decimals(value: float | None, places: int = 2) -> str:
    return "" if value is None else f"{value:.{places}f}"


def _ratio(estimate: Estimate | None, places: int | None = None) -> str:
    return f"{estimate.value:.{places or digits(estimate.value)}f}" if estimate else ""


def _between(estimate: Estimate | None, places: int | None = None) -> str:
    if estimate is None or estimate.interval is None:
        return ""
    shown = places or digits(estimate.value)
    return f"{estimate.interval.low:.{shown}f}{UNKNOWN}{estimate.interval.high:.{shown}f}"
