"""The report's tables: rows in the matrix's order with ratios, verdicts, published numbers and a headline.

Pure: from a view of a run to frozen models that every form only has to draw.
"""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from reports.claims.comparing import compare
from reports.claims.deciding import BASES, Decision, decide
from reports.claims.duets import DuetCell, DuetRow, duet_cells, duets_of
from reports.claims.headlines import NOTHING, ONLY_NOISE, Headline, headline
from reports.claims.ranking import Ranking, rank_rows
from reports.trust.checks import CheckLine, check_line
from reports.view.families import Family, Measure
from reports.view.names import differences
from reports.view.reasons import NOT_SELECTED
from reports.view.rows import HeadingRow, Row, cell_row, rows_of
from reports.view.view import PublishedNumbers, RunView, is_solo, keys_of
from reports.view.words import level_text, percent
from runners.matrix.cells import RowKey
from runners.matrix.model import Heading, Table
from runners.records.run import CellInfo
from runners.stats.rule import Design, Rule
from runners.stats.statistics import LEVEL, MIN_VALUES, Estimate, blocks_for_level, family_level, joint_level
from runners.units import plural

UNNAMED = "These cells were measured, but no table of the matrix names them."
IMPORTED = (
    "Others measured these, on another machine and at another time. Nothing is known of them but what was printed, and"
    " no server was asked whether it is honest: nothing here is ranked."
)
OperatingPoint = tuple[int, str, str] | None
UNRANKED = Ranking()


@dataclass(frozen=True)
class LoadLine:
    """A load generator's command line, the CPUs of both sides, and how many rows it loaded."""

    command: str
    cpus: str
    shared: bool
    rows: int


@dataclass(frozen=True)
class TableModel:
    """One table, ready to be drawn in any form; `level_note` says what its verdicts rest on, and what they can resolve.

    `decisions`, `places` and `duets` map a cell's id to its verdict, its rank and its part in duets.
    """

    id: str
    title: str
    text: tuple[str, ...]
    mode: str
    rows: tuple[Row | HeadingRow, ...]
    published: PublishedNumbers | None = None
    load_lines: tuple[LoadLine, ...] = ()
    headline: str = ""
    answer: Headline = NOTHING
    level_note: str = ""
    ranking: Ranking = UNRANKED
    decisions: Mapping[str, Decision] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)
    duets: Mapping[str, DuetCell] = field(default_factory=dict)
    families: tuple[Family, ...] = ()
    checks: CheckLine = ()
    other: bool = False

    @property
    def measurable(self) -> tuple[Row, ...]:
        """Return the rows without the headings."""
        return tuple(row for row in self.rows if isinstance(row, Row))

    @property
    def measured(self) -> tuple[Row, ...]:
        """Return the rows that have a number of this run."""
        return tuple(row for row in self.measurable if row.status == "measured")

    @property
    def compared(self) -> tuple[Row, ...]:
        """Return the rows that something is said of: measured ones, and those that only their duets tell apart."""
        return tuple(row for row in self.measurable if row.status == "measured" or self.is_compared(row))

    def shows(self, row: Row) -> bool:
        """Return whether a row has something of this run to show: a rate, or a part in duets."""
        return row.rps is not None or row.status == "measured" or self.is_compared(row)

    @property
    def shown(self) -> tuple[Row | HeadingRow, ...]:
        """Return the rows with something to show, and the headings that stand over any of them."""
        found: list[Row | HeadingRow] = []
        for row in self.rows:
            if isinstance(row, Row) and not self.shows(row):
                continue
            if isinstance(row, HeadingRow) and found and isinstance(found[-1], HeadingRow):
                found.pop()
            found.append(row)
        return tuple(found[:-1] if found and isinstance(found[-1], HeadingRow) else found)

    @property
    def excluded(self) -> tuple[Row, ...]:
        """Return the rows with nothing to show but the reason."""
        return tuple(row for row in self.measurable if not self.shows(row))

    def is_compared(self, row: Row) -> bool:
        """Return whether a row is the baseline, or has a decision."""
        return row.baseline or self.decision(row) is not None

    @property
    def basis(self) -> Design:
        """Return in which design the rows were measured by which they are ranked."""
        return self.ranking.basis

    @property
    def ranked_by(self) -> Measure:
        """Return by which figure the rows are ranked."""
        return self.ranking.by

    @property
    def ranked_by_words(self) -> str:
        """Return by what the rows are ranked, in words."""
        return BASES[self.basis, self.ranked_by]

    def decision(self, row: Row) -> Decision | None:
        """Return what is said of a row against the table's baseline."""
        return self.decisions.get(row.cell.id) if row.cell else None


def build_tables(view: RunView, prefix: str = "") -> tuple[TableModel, ...]:
    """Return the matrix's tables in its order, then one per mode with the cells that no table names.

    A table of a group that was not measured is left out, and so is one without selected rows or published numbers.
    """
    if view.only_duets:
        return ()
    tables, duets = view.matrix.table if view.matrix else (), duets_of(view)
    models = [_table(table, view, duets, f"{prefix}{_anchor(table, number)}") for number, table in enumerate(tables)]
    shown = [(table, model) for table, model in zip(tables, models, strict=True) if _is_asked_for(table, model)]
    others = _other_tables(view, duets, [table for table, _ in shown], prefix)
    return (*_unique(model for _, model in shown), *map(_anchored, others))


def _is_asked_for(table: Table, model: TableModel) -> bool:
    """Return whether the run has a row of the table's own group; for a table without a group, any row at all."""
    if table.group is not None:
        return any(row.cell and row.cell.group == table.group for row in model.measurable)
    return any(row.published or row.reason != NOT_SELECTED for row in model.measurable)


def _table(table: Table, view: RunView, duets: Sequence[DuetRow], anchor: str) -> TableModel:
    published = _beside(table, view)
    rows: list[Row | HeadingRow] = []
    for entry in table.rows:
        if isinstance(entry, Heading):
            rows.append(HeadingRow(entry.heading))
        else:
            rows.extend(rows_of(entry, table.connection_mode, view, published))
    return _finish(
        TableModel(
            id=anchor,
            title=table.section or table.title,
            text=tuple(part.strip() for part in re.split(r"\n\s*\n", table.text) if part.strip()),
            mode=table.connection_mode,
            rows=tuple(rows),
            published=published,
        ),
        view,
        duets,
    )


def _beside(table: Table, view: RunView) -> PublishedNumbers | None:
    """Return whose numbers stand beside a table's: imported ones of its rows, else those that it names."""
    imported = [item for item in view.published.values() if item.run.kind == "imported"]
    cells = [(key, cell) for key in keys_of(table) for cell in view.by_key.get(key, ())]
    for item in imported:
        if any(item.rate(key, cell.connections, cell.request) is not None for key, cell in cells):
            return item
    return view.published.get(table.published) if table.published else None


def _anchor(table: Table, number: int) -> str:
    made = re.sub(r"[^a-z0-9]+", "-", table.title.lower()).strip("-")
    return f"table-{table.id or made or number}"


def _unique(models: Iterable[TableModel]) -> Iterator[TableModel]:
    taken: set[str] = set()
    for number, model in enumerate(models):
        anchor = f"{model.id}-{number}" if model.id in taken else model.id
        taken.add(anchor)
        yield _anchored(dataclasses.replace(model, id=anchor))


def _slug(key: RowKey) -> str:
    return "-".join(filter(None, (key.server, key.variant, f"t{key.threads}")))


def _anchored(model: TableModel) -> TableModel:
    """Return a table whose rows have anchors of their own, which say what they name."""
    taken: set[str] = set()
    rows: list[Row | HeadingRow] = []
    for number, row in enumerate(model.rows):
        if isinstance(row, HeadingRow):
            rows.append(row)
            continue
        slug = row.cell.slug.removesuffix(model.mode) if row.cell else _slug(row.key) if row.key else ""
        anchor = f"{model.id}-{re.sub(r'[^A-Za-z0-9]+', '-', slug).strip('-')}"
        anchor = f"{anchor}-{number}" if anchor in taken else anchor
        taken.add(anchor)
        rows.append(dataclasses.replace(row, id=anchor))
    return dataclasses.replace(model, rows=tuple(rows))


def _other_tables(
    view: RunView, duets: Sequence[DuetRow], tables: Sequence[Table], prefix: str
) -> Iterator[TableModel]:
    """Yield, for each mode, the cells that were to be measured and that no table names."""
    named = {key for table in tables for key in keys_of(table)}
    rest: dict[str, list[CellInfo]] = {}
    for cell in view.cells:
        to_be_measured = not cell.twin_of and (cell.status in ("planned", "failed") or cell.id in view.trials)
        key = cell.server, cell.variant, cell.threads, cell.mode
        if to_be_measured and key not in named and _has_own_row(cell, view):
            rest.setdefault(cell.mode, []).append(cell)
    for mode, cells in rest.items():
        yield _finish(
            TableModel(
                id=f"{prefix}other-{re.sub(r'[^A-Za-z0-9]+', '-', mode)}",
                title=_other_title(mode, view),
                text=(IMPORTED if view.run.kind == "imported" else UNNAMED,),
                mode=mode,
                rows=tuple(cell_row(cell, cell.title, differences(cell, cells), view) for cell in cells),
                other=True,
            ),
            view,
            duets,
        )


def _has_own_row(cell: CellInfo, view: RunView) -> bool:
    """Return whether a cell has a rate of its own; an imported one of an open loop has the rate that it was sent."""
    return view.run.kind != "imported" or any(is_solo(trial) for trial in view.every.get(cell.id, ()))


def _other_title(mode: str, view: RunView) -> str:
    return f"{'Imported numbers' if view.run.kind == 'imported' else 'Other cells'}, {mode} connections"


def _finish(model: TableModel, view: RunView, duets: Sequence[DuetRow]) -> TableModel:
    """Add what needs all rows: ratios, verdicts, ranks, duets, command lines, the headline."""
    beside = {cell.id for duet in duets if duet.ratio and not duet.twin for cell in (duet.row, duet.baseline)}
    rows = _compare(model.rows, beside, view)
    measurable = [row for row in rows if isinstance(row, Row)]
    compared = [row for row in measurable if _is_known(row, beside)]
    groups = _groups(compared)
    decisions = {cell: found for group in groups for cell, found in decide(group, duets, view.families).items()}
    rankings = [rank_rows(group, decisions) for group in groups]
    cells = [row.cell for row in measurable if row.cell and row.trials]
    together = duet_cells(measurable, duets)
    families = _families(cells, view, duets=bool(together))
    trials = [trial for cell in cells for trial in view.every[cell.id] if is_solo(trial)]
    rows = tuple(_consistent(row, decisions) if isinstance(row, Row) else row for row in rows)
    answer = _headline(measurable, compared, rankings[0] if rankings else UNRANKED, decisions)
    return dataclasses.replace(
        model,
        rows=rows,
        load_lines=load_lines(rows),
        level_note=level_note(list(decisions.values())),
        ranking=rankings[0] if rankings else UNRANKED,
        decisions=decisions,
        places={cell: place for ranking in rankings for cell, place in ranking.places.items()},
        headline=str(answer),
        answer=answer,
        duets=together,
        families=families,
        checks=check_line(trials, families),
    )


def _consistent(row: Row, decisions: Mapping[str, Decision]) -> Row:
    """Return a row whose ratio is the one that its verdict comes from, if it was decided by what was measured alone."""
    found = decisions.get(row.cell.id) if row.cell else None
    if row.comparison is None or found is None or found.basis != "solo" or found.estimate is None:
        return row
    name = "ratio" if found.measure == "rate" else "cost"
    return dataclasses.replace(row, comparison=dataclasses.replace(row.comparison, **{name: found.estimate}))


def _families(cells: Iterable[CellInfo], view: RunView, *, duets: bool) -> tuple[Family, ...]:
    """Return the families of a table's cells, those of its duets first, which decide."""
    names = list(dict.fromkeys(cell.family for cell in cells))
    names = [*(f"{name}/duet" for name in names if duets), *names]
    return tuple(view.families[name] for name in names if name in view.families)


def _headline(
    rows: Sequence[Row], compared: Sequence[Row], ranking: Ranking, decisions: Mapping[str, Decision]
) -> Headline:
    """Return the answer of a table; where nothing can be compared, whether that is for noise."""
    if not compared and any(row.status == "noisy" for row in rows):
        return ONLY_NOISE
    return headline(compared, ranking, decisions)


def _is_known(row: Row, beside: Container[str]) -> bool:
    """Return whether a row can be compared: it was measured alone, or at least beside another."""
    return row.status == "measured" or (row.cell is not None and row.cell.id in beside)


def _groups(measured: Iterable[Row]) -> list[list[Row]]:
    """Return the rows that have connections and load generator in common, in the table's order."""
    found: dict[OperatingPoint, list[Row]] = {}
    for row in measured:
        found.setdefault(row.operating_point, []).append(row)
    return list(found.values())


def _compare(rows: Sequence[Row | HeadingRow], beside: Container[str], view: RunView) -> tuple[Row | HeadingRow, ...]:
    """Compare each row that can be with the first one at its operating point."""
    baselines: dict[OperatingPoint, Row] = {}
    for row in rows:
        if isinstance(row, Row) and _is_known(row, beside):
            baselines.setdefault(row.operating_point, row)
    count = sum(1 for row in rows if isinstance(row, Row) and row.status == "measured") - len(baselines)
    return tuple(_compared(row, baselines, count, view) if isinstance(row, Row) else row for row in rows)


def _compared(row: Row, baselines: dict[OperatingPoint, Row], comparisons: int, view: RunView) -> Row:
    baseline = baselines.get(row.operating_point) or next(iter(baselines.values()), None)
    before = None
    if baseline is not None and row is not baseline and row.published and baseline.published:
        before = row.published / baseline.published
    if row is baseline:
        return dataclasses.replace(row, baseline=True, published_ratio=1.0 if row.published else None)
    if baseline is None or row.status != "measured" or baseline.status != "measured":
        return dataclasses.replace(row, published_ratio=before)
    comparison = compare(row, baseline, _solo_rule(row, comparisons, view), whole=view.limits.folds)
    return dataclasses.replace(row, published_ratio=before, comparison=comparison)


def _solo_rule(row: Row, comparisons: int, view: RunView) -> Rule:
    """Return the rule at whose level the ratios of what was measured alone have their intervals."""
    family = view.families.get(row.cell.family) if row.cell else None
    return Rule("solo", comparisons, family.looks if family else 1)


def level_note(decisions: Sequence[Decision]) -> str:
    """Return by what a table's rows are decided, at which level, and which differences could be resolved."""
    notes = (_note(found) for found in _by_basis(decisions))
    return " ".join(note for note in notes if note)


def _by_basis(decisions: Sequence[Decision]) -> list[list[Decision]]:
    found: dict[tuple[str, bool], list[Decision]] = {}
    for decision in decisions:
        if not decision.why:
            found.setdefault((decision.by, decision.over_threads), []).append(decision)
    return list(found.values())


def _note(decisions: Sequence[Decision]) -> str:
    rule, by = decisions[0].rule, decisions[0].by
    if rule is None:
        return ""
    rows = plural(rule.rows, "row")
    known = sorted(found for decision in decisions if (found := decision.resolves) is not None)
    start = f"Decided by {by}{' over thread counts' if decisions[0].over_threads else ''} ({rows})"
    if not known:
        return f"{start}: no verdict with fewer than {rule.blocks} blocks in common."
    low, high = percent(known[0]), percent(known[-1])
    could = f"{high} %" if low == high else f"{low} to {high} %, depending on the row"
    looks = f" and {rule.looks} looks" if rule.looks > 1 else ""
    several = f", so that all rows{looks} hold together at {level_text(LEVEL)}" if rule.rows * rule.looks > 1 else ""
    level = f"at {level_text(rule.level)}{several}"
    return f"{start}, {level}, beyond ±{percent(rule.margin)} %: could resolve {could}."


def joint_note(ratios: Sequence[Estimate], comparisons: int) -> str:
    """Return the confidence level of the intervals of ratios beside which no verdict stands, in words."""
    intervals = [ratio.interval for ratio in ratios if ratio.interval]
    if not intervals:
        few = f"Ratios have no intervals: fewer than {MIN_VALUES} blocks in common."
        return few if ratios else ""
    wanted = family_level(comparisons)
    lowest = min(interval.level for interval in intervals)
    if lowest >= wanted:
        together = "" if comparisons == 1 else f" for all {comparisons} together"
        return f"Confidence of the ratios' intervals: at least {level_text(LEVEL)}{together}."
    joint = f"{level_text(joint_level(comparisons, lowest))} for all {comparisons} together"
    more = f"{blocks_for_level(wanted)} blocks would give {level_text(LEVEL)}"
    return f"Confidence of the ratios' intervals: {level_text(lowest)} each, {joint}; {more}."


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
    """Return the command line that loaded a row: the plan's, or else the first trial's."""
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
