"""What the page unfolds for each cell: its trials with their checks, commands, output and latency."""

from __future__ import annotations

import dataclasses
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from reports.forms.page.logs import read_log
from reports.plots.sparks import SampledCounter, counters, highest, spark, throughput
from reports.trust.checks import SEVERITY, WORDS, CheckLine, CheckRow, Saw, check_line, check_rows
from reports.view.asked import PartView, parts_of
from reports.view.footprint import Footprint, footprint_of
from reports.view.latency import Latency, latency_of
from reports.view.limits import MOST_OUTPUTS, MOST_WATCHED, Limits
from reports.view.reasons import count_reasons
from reports.view.rows import Row, cell_row
from reports.view.switches import switches_text
from reports.view.view import RunView, is_solo
from runners.records.run import CellInfo
from runners.records.trial import ClientHost, Command, Trial
from runners.stats.answers import right_answers
from runners.units import plural

MOST_SAWS = 5  # of a check, in a large run


@dataclass(frozen=True)
class CommandView:
    """A command line and what it printed; None: nothing was kept."""

    title: str
    line: str
    cpus: str | None
    output: str | None


@dataclass(frozen=True)
class CounterView:
    """A counter over a trial's time: a line, and its lowest and highest value."""

    name: str
    line: Markup
    low: float
    high: float
    unit: str

    @property
    def places(self) -> int:
        """Return how many decimals the values deserve."""
        return 2 if self.high < 20 else 0


@dataclass(frozen=True)
class TrialView:
    """One trial as its cell shows it; `label` tells its block, whether it is a repeat, and its partner in a duet."""

    trial: Trial
    label: str
    beside: str
    tally: str
    spark: Markup
    counters: tuple[CounterView, ...]
    commands: tuple[CommandView, ...]


@dataclass(frozen=True)
class ClientView:
    """What one client host of a fleet did in one trial, and its share of all requests."""

    label: str
    client: ClientHost
    share: float


@dataclass(frozen=True)
class Fold:
    """One cell, unfolded."""

    anchor: str
    cell: CellInfo
    row: Row
    latency: Latency | None
    footprint: Footprint | None
    parts: tuple[PartView, ...]
    checked: str | None
    switches: str
    trials: tuple[TrialView, ...]
    summary: str
    checks: tuple[CheckRow, ...]
    check_line: CheckLine
    clients: tuple[ClientView, ...] = ()


def build_folds(view: RunView) -> tuple[Fold, ...]:
    """Return a fold for each cell that was planned, failed or has trials, in the plan's order."""
    if not view.limits.folds:
        return ()
    cells = [cell for cell in view.cells if cell.status in ("planned", "failed") or cell.id in view.every]
    telling = _telling([view.every.get(cell.id, ()) for cell in cells], view.limits)
    slugs = {cell.id: cell.slug for cell in view.cells}
    return tuple(_fold(cell, view, slugs, telling) for cell in cells)


def _telling(cells: Sequence[Sequence[Trial]], limits: Limits) -> AbstractSet[int]:
    """Return the ids of the trials whose commands and output are shown, as `Limits.outputs` says."""
    every = [trial for trials in cells for trial in trials]
    bad = [trial for trial in every if trial.verdict != "ok"][:MOST_OUTPUTS]
    first = [trials[0] for trials in cells if trials]
    return {id(trial) for trial in (every if limits.all_outputs else first + bad)}


def _fold(cell: CellInfo, view: RunView, slugs: Mapping[str, str], telling: AbstractSet[int]) -> Fold:
    trials = view.every.get(cell.id, ())
    row = cell_row(cell, cell.title, "", view)
    details = view.limits.details
    watched = details or len(view.cells) <= MOST_WATCHED
    lines = [throughput(trial) if details else () for trial in trials]
    rows, top = check_rows(trials), highest(lines)
    return Fold(
        anchor=view.anchors[cell.id],
        cell=cell,
        row=row,
        latency=latency_of(view.trials.get(cell.id, ())),
        footprint=footprint_of(cell, view),
        parts=parts_of(view.trials.get(cell.id, ())),
        checked=right_answers(trials),
        switches=switches_text(view.trials.get(cell.id, ())),
        trials=tuple(
            _trial(
                trial,
                _label(trial, slugs),
                _beside(trial, slugs),
                spark(line, top),
                view.folder.path if id(trial) in telling else None,
                watched=watched and trial is trials[0],
            )
            for trial, line in zip(trials, lines, strict=True)
        ),
        summary=_summary(row, trials),
        checks=rows if details else tuple(map(_shortened, (row for row in rows if row.outcome in ("fail", "warn")))),
        check_line=() if details else check_line(trials, ()),
        clients=tuple(client for trial in trials for client in _clients(trial, _label(trial, slugs))),
    )


def _shortened(row: CheckRow) -> CheckRow:
    """Return a check of a large run with only what did not pass, and not too much of that."""
    bad = [saw for saw in row.saws if saw.outcome in ("fail", "warn")]
    more = sum(saw.count for saw in bad[MOST_SAWS:])
    rest = (Saw(row.outcome, f"... and {plural(more, 'trial')} more", more),) if more else ()
    return dataclasses.replace(row, saws=(*bad[:MOST_SAWS], *rest))


def _clients(trial: Trial, label: str) -> Iterator[ClientView]:
    """Yield what each client host of a fleet did in a trial."""
    hosts = trial.evidence.clients if trial.evidence else ()
    total = sum(host.requests for host in hosts)
    yield from (ClientView(label, host, host.requests / total) for host in hosts if total)


def _summary(row: Row, trials: Sequence[Trial]) -> str:
    """Return in a few words what became of the cell: "6 trials, all valid"."""
    if not trials:
        return f"{row.status}: {row.reason}" if row.reason else row.status
    bad = [trial for trial in trials if trial.verdict != "ok"]
    if not bad:
        return f"{plural(len(trials), 'trial')}, {'all ' if len(trials) > 1 else ''}valid"
    return f"{len(trials) - len(bad)} of {plural(len(trials), 'trial')} valid: {count_reasons(bad)}"


def _label(trial: Trial, slugs: Mapping[str, str]) -> str:
    """Return "3", "3 again", "3 with epoll/t1/c64/persistent" (a duet), "3 confirm, misses p99 < 2ms"."""
    words = ["\u2013" if trial.block is None else str(trial.block + 1)]
    words += ["again"] if trial.attempt else []
    beside = _beside(trial, slugs)
    if beside:
        words.append(f"with {beside}")
    elif not is_solo(trial):
        words.append(f"{trial.design}{_answered(trial)}")
    return " ".join(words)


def _answered(trial: Trial) -> str:
    """Return whether a trial met the objective that it was asked about; empty where it was asked nothing."""
    if trial.objective is None or trial.objective_met is None:
        return ""
    return f", {'meets' if trial.objective_met else 'misses'} {trial.objective}"


def _beside(trial: Trial, slugs: Mapping[str, str]) -> str:
    """Return the slug of a trial's partner in a duet; empty if it ran alone."""
    partner = trial.partner or ""
    return slugs.get(partner, partner)


def _trial(trial: Trial, label: str, beside: str, line: str, folder: Path | None, *, watched: bool) -> TrialView:
    counted = Counter(check.outcome for check in trial.checks)
    return TrialView(
        trial=trial,
        label=label,
        beside=beside,
        tally=", ".join(f"{counted[outcome]} {WORDS[outcome]}" for outcome in SEVERITY if counted[outcome]),
        spark=Markup(line),  # noqa: S704 - our own SVG
        counters=tuple(map(_counter, counters(trial))) if watched else (),
        commands=tuple(_command(command, folder) for command in trial.commands) if folder else (),
    )


def _counter(counter: SampledCounter) -> CounterView:
    line = Markup(spark(counter.values, max(counter.values), counter.unit))  # noqa: S704 - our own SVG
    return CounterView(counter.name, line, min(counter.values), max(counter.values), counter.unit)


def _command(command: Command, folder: Path) -> CommandView:
    return CommandView(
        title=command.purpose.capitalize(),
        line=shlex.join(command.argv),
        cpus=command.cpus,
        output=read_log(folder, command.log),
    )
