"""What a report says about itself in its head: for an index of reports, for search engines, for whoever links to it.

Pure. `meta` elements tell an index what the report is about and what it found; Open Graph and JSON-LD tell others. A
picture must have an absolute address, so there is one only if the page's own is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urljoin, urlsplit

from pydantic import TypeAdapter, ValidationError

from reports.claims.duets import DuetTable
from reports.claims.headlines import NOTHING
from reports.forms.summary import title_of
from reports.tables.charts import Chart, chart_of
from reports.tables.tables import TableModel
from reports.view.view import RunView
from reports.view.words import clipped, one_line

GENERATOR = "http-speedup"
MOST_FINDINGS = 60  # rows, the best of each table first; an index reads only the beginning of a page
MOST_OF_TABLE = 8


@dataclass(frozen=True)
class Finding:
    """A row's multiple of its baseline with the interval that decides: what an index follows over time."""

    table: str
    row: str
    baseline: str
    work: str
    value: float
    low: float
    high: float


FINDINGS = TypeAdapter(tuple[Finding, ...])


@dataclass(frozen=True)
class About:
    """A report's title, when, where and at which commit it was measured, and its answer; "" if unknown.

    `findings` are the rows that are compared, the best of each table first. `url` is where the page will stand.
    """

    title: str
    started_at: str = ""
    machine: str = ""
    commit: str = ""
    answer: str = ""
    findings: tuple[Finding, ...] = ()
    version: str = ""
    url: str = ""

    @property
    def metas(self) -> dict[str, str]:
        """Return the content of each `meta` element by name."""
        return {
            "generator": GENERATOR,
            "description": self.answer,
            "speedup-title": self.title,
            "speedup-started-at": self.started_at,
            "speedup-machine": self.machine,
            "speedup-commit": self.commit,
            "speedup-findings": FINDINGS.dump_json(self.findings).decode() if self.findings else "",
        }

    @property
    def graph(self) -> dict[str, str]:
        """Return the Open Graph properties; a picture only where it has an absolute address."""
        found = {"og:type": "website", "og:title": self.title, "og:description": self.answer}
        if not self.url:
            return found
        picture = {"og:image": self.picture, "og:image:width": "1200", "og:image:height": "630"}
        return {**found, "og:url": self.url, **picture, "og:image:alt": self.answer}

    @property
    def picture(self) -> str:
        """Return the address of the picture beside the page."""
        return urljoin(self.url, picture_name(self.url)) if self.url else ""

    @property
    def linked_data(self) -> dict[str, Any]:
        """Return the report as a data set of schema.org."""
        maker = {"@type": "SoftwareApplication", "name": GENERATOR, "softwareVersion": self.version}
        found = {
            "@context": "https://schema.org",
            "@type": "Dataset",
            "name": self.title,
            "description": self.answer,
            "dateCreated": self.started_at,
            "url": self.url,
            "image": self.picture,
            "measurementTechnique": "HTTP load test; blocks in random order, duets, exact confidence intervals",
            "variableMeasured": ["requests per second", "server CPU time per request", "resident memory"],
            "creator": {name: value for name, value in maker.items() if value},
        }
        return {name: value for name, value in found.items() if value}


def picture_name(url: str) -> str:
    """Return the name of the picture beside a page: that of the page, or report.png for a folder's address."""
    name = PurePosixPath(urlsplit(url).path).name if not urlsplit(url).path.endswith("/") else ""
    return f"{PurePosixPath(name).stem or 'report'}.png"


def about(view: RunView, tables: Sequence[TableModel], duets: DuetTable | None, url: str = "") -> About:
    """Return what the report of a run says about itself."""
    return About(
        title=one_line(title_of(view)),
        started_at=view.run.started_at or "",
        machine=one_line(view.machine_name),
        commit=view.run.facts.get("commit", ""),
        answer=one_line(first_answer(tables, duets)),
        findings=tuple(_findings(tables))[:MOST_FINDINGS],
        version=view.run.version,
        url=url,
    )


def _findings(tables: Sequence[TableModel]) -> Iterator[Finding]:
    for table in tables:
        yield from _of_chart(table.title, chart_of(table))


def _of_chart(title: str, chart: Chart) -> Iterator[Finding]:
    bars = [bar for bar in chart.bars if chart.factors and bar.interval and not bar.row.baseline]
    for bar in bars[:MOST_OF_TABLE]:
        if bar.interval:
            names = (clipped(one_line(name), 80) for name in (title, bar.row.name, chart.baseline))
            ends = (float(f"{value:.5g}") for value in (bar.value, bar.interval.low, bar.interval.high))
            table, row, baseline = names
            yield Finding(table, row, baseline, chart.work, *ends)


def first_answer(tables: Sequence[TableModel], duets: DuetTable | None) -> str:
    """Return a report's first answer: that of the first table with a measured row, else that of the duets."""
    for table in tables:
        if table.answer != NOTHING:
            return f"{table.title}: {table.headline}"
    return f"Duets: {duets.headline}" if duets else NOTHING.short


def from_metas(metas: dict[str, str]) -> About | None:
    """Return what a page says about itself; None if it is not a report of ours."""
    if metas.get("generator") != GENERATOR or "speedup-title" not in metas:
        return None
    return About(
        title=metas["speedup-title"],
        started_at=metas.get("speedup-started-at", ""),
        machine=metas.get("speedup-machine", ""),
        commit=metas.get("speedup-commit", ""),
        answer=metas.get("description", ""),
        findings=_read(metas.get("speedup-findings", "")),
    )


def _read(text: str) -> tuple[Finding, ...]:
    """Return the findings of a page; none if they are not as we write them."""
    try:
        return FINDINGS.validate_json(text) if text else ()
    except ValidationError:
        return ()
