"""Many comparisons and runs over time, as ratios alone: each figure against its baseline, never raw rates. Pure.

An entry keeps the log ratios of its blocks, so that every mark on a page comes from the same statistics as a verdict,
at a level at which all marks of the page hold together. A comparison is marked if the new server differs from the old
one; a run is marked if its ratio differs from that of the last run on the same machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from reports.changes.change import KINDS, Apart, Change, Kind, Paired, hull
from reports.changes.recorded import Recorded, ratios_to_baselines
from runners.records.run import Run
from runners.stats.rule import Rule
from runners.stats.statistics import Estimate

MOST_LOGS, MOST_LOG = 1000, 20.0  # blocks of a figure, and a log ratio: more is no measurement
DIGITS = 5  # of a log ratio: a thousandth of a percent
SCHEMA: Literal["speedup.history/1"] = "speedup.history/1"
BY_NAME: Mapping[str, Kind] = {kind.name: kind for kind in KINDS}


@dataclass(frozen=True)
class Figure:
    """A figure in one place: log ratios to `baseline` by block, for each build; `row` is empty in a comparison."""

    figure: str
    design: Literal["solo", "duet"]
    mode: str
    request: str
    row: str
    baseline: str
    logs: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Entry:
    """A comparison or a run as one line of a history: when, where, and its ratios. `old` is empty for a run."""

    schema: Literal["speedup.history/1"]
    kind: Literal["comparison", "run"]
    at: str
    machine: str
    old: str
    new: str
    sentence: str
    figures: tuple[Figure, ...]


Key = tuple[str, str, str, str, str, str]  # kind of entry, row, baseline, mode, request, figure


@dataclass(frozen=True)
class Point:
    """An entry's ratio in a series, by its number, with its interval; `mark` says whether it changed, and how."""

    entry: int
    ratio: Estimate
    mark: Literal["", "better", "worse"] = ""


@dataclass(frozen=True)
class Series:
    """A figure of one place over time: what it is called, what it is relative to, and its points in order."""

    key: Key
    title: str
    points: tuple[Point, ...]


def entry_of_change(change: Change, run: Run, sentence: str) -> Entry:
    """Return a comparison as an entry; `run` is the first of its runs."""
    figures = tuple(
        Figure(
            line.kind.name, line.design, line.place.mode, line.place.request, line.place.cell, "old",
            tuple(_rounded(each.logs) for each in line.found if isinstance(each, Paired)),
        )
        for line in change.lines
        if line.found
    )  # fmt: skip
    return Entry(SCHEMA, "comparison", run.started_at or "", machine_of(run), change.old, change.new, sentence, figures)


def entry_of_run(side: Recorded) -> Entry:
    """Return a run as an entry: every cell's figures against its baseline or the ruler."""
    figures = tuple(
        Figure(kind.name, design, cell.mode, cell.request, row, baseline, (_rounded(logs),))
        for cell, row, baseline, kind, design, logs in ratios_to_baselines(side)
    )
    return Entry(SCHEMA, "run", side.run.started_at or "", machine_of(side.run), "", side.name, "", figures)


def is_sound(entry: Entry) -> bool:
    """Return whether an entry's numbers can be what somebody measured: finite, and not too many to compute with."""
    builds = [logs for figure in entry.figures for logs in figure.logs]
    return all(len(logs) <= MOST_LOGS and all(abs(log) < MOST_LOG for log in logs) for logs in builds)


def machine_of(run: Run) -> str:
    """Return what tells machines apart: entries of two are never compared."""
    title = run.machine_title or run.machine
    return f"{title}, {run.identity.cpu}, {run.identity.kernel}" if run.identity else title


def _rounded(logs: Iterable[float]) -> tuple[float, ...]:
    return tuple(round(log, DIGITS) for log in logs)


def series_of(entries: Sequence[Entry]) -> tuple[Series, ...]:
    """Return every figure over time, with the changes marked that are sure for all of the page together."""
    found: dict[Key, list[tuple[int, Figure]]] = {}
    for number, entry in enumerate(entries):
        for figure in entry.figures:
            if figure.figure in BY_NAME and figure.logs and all(figure.logs):
                found.setdefault(_key(entry, figure), []).append((number, figure))
    judged = sum(map(len, found.values()))
    return tuple(Series(key, _title(key), tuple(_points(key, of, entries, judged))) for key, of in found.items())


def _key(entry: Entry, figure: Figure) -> Key:
    return entry.kind, figure.row, figure.baseline, figure.mode, figure.request, figure.figure


def _title(key: Key) -> str:
    kind, row, baseline, mode, request, figure = key
    what = f"{row} / {baseline}" if kind == "run" else "new / old"
    return ", ".join(filter(None, (BY_NAME[figure].title, f"{what}", mode, f"request {request}" if request else "")))


def _points(key: Key, of: Sequence[tuple[int, Figure]], entries: Sequence[Entry], judged: int) -> Iterator[Point]:
    before: dict[str, Figure] = {}
    for number, figure in of:
        machine = entries[number].machine
        shown = Rule(figure.design, 1, 1)
        ratio = hull([Paired(logs).ratio(shown.level) for logs in figure.logs])
        earlier = before.get(machine)
        yield Point(number, ratio, _mark(key[0], figure, earlier, Rule(figure.design, judged, 1)))
        before[machine] = figure


def _mark(kind: str, figure: Figure, earlier: Figure | None, rule: Rule) -> Literal["", "better", "worse"]:
    if kind == "comparison":
        ratio = hull([Paired(logs).ratio(rule.level) for logs in figure.logs])
    elif earlier is not None:
        ratio = Apart(figure.logs[0], earlier.logs[0]).ratio(rule.level)
    else:
        return ""
    answer = rule.judge(ratio, *BY_NAME[figure.figure].words).answer
    return "better" if answer == "faster" else "worse" if answer == "slower" else ""
