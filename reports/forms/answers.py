"""A report as data: tables, rows, figures with their intervals, comparisons, noise floors and warnings. Pure.

`report.schema.json` is the schema, made from these classes. Names end with their units; what is not known is null. How
to say it is each form's business; these numbers and verdicts are the ones that all of them show.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import TypeAdapter

from reports.claims.comparing import VALUES
from reports.claims.deciding import Decision
from reports.claims.duets import DuetRow, DuetTable
from reports.forms.summary import Summary, summaries
from reports.tables.tables import TableModel
from reports.view.families import COST, RATE, Family
from reports.view.reasons import Status
from reports.view.rows import HeadingRow, Row
from reports.view.view import ok_trials
from runners.matrix.schema import schema_text
from runners.records.run import CellInfo, RunFolder
from runners.records.trial import Outcome
from runners.stats.comparison import Floor
from runners.stats.rule import Design
from runners.stats.statistics import Answer, Estimate

SCHEMA: Literal["speedup.report/1"] = "speedup.report/1"
FigureName = Literal["requests_per_s", "server_cpu_us_per_request"]


@dataclass(frozen=True)
class Figure:
    """An estimate from `count` values, and its interval at the confidence level `level`; null where they give none."""

    value: float
    low: float | None
    high: float | None
    level: float | None
    count: int


@dataclass(frozen=True)
class ComparisonData:
    """A verdict on the ratio row / baseline of a figure, as measured in duets or solo.

    The interval lies wholly outside 1 +- `margin` if a difference is called. `could_resolve` is the smallest difference
    that the interval and the margin allow to see. `rate_per_s` is the rate that both sides were asked at; null at full
    speed. Without a verdict, `reason` says why. `disagrees` says how solo trials contradict a duet.
    """

    verdict: Answer | None
    reason: str | None
    basis: Design
    figure: FigureName
    rate_per_s: float | None
    ratio: float | None
    low: float | None
    high: float | None
    level: float | None
    margin: float | None
    blocks: int
    more_blocks: int | None
    could_resolve: float | None
    disagrees: str | None


@dataclass(frozen=True)
class RowData:
    """A row of a table. `place` is its rank, "2=" where it is shared; the first measured row is the baseline."""

    name: str
    label: str
    note: str | None
    heading: str | None
    server: str | None
    variant: str | None
    threads: int | None
    connections: int | None
    load: str | None
    cell: str | None
    status: Status
    reason: str | None
    tags: tuple[str, ...]
    baseline: bool
    place: str | None
    bound: str | None
    trials: int
    trials_valid: int
    requests_per_s: Figure | None
    server_cpu_us_per_request: Figure | None
    client_cpu_us_per_request: Figure | None
    machine_cpu_us_per_request: Figure | None
    rss_bytes: float | None
    idle_rss_bytes: float | None
    start_us: float | None
    comparison: ComparisonData | None
    published_requests_per_s: float | None


@dataclass(frozen=True)
class TableData:
    """A table, and by what it is ranked."""

    id: str
    title: str
    mode: str
    basis: Design
    figure: FigureName
    published: str | None
    rows: tuple[RowData, ...]


@dataclass(frozen=True)
class PairData:
    """Two cells that were measured at the same time; a twin is the baseline under another name."""

    row: str
    baseline: str
    row_name: str
    baseline_name: str
    twin: bool
    row_cost: Figure | None
    baseline_cost: Figure | None
    comparison: ComparisonData


@dataclass(frozen=True)
class NoiseFloorData:
    """A family's baseline against its twin: `floor` is how far the interval of their ratio reaches from 1, as a share.

    `bias` is the margin that a twin that differs gives all verdicts of the family; 0 if it does not differ.
    """

    family: str
    title: str
    design: Design
    figure: FigureName
    baseline: str
    ratio: Figure | None
    floor: float | None
    bias: float
    check: Outcome
    blocks: int
    looks: int
    ended: str | None


@dataclass(frozen=True)
class WarningData:
    """What a reader must know before the numbers."""

    kind: Literal["error", "warning", "note"]
    text: str


@dataclass(frozen=True)
class RunData:
    """One run."""

    title: str
    kind: Literal["measured", "published", "imported"]
    machine: str
    machine_title: str | None
    processor: str | None
    cpus: str | None
    started_at: str | None
    preset: str | None
    version: str | None
    seed: int | None
    commit: str | None
    warnings: tuple[WarningData, ...]
    noise_floors: tuple[NoiseFloorData, ...]
    tables: tuple[TableData, ...]
    duets: tuple[PairData, ...]


@dataclass(frozen=True)
class ReportData:
    """A report of one or more runs."""

    schema: Literal["speedup.report/1"]
    runs: tuple[RunData, ...]


def render_json(folders: Sequence[RunFolder]) -> str:
    """Return a report of run folders as JSON."""
    return TypeAdapter(ReportData).dump_json(report_data(folders), indent=1).decode() + "\n"


def json_schema() -> str:
    """Return the JSON Schema of that JSON, as the text of report.schema.json."""
    schema = TypeAdapter(ReportData).json_schema(mode="serialization")
    return schema_text("report.schema.json", "a report of http-speedup as JSON", schema)


def report_data(folders: Sequence[RunFolder]) -> ReportData:
    """Return a report of run folders as data."""
    return ReportData(SCHEMA, tuple(map(run_data, summaries(folders))))


def run_data(item: Summary) -> RunData:
    """Return one run as data."""
    run = item.view.run
    return RunData(
        title=item.title,
        kind=run.kind,
        machine=run.machine,
        machine_title=run.machine_title,
        processor=run.facts.get("cpu"),
        cpus=run.facts.get("cpus"),
        started_at=run.started_at,
        preset=run.preset or None,
        version=run.version or None,
        seed=run.seed,
        commit=run.facts.get("commit"),
        warnings=tuple(WarningData(notice.kind, notice.text) for notice in item.notices),
        noise_floors=tuple(floor for family in item.view.families.values() for floor in _floors(family)),
        tables=tuple(map(_table, item.tables)),
        duets=tuple(map(_pair, item.duets.duets)) if isinstance(item.duets, DuetTable) else (),
    )


def _table(table: TableModel) -> TableData:
    return TableData(
        id=table.id,
        title=table.title,
        mode=table.mode,
        basis=table.basis,
        figure=_figure_name(VALUES[table.ranked_by]),
        published=table.published.name if table.published else None,
        rows=tuple(_rows(table)),
    )


def _rows(table: TableModel) -> Iterator[RowData]:
    heading: str | None = None
    for row in table.rows:
        if isinstance(row, HeadingRow):
            heading = row.title
        else:
            yield _row(row, heading, table)


def _row(row: Row, heading: str | None, table: TableModel) -> RowData:
    found = table.decision(row)
    return RowData(
        name=row.name or row.shown,
        label=row.label,
        note=row.note or None,
        heading=heading,
        server=row.key.server if row.key else None,
        variant=row.key.variant if row.key else None,
        threads=(row.key.threads or None) if row.key else None,  # 0: an imported trial does not tell
        connections=(row.cell.connections or None) if row.cell else None,
        load=row.cell.load if row.cell else None,
        cell=row.cell.id if row.cell else None,
        status=row.status,
        reason=row.reason or row.trials_note or None,
        tags=row.tags,
        baseline=row.baseline,
        place=table.places.get(row.cell.id) if row.cell else None,
        bound=row.costs.bound or None,
        trials=len(row.trials),
        trials_valid=len(ok_trials(row.trials)),
        requests_per_s=_figure(row.rps),
        server_cpu_us_per_request=_figure(row.costs.server),
        client_cpu_us_per_request=_figure(row.costs.client),
        machine_cpu_us_per_request=_figure(row.costs.machine),
        rss_bytes=row.costs.rss_bytes,
        idle_rss_bytes=row.costs.idle_rss_bytes,
        start_us=row.costs.start_us,
        comparison=_comparison(found) if found else None,
        published_requests_per_s=row.published,
    )


def _comparison(found: Decision) -> ComparisonData:
    interval = found.estimate.interval if found.estimate else None
    return ComparisonData(
        verdict=found.answer,
        reason=found.why or None,
        basis=found.basis,
        figure=_figure_name(found.figure),
        rate_per_s=None,
        ratio=_finite(found.estimate.value) if found.estimate else None,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        level=interval.level if interval else None,
        margin=found.rule.margin if found.rule else None,
        blocks=found.estimate.count if found.estimate else 0,
        more_blocks=found.judgement.more_blocks if found.judgement else None,
        could_resolve=found.resolves,
        disagrees=found.disagrees or None,
    )


def _pair(duet: DuetRow) -> PairData:
    unmeasured = "" if duet.ratio else "no valid duet yet"
    why = "a twin: its ratio is the noise floor" if duet.twin else duet.cold or unmeasured
    decided = Decision("duet", "cost", duet.ratio, duet.rule, duet.judgement, why)
    return PairData(
        row=duet.row.id,
        baseline=duet.baseline.id,
        row_name=_name(duet.row),
        baseline_name=_name(duet.baseline),
        twin=duet.twin,
        row_cost=_figure(duet.row_cost),
        baseline_cost=_figure(duet.baseline_cost),
        comparison=_comparison(decided),
    )


def _name(cell: CellInfo) -> str:
    return f"{cell.title}~twin" if cell.twin_of and "twin" not in cell.title else cell.title


def _floors(family: Family) -> Iterator[NoiseFloorData]:
    """Yield a family's noise floors, by rate and by CPU time per request; of duets, only the latter."""
    floors: dict[str, Floor | None] = {RATE: family.rate, COST: family.cost}
    for figure, floor in floors.items():
        if floor is not None:
            yield NoiseFloorData(
                family=family.name,
                title=family.title,
                design=family.design,
                figure=_figure_name(figure),
                baseline=family.baseline,
                ratio=_figure(floor.estimate),
                floor=floor.reach,
                bias=floor.bias,
                check=floor.check.outcome,
                blocks=family.blocks,
                looks=family.looks,
                ended=family.ended or None,
            )


def _figure_name(name: str) -> FigureName:
    return "requests_per_s" if name == RATE else "server_cpu_us_per_request"


def _figure(estimate: Estimate | None) -> Figure | None:
    if estimate is None or not math.isfinite(estimate.value):
        return None
    interval = estimate.interval
    low, high, level = (interval.low, interval.high, interval.level) if interval else (None, None, None)
    return Figure(estimate.value, low, high, level, estimate.count)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
