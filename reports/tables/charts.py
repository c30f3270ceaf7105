"""A table as one compact chart: who is ahead of whom, by how much, and how sure. Pure.

Every bar is longer for a better row. Where rows are compared, a bar is a multiple of the baseline's requests per
second, or of its requests per second of CPU time. Where nothing can be compared, bars are rates and decide nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from reports.claims.deciding import Decision
from reports.claims.phrases import TWICE, inverse
from reports.claims.verdicts import verdict_words
from reports.tables.tables import TableModel
from reports.view.rows import Row
from reports.view.words import level_text
from runners.stats.statistics import Estimate, Interval

APART = "nothing that it can be compared with"
WORK = {"rate": "requests per second", "cost": "requests per CPU second"}


@dataclass(frozen=True)
class Bar:
    """One row: its multiple of the baseline, the interval (None: too few blocks), and the multiple published then.

    `place` is its rank, "2=" if shared; without factors, `value` is a rate. `says` is its verdict in words, where
    the multiple does not say it already; `sure` tells whether there is one.
    """

    row: Row
    value: float
    interval: Interval | None
    then: float | None
    place: str
    says: str
    sure: bool = False

    @property
    def tied(self) -> bool:
        """Return whether the row shares its rank."""
        return self.place.endswith("=")


@dataclass(frozen=True)
class LeftOut:
    """Rows without a bar, and why."""

    reason: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Chart:
    """The bars in the order of what decides, and the rows that have none.

    `factors` says that bars are multiples of `baseline`; else they are rates, in the table's order. `longest` is the
    value at the right end.
    """

    bars: tuple[Bar, ...]
    factors: bool
    baseline: str
    work: str
    basis: str
    level: str
    then: str
    left_out: tuple[LeftOut, ...]

    @property
    def longest(self) -> float:
        """Return the value that needs the whole width."""
        ends = (max(bar.value, bar.interval.high if bar.interval else 0, bar.then or 0) for bar in self.bars)
        return max(ends, default=1.0)


def chart_of(table: TableModel) -> Chart:
    """Return the chart of a table: factors where its rows are compared, else rates."""
    ratios = _ratios(table)
    bars = tuple(_ranked(table, ratios)) if len(ratios) > 1 else tuple(_rates(table))
    drawn = {id(bar.row) for bar in bars}
    intervals = [bar.interval for bar in bars if bar.interval and not bar.row.baseline]
    baseline = next((bar.row.name for bar in bars if bar.row.baseline), "")
    return Chart(
        bars=bars,
        factors=len(ratios) > 1,
        baseline=baseline,
        work=WORK[table.ranked_by],
        basis=table.ranked_by_words,
        level=level_text(min(found.level for found in intervals)) if intervals else "",
        then=table.published.name if table.published and any(bar.then for bar in bars) else "",
        left_out=tuple(_left_out(table, [row for row in table.measurable if id(row) not in drawn])),
    )


def _ratios(table: TableModel) -> Mapping[str, Estimate]:
    """Return the ratio to the baseline of each row that is decided as the ranking is, the baseline's own first."""
    point = next((row.operating_point for row in table.measurable if row.baseline and row.cell), None)
    rows = [row for row in table.compared if row.cell and row.operating_point == point]
    found: dict[str, Estimate] = {}
    for row in rows:
        decision = table.decision(row)
        name = row.cell.id if row.cell else ""
        if row.baseline:
            found[name] = Estimate(1.0, 0, Interval(1.0, 1.0, 1.0))
        elif decision and decision.judgement and decision.estimate and decision.is_by(table.basis, table.ranked_by):
            found[name] = decision.estimate
    return found


def _ranked(table: TableModel, ratios: Mapping[str, Estimate]) -> Iterable[Bar]:
    """Yield the rows that are decided alike, the best first; those without an interval come last."""
    rows = {row.cell.id: row for row in table.compared if row.cell and row.cell.id in ratios}
    work = {name: inverse(ratio) if table.ranked_by == "cost" else ratio for name, ratio in ratios.items()}
    order = sorted(rows, key=lambda name: (bool(table.places) and name not in table.places, -work[name].value))
    for name in order:
        row, found = rows[name], table.decision(rows[name])
        yield Bar(
            row=row,
            value=work[name].value,
            interval=work[name].interval,
            then=row.published_ratio,
            place=table.places.get(name, ""),
            says="baseline" if row.baseline else _says(found) if found else "",
            sure=row.baseline or bool(found and found.answer not in (None, "not resolved")),
        )


def _says(found: Decision) -> str:
    more = found.measure == "rate" and found.answer == "faster"
    return "" if more and found.estimate and found.estimate.value >= TWICE else verdict_words(found)


def _rates(table: TableModel) -> Iterable[Bar]:
    for row in table.measurable:
        if row.rps:
            words = ("" if row.status == "measured" else row.status, "shared CPUs" if row.shared else "")
            yield Bar(row, row.rps.value, None, None, "", ", ".join(filter(None, words)))


def _left_out(table: TableModel, rows: Sequence[Row]) -> Iterable[LeftOut]:
    """Yield the rows without a bar, those of one reason together."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(why_left_out(table, row), []).append(row)
    for reason, of in found.items():
        yield LeftOut(reason, tuple(of))


def why_left_out(table: TableModel, row: Row) -> str:
    """Return why a row cannot stand beside the others."""
    if row.status != "measured" and not table.is_compared(row):
        return f"{row.status}: {row.reason}" if row.reason else row.status
    decision = table.decision(row)
    if decision and (decision.why or not decision.judgement):
        return decision.why or "no verdict yet"
    return f"decided by {decision.by}" if decision else APART
