"""What every export is made from: the rows and duets of the answers, the trials, and the latency histograms. Pure.

The rows are those of `report --format json`, so no export can say anything else than the report. Nothing is rounded.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from reports.exports.columns import Column, Record, Sheet, columns_of, record_of
from reports.forms.answers import ComparisonData, Figure, PairData, RowData, RunData, run_data
from reports.forms.summary import Summary, apart, summaries
from reports.view.view import ok_trials
from runners.records.run import RunFolder
from runners.records.trial import Trial, slug_of
from runners.stats.answers import believed
from runners.stats.comparison import counting
from runners.stats.histogram import decode, mean_us, merge, percentile_us

UNFLAT = ("latency", "latency_us", "parts", "checks", "commands", "evidence", "pair", "schema", "machine")
PERCENTS = (50, 90, 99, 99.9)


@dataclass(frozen=True)
class RunHead:
    """What each record says of its run: the folder's name, where and when it was measured, and by which version."""

    run: str
    run_kind: str
    machine: str
    machine_title: str | None
    cpu: str | None
    run_started_at: str | None
    commit: str | None
    version: str | None


@dataclass(frozen=True)
class TableHead:
    """What a row says of its table: its title, the mode of its connections, by what it is ranked, and beside whom."""

    table: str
    mode: str
    ranked_by: str
    published_by: str | None


@dataclass(frozen=True)
class Duet:
    """Two cells that were measured at the same time; a twin is the baseline under another name."""

    cell: str
    name: str
    baseline_cell: str
    baseline_name: str
    twin: bool
    server_cpu_us_per_request: Figure | None
    baseline_server_cpu_us_per_request: Figure | None
    comparison: ComparisonData


@dataclass(frozen=True)
class TrialFacts:
    """What a trial's record says beside its own fields.

    `counts` says whether the answers rest on it. Percentiles are those of the exact histogram, null if fewer than ten
    requests were slower; of others' trials, those that they printed.
    """

    counts: bool
    twin: bool
    partner: str | None
    checks_failed: str | None
    checks_warned: str | None
    latency_mean_us: float | None
    latency_p50_us: float | None
    latency_p90_us: float | None
    latency_p99_us: float | None
    latency_p99_9_us: float | None
    latency_max_us: float | None


ROW_COLUMNS: tuple[Column, ...] = (*columns_of(RunHead), *columns_of(TableHead), *columns_of(RowData))
DUET_COLUMNS: tuple[Column, ...] = (*columns_of(RunHead), *columns_of(Duet))
TRIAL_COLUMNS: tuple[Column, ...] = (*columns_of(RunHead), *columns_of(Trial, UNFLAT), *columns_of(TrialFacts))


@dataclass(frozen=True)
class Numbers:
    """The numbers of some runs, and the histogram of each cell by the name of its file."""

    rows: Sheet
    duets: Sheet
    trials: Sheet
    histograms: Mapping[str, Mapping[int, int]]

    @property
    def measured(self) -> dict[str, Record]:
        """Return the measured rows by the names of their cells, which begin with their run's if there are several."""
        rows = [row for row in self.rows.records if row["cell"] and row["status"] == "measured"]
        several = len({row["run"] for row in rows}) > 1
        found: dict[str, Record] = {}
        for row in rows:
            slug = slug_of(str(row["cell"]))
            found.setdefault(f"{row['run']}/{slug}" if several else slug, row)
        return found


def numbers_of(folders: Sequence[RunFolder]) -> Numbers:
    """Return the numbers of run folders."""
    runs = [(_head(item.view.folder), run_data(item)) for item in _summaries(folders)]
    named = [(f"{name_of(folder)}/" if len(folders) > 1 else "", folder) for folder in folders]
    return Numbers(
        rows=Sheet(ROW_COLUMNS, tuple(row for head, data in runs for row in _rows(head, data))),
        duets=Sheet(DUET_COLUMNS, tuple(_duet(head, pair) for head, data in runs for pair in data.duets)),
        trials=Sheet(TRIAL_COLUMNS, tuple(trial for folder in folders for trial in _trials(folder))),
        histograms={prefix + name: found for prefix, folder in named for name, found in _histograms(folder).items()},
    )


def _summaries(folders: Sequence[RunFolder]) -> tuple[Summary, ...]:
    """Return what a report says of the folders; of published ones alone, of each apart: a row names its machine."""
    measured, _ = apart(folders)
    return summaries(folders) if measured else tuple(item for folder in folders for item in summaries([folder]))


def name_of(folder: RunFolder) -> str:
    """Return what a run is called: its folder's name."""
    return folder.path.resolve().name


def _head(folder: RunFolder) -> RunHead:
    run = folder.run
    return RunHead(
        run=name_of(folder),
        run_kind=run.kind,
        machine=run.machine,
        machine_title=run.machine_title,
        cpu=run.facts.get("cpu"),
        run_started_at=run.started_at,
        commit=run.facts.get("commit"),
        version=run.version or None,
    )


def _rows(head: RunHead, data: RunData) -> Iterator[Record]:
    for table in data.tables:
        of = TableHead(table.title, table.mode, table.figure, table.published)
        yield from (record_of(ROW_COLUMNS, head, of, row) for row in table.rows)


def _duet(head: RunHead, pair: PairData) -> Record:
    duet = Duet(
        cell=pair.row,
        name=pair.row_name,
        baseline_cell=pair.baseline,
        baseline_name=pair.baseline_name,
        twin=pair.twin,
        server_cpu_us_per_request=pair.row_cost,
        baseline_server_cpu_us_per_request=pair.baseline_cost,
        comparison=pair.comparison,
    )
    return record_of(DUET_COLUMNS, head, duet)


def _trials(folder: RunFolder) -> Iterator[Record]:
    head, trials = _head(folder), believed(folder.trials)
    counted = set(map(id, counting(trials)))
    cells = {cell.id: cell for cell in folder.run.cells}
    for trial in trials:
        cell = cells.get(trial.cell)
        request = trial.request or (cell.request if cell else "") or None
        facts = _facts(
            trial,
            counts=trial.verdict == "ok" and id(trial) in counted,
            twin=bool(cell and cell.twin_of),
        )
        yield record_of(TRIAL_COLUMNS, head, replace(trial, request=request), facts)


def _facts(trial: Trial, *, counts: bool, twin: bool) -> TrialFacts:
    histogram = decode(trial.latency) if trial.latency else None
    found = trial.latency_us if histogram is None else figures_of(histogram)
    by_outcome = {
        outcome: " ".join(check.id for check in trial.checks if check.outcome == outcome) or None
        for outcome in ("fail", "warn")
    }
    return TrialFacts(
        counts=counts,
        twin=twin,
        partner=trial.partner,
        checks_failed=by_outcome["fail"],
        checks_warned=by_outcome["warn"],
        latency_mean_us=found.get("mean"),
        latency_p50_us=found.get("p50"),
        latency_p90_us=found.get("p90"),
        latency_p99_us=found.get("p99"),
        latency_p99_9_us=found.get("p99.9"),
        latency_max_us=found.get("max"),
    )


def figures_of(histogram: Mapping[int, int]) -> dict[str, float]:
    """Return a histogram's mean, percentiles and maximum, without those that it does not give."""
    percentiles = {f"p{percent:g}": percentile_us(histogram, percent) for percent in PERCENTS}
    found = {"mean": mean_us(histogram), **percentiles, "max": max(histogram, default=None)}
    return {name: value for name, value in found.items() if value is not None}


def _histograms(folder: RunFolder) -> dict[str, Mapping[int, int]]:
    """Return the histogram of each cell's trials that count, those at each offered rate apart."""
    found: defaultdict[str, list[Mapping[int, int]]] = defaultdict(list)
    for trial in ok_trials(counting(believed(folder.trials))):
        if trial.latency:
            rate = f"@{trial.offered_per_s:.17g}" if trial.offered_per_s else ""
            found[f"{trial.slug}{rate}"].append(decode(trial.latency))
    return {name: merge(of) for name, of in found.items()}
