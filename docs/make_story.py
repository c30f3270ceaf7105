#!/usr/bin/env python3
"""Fills the story of the document, and the README, with the figures of a recorded run; none is typed in by hand.

    python docs/make_story.py results/RUN   keep that run's figures as published/DATE-MACHINE/report.json, and fill
    python docs/make_story.py               fill again, from the newest published/*/report.json
    python docs/make_story.py --check       write nothing; exit 1 where a page is out of date

A page has places such as `<!-- story: rows table-persistent -->` ... `<!-- end -->`. A row is named as in matrix.toml:
`epoll`, `asynchttp.markandsweep@2`. Without a recorded run, all places say that nothing was measured yet.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pydantic import TypeAdapter

from reports.claims.deciding import CANNOT_SHOW
from reports.claims.phrases import TWICE, change_interval, interval_text, percent_change, times
from reports.forms.answers import ComparisonData, Figure, ReportData, RowData, RunData, TableData
from reports.forms.markdown import escaped
from reports.forms.writing import content_of, read_all
from runners.errors import SpeedupError
from runners.stats.statistics import Estimate, Interval
from runners.units import plural

ROOT = Path(__file__).resolve().parent.parent
PUBLISHED = ROOT / "published"
PAGES = (ROOT / "README.md", ROOT / "docs/explanation/nim-speedups.md")
PLACE = re.compile(r"(<!-- story: (?P<kind>\w+)(?P<words>(?: \S+)*) -->\n).*?(<!-- end -->)", re.DOTALL)
NOT_YET = "*Not measured yet.*"
UNKNOWN = "\u2013"


@dataclass(frozen=True)
class Recorded:
    """A recorded run, and the file that holds its figures."""

    file: Path
    run: RunData

    def table(self, name: str) -> TableData:
        """Return a table; LookupError if the report has none of that name."""
        found = next((table for table in self.run.tables if table.id == name), None)
        if found is None:
            raise LookupError(
                f"{self.file} has no table {name}; it has {', '.join(each.id for each in self.run.tables)}"
            )
        return found

    def row(self, table: str, key: str) -> RowData:
        """Return a row; LookupError if its table has none of that name."""
        found = next((row for row in self.table(table).rows if key_of(row) == key), None)
        if found is None:
            raise LookupError(f"{self.file} has no row {key} in {table}")
        return found


def key_of(row: RowData) -> str:
    """Return a row's name as matrix.toml has it."""
    variant = f".{row.variant}" if row.variant else ""
    threads = f"@{row.threads}" if row.threads and row.threads > 1 else ""
    return f"{row.server}{variant}{threads}"


def read(file: Path) -> Recorded:
    """Return a recorded run from its file."""
    return Recorded(file, parsed(file.read_text(encoding="utf-8")))


def parsed(text: str) -> RunData:
    """Return the one run of a report as JSON."""
    (run,) = TypeAdapter(ReportData).validate_json(text).runs
    return run


def newest() -> Recorded | None:
    """Return the newest recorded run that the repository keeps; None if it keeps none."""
    return max(map(read, PUBLISHED.glob("*/report.json")), key=lambda each: each.run.started_at or "", default=None)


def keep(folder: Path) -> Path:
    """Write the figures of a run folder, without who and where, to where they are kept; return the file."""
    text = str(content_of(read_all([folder]), "json", redact=True))
    run = parsed(text)
    file = PUBLISHED / f"{(run.started_at or 'undated')[:10]}-{run.machine}" / "report.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def about(recorded: Recorded, page: Path) -> str:
    """Return where, when and how a run was measured, with a link to its figures."""
    run = recorded.run
    machine = (
        ", ".join(filter(None, [run.machine_title, run.processor, run.cpus and f"CPUs: {run.cpus}"])) or run.machine
    )
    with_what = f"http-speedup {run.version}" + (f" at commit {run.commit[:12]}" if run.commit else "")
    warned = sum(1 for warning in run.warnings if warning.kind != "note")
    link = os.path.relpath(recorded.file, page.parent)
    return (
        f"Measured on {(run.started_at or '')[:10]} by {with_what}, preset `{run.preset}`, on {escaped(machine)}. "
        f"Its report has {plural(warned, 'warning')}; [its figures]({link}) hold every interval. The intervals of a "
        "table hold together at 95 %."
    )


def rows(recorded: Recorded, table: str, *keys: str) -> str:
    """Return some rows of a table, or all of them, beside the published numbers and with their verdicts."""
    chosen = [recorded.row(table, key) for key in keys] or recorded.table(table).rows
    baseline = next((row for row in recorded.table(table).rows if row.baseline), None)
    against = f"against {escaped(baseline.name)}" if baseline else "verdict"
    header = ("", "req/s in 2015", "req/s", "server CPU per request", against)
    body = [(label(row), then(row), rate(row), cost(row), verdict(row)) for row in chosen]
    return "\n".join(grid([header, ("---", "---:", "---:", "---:", "---"), *body]))


def grid(lines: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    return (f"| {' | '.join(cells)} |".replace("|  |", "| |") for cells in lines)


def label(row: RowData) -> str:
    """Return what a table calls a row, and what limits its numbers."""
    said_elsewhere = not (row.comparison or row.baseline)  # in the verdict's place, as the reason why there is none
    alone = () if row.status == "measured" or said_elsewhere else (f"{row.status} alone",)
    words = (*row.tags, *alone)
    limits = f" *{escaped(', '.join(words))}*" if words else ""
    return f"{escaped(row.label)}{f' ({escaped(row.note)})' if row.note else ''}{limits}"


def then(row: RowData) -> str:
    """Return the rate that was published."""
    return f"{row.published_requests_per_s:,.0f}" if row.published_requests_per_s else UNKNOWN


def rate(row: RowData) -> str:
    """Return the measured rate with its interval, if it has one; it is a lower bound if the client was the limit."""
    found = row.requests_per_s
    if found is None:
        return UNKNOWN
    least = "at least " if row.bound == "client" else ""
    between = "" if found.low is None else f" ({found.low:,.0f}\u2013{found.high:,.0f})"
    return f"{least}{found.value:,.0f}{between}"


def cost(row: RowData) -> str:
    """Return the server's CPU time per request."""
    figure: Figure | None = row.server_cpu_us_per_request
    return f"{figure.value:.1f} µs" if figure else UNKNOWN


def verdict(row: RowData) -> str:
    """Return the verdict on a row in words, or why there is none."""
    if row.baseline:
        return "the baseline"
    if row.comparison is None:
        return f"{row.status}: {escaped(row.reason)}" if row.reason else row.status
    return said(row.comparison)


def said(found: ComparisonData) -> str:
    """Return a comparison in words: how much more or less, with its interval."""
    ratio = _estimate(found)
    if found.verdict is None or ratio is None:
        reason = found.reason or "no verdict"
        return CANNOT_SHOW if reason.startswith(CANNOT_SHOW) else escaped(reason)
    if found.verdict in ("equivalent", "not resolved"):
        words = "no difference" if found.verdict == "equivalent" else "not resolved"
        return f"{words} ({'ratio, ' if ratio.interval else ''}{interval_text(ratio)})"
    what, fewer = ("CPU", "less") if found.figure == "server_cpu_us_per_request" else ("requests/s", "fewer")
    if ratio.value >= TWICE:
        return f"{times(ratio)} the {what} ({interval_text(ratio)})"
    return f"{percent_change(ratio, fewer)} {what} ({change_interval(ratio)})"


def _estimate(found: ComparisonData) -> Estimate | None:
    if found.ratio is None:
        return None
    ends = (found.low, found.high, found.level)
    interval = None if None in ends else Interval(*ends)  # type: ignore[arg-type]
    return Estimate(found.ratio, found.blocks, interval)


def step(recorded: Recorded, table: str, key: str, before: str) -> str:
    """Return in a sentence what a step brought, since the beginning and since the step before."""
    row, previous = recorded.row(table, key), recorded.row(table, before)
    first = next((each for each in recorded.table(table).rows if each.baseline), row)
    so_far = f"**Against {escaped(first.name)}:** {verdict(row)}."
    return so_far if previous.baseline else f"{so_far} **Against {escaped(previous.name)}:** {since(row, previous)}."


def since(row: RowData, before: RowData) -> str:
    """Return how the costs of two rows differ that were compared with the same baseline, not with each other.

    Both intervals hold together, so the ratio of the ratios lies between the quotients of their ends; and each may be
    biased by its margin.
    """
    one, other = (_bounded(each.comparison) for each in (row, before))
    if one is None or other is None:
        return "not known"
    low, high = one[0] / other[1], one[1] / other[0]
    margin = (1 + one[2]) * (1 + other[2]) - 1
    if high < 1 - margin:
        return f"between {(1 - high) * 100:.0f} and {(1 - low) * 100:.0f} % less CPU"
    if low > 1 + margin:
        return f"between {(low - 1) * 100:.0f} and {(high - 1) * 100:.0f} % more CPU"
    return "no difference can be told"


def _bounded(found: ComparisonData | None) -> tuple[float, float, float] | None:
    """Return the interval and the margin of a ratio of costs in duets; None if it has none."""
    if found is None or found.basis != "duet" or found.low is None or found.high is None or found.margin is None:
        return None
    return found.low, found.high, found.margin


KINDS: dict[str, Callable[..., str]] = {"rows": rows, "step": step}


def renewed(text: str, page: Path, recorded: Recorded | None) -> str:
    """Return a page with all its places filled."""
    return PLACE.sub(lambda match: f"{match[1]}{_filled(match, page, recorded)}\n{match[4]}", text)


def _filled(match: re.Match[str], page: Path, recorded: Recorded | None) -> str:
    if recorded is None:
        return NOT_YET
    if match["kind"] == "about":
        return about(recorded, page)
    return KINDS[match["kind"]](recorded, *match["words"].split())


def main(argv: Sequence[str] | None = None) -> int:
    """Keep a run if one is named, and update the pages, or only list those that are out of date."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("run", type=Path, nargs="?", metavar="RUN_FOLDER", help="a run whose figures are to be kept")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a page is out of date")
    arguments = parser.parse_args(argv)
    if arguments.run and not arguments.check:
        try:
            keep(arguments.run)
        except SpeedupError as error:
            parser.exit(error.exit_code, f"make_story: {error}\n")
    recorded = newest()
    texts = {page: page.read_text(encoding="utf-8") for page in PAGES}
    stale = [page for page, text in texts.items() if renewed(text, page, recorded) != text]
    for page in stale:
        sys.stdout.write(f"{page.relative_to(ROOT)}{' is out of date' if arguments.check else ''}\n")
        if not arguments.check:
            page.write_text(renewed(texts[page], page, recorded), encoding="utf-8")
    return int(arguments.check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
