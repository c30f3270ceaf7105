"""One row of a table: what was measured for it, or in one line why nothing was.

Pure. A row names a server, perhaps a variant, and a number of threads; the table adds the mode. Where several
connection counts or load generators were measured, each is a row of its own.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from reports.view.clean import clipped
from reports.view.view import PublishedNumbers, RunView, ok_trials, row_key
from runners.matrix.cells import RowKey
from runners.matrix.model import TableRow
from runners.records.run import CellInfo
from runners.records.trial import Trial
from runners.stats.statistics import Estimate, Judgement, median

MOST_BLOCKS = 500  # nobody measures more; the machine must be made quieter
FIGURES = (
    "requests_per_s",
    "server_cpu_us_per_request",
    "client_cpu_us_per_request",
    "machine_cpu_us_per_request",
)  # of a trial, by which rows are compared
NOT_SELECTED = "not selected for this run"
REASON_CHARACTERS = 240  # what a table shows of a reason; the fold shows all of it

Status = Literal["measured", "unavailable", "excluded", "failed", "invalid", "not run"]


@dataclass(frozen=True)
class HeadingRow:
    """A line between rows that names what follows."""

    title: str


@dataclass(frozen=True)
class Costs:
    """What a request costs over the valid trials, in microseconds of CPU time, and the memory; None: not known."""

    server: Estimate | None = None
    client: Estimate | None = None
    machine: Estimate | None = None
    rss_bytes: float | None = None
    server_share: float | None = None
    client_share: float | None = None
    bound: str = ""


@dataclass(frozen=True)
class Comparison:
    """A row against the table's baseline row: the ratio of requests per second and what may be said from it.

    `cost` is the ratio of the server's CPU time per request, `client` and `machine` those of the load generator and of
    the whole machine. Without a judgement, `unranked` says why.
    """

    ratio: Estimate
    judgement: Judgement | None
    unranked: str = ""
    cost: Estimate | None = None
    cost_judgement: Judgement | None = None
    cost_unranked: str = ""
    client: Estimate | None = None
    machine: Estimate | None = None

    @property
    def needs(self) -> str:
        """Return how much more measuring would resolve the ratio, in words; empty where that is not known."""
        return needs(self.judgement)


def needs(judgement: Judgement | None) -> str:
    """Return how many more blocks a judgement asks for, in words; empty where it is final or nothing is known."""
    more = judgement.more_blocks if judgement else None
    if more is None:
        return ""
    if more > MOST_BLOCKS:
        return f"too noisy: needs over {MOST_BLOCKS} more blocks"
    return f"needs about {plural(more, 'more block')}"


@dataclass(frozen=True)
class Traits:
    """What a reader may choose rows by; empty: not known."""

    language: str = ""
    class_: str = ""
    group: str = ""


@dataclass(frozen=True)
class Row:
    """One row: a label, a status with its reason, and where measured, the numbers.

    `tags` are words that limit what the number means: "shared", "client-bound", "stripped", "historic".
    `linked` says whether the cell can be unfolded, `trials_note` which trials do not count and why; `published_ratio`
    is to the published number of the baseline.
    """

    label: str
    note: str
    status: Status
    reason: str = ""
    key: RowKey | None = None
    cell: CellInfo | None = None
    anchor: str | None = None
    tags: tuple[str, ...] = ()
    trials: tuple[Trial, ...] = ()
    trials_note: str = ""
    rps: Estimate | None = None
    extremes: tuple[float, float] | None = None
    costs: Costs = Costs()
    baseline: bool = False
    comparison: Comparison | None = None
    published: float | None = None
    published_ratio: float | None = None
    traits: Traits = Traits()
    linked: bool = False

    @cached_property
    def by_block(self) -> Mapping[str, Mapping[int, float]]:
        """Return, by the name of a trial's figure, its value in each block in which the trial counts."""
        valid = [trial for trial in ok_trials(self.trials) if trial.block is not None]
        return {
            figure: {trial.block or 0: value for trial in valid if (value := getattr(trial, figure))}
            for figure in FIGURES
        }

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
    def group(self) -> tuple[int, str] | None:
        """Return what rows must have in common to be compared: connections and load generator."""
        return (self.cell.connections, self.cell.load) if self.cell else None


def rows_of(entry: str | TableRow, mode: str, view: RunView, published: PublishedNumbers | None) -> Iterator[Row]:
    """Yield the rows that one entry of a table's list stands for."""
    key = row_key(entry)
    label, note = _label(entry, key, view)
    before = published.requests_per_s.get((key.server, key.variant, key.threads, mode)) if published else None
    cells = view.by_key.get((key.server, key.variant, key.threads, mode), ())
    if not cells:
        status, reason = _why_absent(key, mode, view)
        yield Row(label, note, status, reason, key=key, published=before, traits=_traits(key, view))
    for cell in cells:
        yield cell_row(cell, label, _with_differences(note, cell, cells), view, published=before, key=key)


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
    trials = view.trials.get(cell.id, ())
    valid = ok_trials(trials)
    status: Status = "measured"
    reason = ""
    if not valid:
        status, reason = _why_unmeasured(cell, trials)
    rates = [trial.requests_per_s or 0 for trial in valid]
    return Row(
        label=label,
        note=note,
        status=status,
        reason=clipped(one_line(reason), REASON_CHARACTERS),
        key=key or RowKey(cell.server, cell.variant, cell.threads),
        cell=cell,
        anchor=view.anchors.get(cell.id),
        tags=tuple(_tags(cell, valid)),
        trials=trials,
        trials_note=_trials_note(trials, valid) if valid else "",
        rps=median(rates) if rates else None,
        extremes=(min(rates), max(rates)) if rates else None,
        costs=_costs(valid),
        published=published,
        traits=Traits(cell.language or "", cell.class_, cell.group),
        linked=view.limits.folds and (cell.status in ("planned", "failed") or bool(trials)),
    )


def named(row: Row) -> str:
    """Return a row's name with its note: "epoll (with edge-triggering)"."""
    return f"{row.label} ({row.note})" if row.note else row.label


def plural(count: int, word: str) -> str:
    """Return "1 thread", "2 threads"."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def digits(ratio: float) -> int:
    """Return how many decimals a ratio needs, so that small ones still tell their intervals' ends apart."""
    return 2 if ratio >= 0.5 else 3


def one_line(text: str) -> str:
    """Return text with every run of white space as one space."""
    return " ".join(text.split())


def count_reasons(trials: Iterable[Trial]) -> str:
    """Return why trials do not count, alike ones counted: "V13 steady (4 times); V1 no errors: 3 timeouts"."""
    grouped: dict[str, list[Trial]] = {}
    for trial in trials:
        grouped.setdefault(_failed_checks(trial) or _reason(trial), []).append(trial)
    return "; ".join(
        _reason(same[0]) if len(same) == 1 else f"{name} ({len(same)} times)" for name, same in grouped.items()
    )


def count_checks(trials: Iterable[Trial]) -> str:
    """Return the names of the failed checks, counted, and nothing of what they saw: short enough for a table."""
    counted = Counter(_failed_checks(trial) or _reason(trial) for trial in trials)
    return "; ".join(name if count == 1 else f"{name} ({count} times)" for name, count in counted.items())


def _failed_checks(trial: Trial) -> str:
    return ", ".join(f"{check.id} {check.name}" for check in trial.checks if check.outcome == "fail")


def _reason(trial: Trial) -> str:
    return clipped(one_line(trial.reason or trial.verdict), REASON_CHARACTERS)


def _label(entry: str | TableRow, key: RowKey, view: RunView) -> tuple[str, str]:
    """Return a row's name and the words behind its number."""
    title = view.programs[key.server, key.variant][0].title
    if isinstance(entry, TableRow):
        return entry.title or title, entry.note or ("" if entry.title else _threads_note(key.threads))
    return title, _threads_note(key.threads)


def _traits(key: RowKey, view: RunView) -> Traits:
    """Return the traits of a row without a cell, from the matrix."""
    program, _ = view.programs[key.server, key.variant]
    return Traits(program.language or "", program.class_, program.group)


def _threads_note(threads: int) -> str:
    return plural(threads, "thread") if threads > 1 else ""


def _with_differences(note: str, cell: CellInfo, cells: Sequence[CellInfo]) -> str:
    """Add to the note what tells a cell from the others of its row."""
    parts = [note] if note else []
    if len({other.connections for other in cells}) > 1:
        parts.append(plural(cell.connections, "connection"))
    if len({other.load for other in cells}) > 1:
        parts.append(cell.load)
    return ", ".join(parts)


def _why_absent(key: RowKey, mode: str, view: RunView) -> tuple[Status, str]:
    """Return status and reason of a row for which the plan holds no cell."""
    program, limits = view.programs[key.server, key.variant]
    if program.unavailable is not None:
        return "unavailable", one_line(program.unavailable)
    if view.matrix and mode not in view.matrix.suite.modes:
        return "not run", f"{mode} connections are not among this matrix's modes"
    machine = view.matrix.machine.get(view.run.machine) if view.matrix else None
    if machine is not None and key.threads not in machine.threads:
        return "not run", _not_in("are" if key.threads > 1 else "is", key.threads, machine.threads)
    if limits is not None and key.threads not in limits:
        return "not run", f"{program.title} can use {_list(limits)} threads, not {key.threads}"
    return "not run", NOT_SELECTED


def _not_in(verb: str, threads: int, profile: Sequence[int]) -> str:
    return f"{plural(threads, 'thread')} {verb} not in this machine's profile (threads {_list(profile)})"


def _list(numbers: Iterable[int]) -> str:
    return ", ".join(str(number) for number in numbers)


def _why_unmeasured(cell: CellInfo, trials: Sequence[Trial]) -> tuple[Status, str]:
    """Return status and reason of a cell without a valid trial."""
    if trials:
        last = trials[-1].verdict
        counted = [trial.requests_per_s for trial in trials if trial.requests_per_s]
        if cell.class_ == "historic" and counted:
            rate = f"{statistics.median(counted):,.0f}".replace(",", " ")
            return "invalid", f"wrk counted {rate}/s, but these are no answers to requests: {count_checks(trials)}"
        count = f"none of {plural(len(trials), 'trial')} counts: {count_reasons(trials)}"
        return "invalid" if last == "ok" else last, count
    if cell.status == "planned":
        return "not run", "planned, not measured yet"
    return cell.status, cell.reason or ""


def _tags(cell: CellInfo, valid: Sequence[Trial]) -> Iterator[str]:
    if cell.shared:
        yield "shared"
    bounds = Counter(trial.bound for trial in valid)
    if bounds["client"] * 2 > len(valid):
        yield "client-bound"
    if cell.class_ != "realistic":
        yield cell.class_


def _trials_note(trials: Sequence[Trial], valid: Sequence[Trial]) -> str:
    """Return "5 of 6 trials valid: why" where some are not."""
    if len(valid) == len(trials):
        return ""
    counted = {id(trial) for trial in valid}
    others = [trial for trial in trials if id(trial) not in counted]
    return f"{len(valid)} of {len(trials)} trials valid: {count_checks(others)}"


def _costs(valid: Sequence[Trial]) -> Costs:
    return Costs(
        server=_estimate(trial.server_cpu_us_per_request for trial in valid),
        client=_estimate(trial.client_cpu_us_per_request for trial in valid),
        machine=_estimate(trial.machine_cpu_us_per_request for trial in valid),
        rss_bytes=_median(trial.rss_bytes for trial in valid),
        server_share=_median(trial.server_cpu_share for trial in valid),
        client_share=_median(trial.client_cpu_share for trial in valid),
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


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None
