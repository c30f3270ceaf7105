"""One row of a table, from the trials of one cell.

Pure. A row names a server, perhaps a variant, and a number of threads; the table adds the mode. Where several
connection counts or load generators were measured, each is a row of its own.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from reports.view.names import differences, with_server
from reports.view.reasons import REASON_CHARACTERS, Status, trials_note, why_unmeasured, why_unplanned
from reports.view.view import PublishedNumbers, RunView, ok_trials, row_key
from reports.view.words import clipped, one_line
from runners.matrix.cells import RowKey
from runners.matrix.model import TableRow
from runners.records.run import CellInfo, Gate
from runners.records.trial import Trial
from runners.stats.answers import wrong_answers
from runners.stats.noise import is_noisy
from runners.stats.statistics import Estimate, median
from runners.stats.steadiness import why_cold
from runners.units import plural

MOST_NAMED = 3  # gates in a badge
FIGURES = (
    "requests_per_s",
    "server_cpu_us_per_request",
    "client_cpu_us_per_request",
    "machine_cpu_us_per_request",
)  # of a trial, by which rows are compared


@dataclass(frozen=True)
class HeadingRow:
    """A heading between rows."""

    title: str


@dataclass(frozen=True)
class Costs:
    """What a request costs over the valid trials, in microseconds; its memory; its start. None: not known."""

    server: Estimate | None = None
    client: Estimate | None = None
    machine: Estimate | None = None
    rss_bytes: float | None = None
    idle_rss_bytes: float | None = None
    start_us: float | None = None
    server_share: float | None = None
    client_share: float | None = None
    bound: str = ""


@dataclass(frozen=True)
class Comparison:
    """A row against the table's baseline: ratios of requests per second, and of CPU time per request, measured alone.

    `cost` is that of the server, `client` of the load generator, `machine` of the whole machine. What they allow to
    say, if they do, is for `reports.claims.deciding`.
    """

    ratio: Estimate
    cost: Estimate | None = None
    client: Estimate | None = None
    machine: Estimate | None = None


@dataclass(frozen=True)
class Traits:
    """By what a reader may filter rows; empty: not known."""

    language: str = ""
    class_: str = ""
    group: str = ""


@dataclass(frozen=True)
class Row:
    """One row: a label, a status with its reason, and the numbers if it was measured.

    A "noisy" row has a rate, but only of trials that the machine's noise made invalid: it is compared with nothing.
    `label` and `note` are what its table shows, `name` is what a sentence calls it. `tags` are words that limit what
    the number means: "shared", "client-bound", "stripped", "historic"; `broken` names the gates that its class promises
    and it fails. `cold` says how it is known not to have been warm. `linked` says whether the page has the cell's
    trials, `trials_note` which of them do not count, and why; `published_ratio` is to the published baseline.
    """

    label: str
    note: str
    status: Status
    reason: str = ""
    name: str = ""
    key: RowKey | None = None
    cell: CellInfo | None = None
    anchor: str | None = None
    tags: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    trials: tuple[Trial, ...] = ()
    trials_note: str = ""
    rps: Estimate | None = None
    extremes: tuple[float, float] | None = None
    costs: Costs = Costs()
    baseline: bool = False
    comparison: Comparison | None = None
    published: float | None = None
    published_ratio: float | None = None
    cold: str = ""
    traits: Traits = Traits()
    linked: bool = False
    id: str = ""

    @cached_property
    def by_block(self) -> Mapping[str, Mapping[int, float]]:
        """Return, by the name of a trial's figure, its value in each block in which the trial counts."""
        valid = [trial for trial in ok_trials(self.trials) if trial.block is not None]
        return {
            figure: {trial.block or 0: value for trial in valid if (value := getattr(trial, figure))}
            for figure in FIGURES
        }

    @property
    def shown(self) -> str:
        """Return the label with its note: "epoll (with edge-triggering)"."""
        return _noted(self.label, self.note)

    @property
    def spread(self) -> tuple[float, float] | None:
        """Return the interval of the median, or lowest and highest where too few trials give none."""
        if self.rps is None or self.rps.interval is None:
            return self.extremes
        return self.rps.interval.low, self.rps.interval.high

    @property
    def shared(self) -> bool:
        """Return whether server and load generator shared CPUs."""
        return "shared" in self.tags

    @property
    def client_bound(self) -> bool:
        """Return whether the load generator was the limit: the number is a lower bound."""
        return "client-bound" in self.tags

    @property
    def operating_point(self) -> tuple[int, str, str] | None:
        """Return what rows must have in common to be compared: connections, load generator and request."""
        return (self.cell.connections, self.cell.load, self.cell.request) if self.cell else None


def _noted(label: str, note: str) -> str:
    return f"{label} ({note})" if note else label


def rows_of(entry: str | TableRow, mode: str, view: RunView, published: PublishedNumbers | None) -> Iterator[Row]:
    """Yield the rows that one entry of a table's list stands for."""
    key = row_key(entry)
    label, note = _label(entry, key, view)
    named = key.server, key.variant, key.threads, mode
    cells = view.by_key.get(named, ())
    if not cells:
        status, reason = why_unplanned(key, mode, view)
        before = published.rate(named, None, "") if published else None
        yield Row(label, note, status, reason, key=key, published=before, traits=_traits(key, view))
    for cell in cells:
        words = ", ".join(filter(None, (note, differences(cell, cells))))
        before = published.rate(named, cell.connections, cell.request) if published else None
        yield cell_row(cell, label, words, view, published=before, key=key)


def _label(entry: str | TableRow, key: RowKey, view: RunView) -> tuple[str, str]:
    """Return a row's label and the note behind it."""
    title = view.programs[key.server, key.variant][0].title
    threads = plural(key.threads, "thread") if key.threads > 1 else ""
    if isinstance(entry, TableRow):
        return entry.title or title, entry.note or ("" if entry.title else threads)
    return title, threads


def _traits(key: RowKey, view: RunView) -> Traits:
    """Return the traits of a row without a cell, from the matrix."""
    program, _ = view.programs[key.server, key.variant]
    return Traits(program.language or "", program.class_, program.group)


def cell_row(
    cell: CellInfo,
    label: str,
    note: str,
    view: RunView,
    *,
    published: float | None = None,
    key: RowKey | None = None,
) -> Row:
    """Return the row of one cell of the plan, measured or not."""
    wrong = wrong_answers(view.every.get(cell.id, ()))
    trials = () if wrong else view.trials.get(cell.id, ())
    valid = ok_trials(trials)
    status: Status = "measured"
    reason = ""
    if wrong:
        status, reason = "invalid", wrong
    elif not valid:
        status, reason = why_unmeasured(cell, trials)
    rates = [trial.requests_per_s or 0 for trial in valid or filter(is_noisy, trials)]
    return Row(
        label=label,
        note=note,
        status=status,
        reason=clipped(one_line(reason), REASON_CHARACTERS),
        name=_noted(with_server(label, view.server_title(cell.server), cell.server), note),
        key=key or RowKey(cell.server, cell.variant, cell.threads),
        cell=cell,
        anchor=view.anchors.get(cell.id),
        tags=tuple(_tags(cell, valid, view.badges(cell))),
        broken=tuple(gate.id for gate in view.badges(cell) if gate.required and cell.class_ != "historic"),
        trials=trials,
        trials_note=trials_note(trials, valid) if valid else "",
        rps=median(rates) if rates else None,
        extremes=(min(rates), max(rates)) if rates else None,
        costs=_costs(valid),
        published=published,
        cold=_cold(view.every.get(cell.id, ())),
        traits=Traits(cell.language or "", cell.class_, cell.group),
        linked=view.limits.folds and (cell.status in ("planned", "failed") or bool(trials)),
    )


def _cold(trials: Sequence[Trial]) -> str:
    """Return how the starts that decide show that a server was not warm: those in duets, where there are any."""
    valid = ok_trials(trials)
    duets = [trial for trial in valid if trial.design == "duet"]
    return why_cold(duets or [trial for trial in valid if trial.design == "solo"])


def _tags(cell: CellInfo, valid: Sequence[Trial], badges: Sequence[Gate]) -> Iterator[str]:
    if cell.shared:
        yield "shared"
    bounds = Counter(trial.bound for trial in valid)
    if bounds["client"] * 2 > len(valid):
        yield "client-bound"
    if cell.class_ != "realistic":
        yield cell.class_
    if badges:
        names = [gate.id for gate in badges]
        yield f"fails {', '.join(names) if len(names) <= MOST_NAMED else f'{len(names)} gates of robustness'}"


def _costs(valid: Sequence[Trial]) -> Costs:
    return Costs(
        server=_estimate(trial.server_cpu_us_per_request for trial in valid),
        client=_estimate(trial.client_cpu_us_per_request for trial in valid),
        machine=_estimate(trial.machine_cpu_us_per_request for trial in valid),
        rss_bytes=median_of(trial.rss_bytes for trial in valid),
        idle_rss_bytes=median_of(trial.idle_rss_bytes for trial in valid),
        start_us=median_of(trial.start_us for trial in valid),
        server_share=median_of(trial.server_cpu_share for trial in valid),
        client_share=median_of(trial.client_cpu_share for trial in valid),
        bound=_bound(valid),
    )


def _bound(valid: Sequence[Trial]) -> str:
    """Return what limited the trials, the most frequent first: "server", "server 4, neither 2"."""
    counted = Counter(trial.bound for trial in valid if trial.bound).most_common()
    if len(counted) < 2:
        return counted[0][0] if counted else ""
    return ", ".join(f"{name} {count}" for name, count in counted)


def _estimate(values: Iterable[float | None]) -> Estimate | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def median_of(values: Iterable[float | None]) -> float | None:
    """Return the median of the values that are known; None without any."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None
