"""A history: one line of JSON for each entry, and a page or JSON of all of them. Pure.

What is in a line may come from anybody who can write to a branch, so all of it is checked and escaped.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from markupsafe import Markup, escape
from pydantic import TypeAdapter, ValidationError

from reports.changes.change_words import signed
from reports.changes.history import Entry, Point, Series, is_sound, series_of
from reports.forms.page.pages import environment, style_sheet
from reports.plots.timelines import timeline
from reports.view.words import clean
from runners.units import plural

MOST_ENTRIES = 500  # in the table of a page; all are in the charts
MOST_POINTS = 10_000  # drawn on a page, so that it still opens
MOST_WORDS = 300  # characters of an entry's sentence on the page

_ENTRY = TypeAdapter(Entry)


@dataclass(frozen=True)
class History:
    """What was read: all good entries by time, and what was left out."""

    source: str
    entries: tuple[Entry, ...]
    left_out: tuple[str, ...] = ()


def to_line(entry: Entry) -> str:
    """Return an entry as a line of JSON."""
    return json.dumps(asdict(entry), ensure_ascii=False, separators=(",", ":")) + "\n"


def read_lines(source: str, lines: Iterable[str]) -> History:
    """Return the history that lines hold; those that are damaged are named, and left out."""
    entries, left_out = [], []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            entry = _ENTRY.validate_json(line)
        except ValidationError as error:
            left_out.append(f"line {number}: {error.errors()[0]['msg']}")
            continue
        if is_sound(entry):
            entries.append(entry)
        else:
            left_out.append(f"line {number}: its numbers are no measurement")
    return history(source, entries, left_out)


def history(source: str, entries: Iterable[Entry], left_out: Iterable[str] = ()) -> History:
    """Return entries in the order of their time."""
    return History(source, tuple(sorted(entries, key=lambda entry: entry.at)), tuple(left_out))


def render_history_json(found: History) -> str:
    """Return all series as JSON: the ratios of each entry with their intervals, and the changes that are marked."""
    data = {
        "schema": "speedup.history-page/1",
        "entries": [_entry(entry) for entry in found.entries],
        "series": [_series(each) for each in series_of(found.entries)],
        "left_out": list(found.left_out),
    }
    return json.dumps(data, ensure_ascii=False, indent=1) + "\n"


def _entry(entry: Entry) -> dict[str, Any]:
    return {name: value for name, value in asdict(entry).items() if name not in {"figures", "schema"}}


def _series(series: Series) -> dict[str, Any]:
    kind, row, baseline, mode, request, figure = series.key
    points = [_point(point) for point in series.points]
    return {
        "kind": kind, "row": row, "baseline": baseline, "mode": mode, "request": request, "figure": figure,
        "points": points,
    }  # fmt: skip


def _point(point: Point) -> dict[str, Any]:
    ratio, interval = point.ratio, point.ratio.interval
    return {
        "entry": point.entry,
        "ratio": ratio.value,
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "level": interval.level if interval else None,
        "change": point.mark or None,
    }


@dataclass(frozen=True)
class Chart:
    """A series on the page: its title, its chart, its last ratio in words, and how many changes are marked."""

    title: str
    drawn: Markup
    last: str
    better: int
    worse: int


@dataclass(frozen=True)
class Line:
    """An entry on the page."""

    at: str
    what: str
    machine: str
    sentence: str
    marks: str


def render_history(found: History) -> str:
    """Return the page: a chart for each series, and the entries, newest first."""
    series = series_of(found.entries)
    shown = _most_recent(series)
    marks = _marks(series)
    lines = [_line(entry, marks.get(number, "")) for number, entry in enumerate(found.entries)][::-1]
    return environment().get_template("history.html.j2").render(
        css=style_sheet(),
        source=found.source,
        charts=[_chart(each, len(found.entries)) for each in shown],
        lines=lines[:MOST_ENTRIES],
        count=len(lines),
        cut=sum(len(each.points) for each in series) - sum(len(each.points) for each in shown),
        left_out=found.left_out,
    )  # fmt: skip


def _most_recent(series: Sequence[Series]) -> tuple[Series, ...]:
    """Return the series with as many of their last points as a page may hold."""
    each = max(1, MOST_POINTS // max(1, len(series)))
    kept = [Series(one.key, one.title, one.points[-each:]) for one in series]
    return tuple(kept[:MOST_POINTS])


def _chart(series: Series, entries: int) -> Chart:
    words = f"{series.title}: {plural(len(series.points), 'ratio')} over {plural(entries, 'record')}"
    drawn = Markup(timeline(series.points, entries, str(escape(clean(words)))))  # noqa: S704 - numbers, escaped words
    last = series.points[-1].ratio
    marks = [point.mark for point in series.points]
    return Chart(series.title, drawn, _ratio(series, last.value), marks.count("better"), marks.count("worse"))


def _ratio(series: Series, value: float) -> str:
    return signed(value) if series.key[0] == "comparison" else f"{value:.3g} times"


def _marks(series: Iterable[Series]) -> dict[int, str]:
    found: dict[int, list[str]] = {}
    for number, words in _marked(series):
        found.setdefault(number, []).append(words)
    return {number: "; ".join(words[:3]) for number, words in found.items()}


def _marked(series: Iterable[Series]) -> Iterator[tuple[int, str]]:
    for each in series:
        yield from ((point.entry, f"{each.title}: {point.mark}") for point in each.points if point.mark)


def _line(entry: Entry, marks: str) -> Line:
    what = f"{entry.old} → {entry.new}" if entry.kind == "comparison" else f"run {entry.new}"
    return Line(entry.at, what, entry.machine, entry.sentence[:MOST_WORDS], marks)
