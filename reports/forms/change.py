"""A comparison of two servers as data, whose schema is `compare.schema.json`, and as Markdown. Pure.

The terminal shows the same cells as Markdown. Names end with their units; what is not known is null.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import TypeAdapter

from reports.changes.change import Change, FigureName, Line, Place, Verdict
from reports.changes.change_words import gate_lines, reasons, sentences, signed, title
from reports.changes.slowdowns import Judged, Outcome, verdict
from reports.view.words import clean, level_text, percent
from runners.matrix.schema import schema_text
from runners.stats.rule import Design
from runners.units import format_duration, format_size

SCHEMA: Literal["speedup.compare/1"] = "speedup.compare/1"
HEADINGS = ("figure", "old", "new", "change", "interval", "verdict", "could see")
UNITS = {"cpu": "us", "rate": "per_s", "memory": "bytes"}  # latencies are in us, too
DASH = "-"
BETTER = {"cpu": "less", "cpu_equal_rate": "less", "rate": "more", "memory": "less"}
WORSE = {"cpu": "more", "cpu_equal_rate": "more", "rate": "fewer", "memory": "more"}


@dataclass(frozen=True)
class LineData:
    """A figure in one place, in `unit`: medians of both sides, and the ratio new / old with its interval.

    `request` is empty if there is only one; `cell` names the cell of recorded runs, and is empty otherwise.
    `rate_per_s` is what was offered to each side; null for figures of closed loops.

    `could_see` is the smallest change that could have been seen, as a share. `more_s` is about how much longer it would
    take to resolve it. `reason` says why there is no ratio or no verdict.
    """

    figure: FigureName
    mode: str
    request: str
    cell: str
    connections: int
    rate_per_s: float | None
    unit: Literal["us", "per_s", "bytes"]
    basis: Design
    old: float | None
    new: float | None
    ratio: float | None
    low: float | None
    high: float | None
    level: float | None
    margin: float
    blocks: int
    verdict: Verdict
    could_see: float | None
    more_s: float | None
    reason: str | None


@dataclass(frozen=True)
class BoundData:
    """A line against a bound of --fail-slower: the slowdown with the interval that decides, as ratios above 1."""

    bound: str
    share: float
    figure: FigureName
    mode: str
    request: str
    cell: str
    outcome: Outcome
    slowdown: float | None
    low: float | None
    high: float | None
    more_s: float | None


@dataclass(frozen=True)
class CompareData:
    """A comparison: the answer in words, its lines, the gate's outcome (null without bounds), and the run folders.

    `recorded` says that both sides were measured at different times, which is weaker; `differences` says what was
    different then. `relative_to` is the server that each side's figures were divided by, if they had to be; the medians
    `old` and `new` are null then. It is empty otherwise.
    """

    schema: Literal["speedup.compare/1"]
    old: str
    new: str
    sentence: str
    builds: int
    same_program: bool
    recorded: bool
    differences: tuple[str, ...]
    relative_to: str
    lines: tuple[LineData, ...]
    gate: Outcome | None
    bounds: tuple[BoundData, ...]
    notes: tuple[str, ...]
    runs: tuple[str, ...]
    report: str | None


@dataclass(frozen=True)
class Told:
    """All that a comparison has to tell: the change, what the gate found, notes, and paths of runs and report.

    Without a change, both sides are the same program, and nothing was measured. `differences` are those between the
    circumstances of two recorded runs.
    """

    old: str
    new: str
    change: Change | None
    judged: tuple[Judged, ...] = ()
    notes: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    report: str | None = None
    differences: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """Return the answer."""
        if self.change is None:
            return f"{self.old} and {self.new} both build the same program; nothing was measured."
        return sentences(self.change)

    @property
    def remarks(self) -> tuple[str, ...]:
        """Return what stands below the tables: why figures are not resolved, what the gate says, and notes."""
        whys = tuple(reasons(self.change)) if self.change else ()
        return (*whys, *self.gate, *self.differences, *self.notes)

    @property
    def gate(self) -> tuple[str, ...]:
        """Return what the gate says, line by line."""
        return tuple(gate_lines(self.change, self.judged)) if self.change and self.judged else ()


def render_json(told: Told) -> str:
    """Return a comparison as JSON."""
    return TypeAdapter(CompareData).dump_json(data_of(told), indent=1).decode() + "\n"


def json_schema() -> str:
    """Return the JSON Schema of that JSON, as the text of compare.schema.json."""
    schema = TypeAdapter(CompareData).json_schema(mode="serialization")
    return schema_text("compare.schema.json", "a comparison of http-speedup as JSON", schema)


def data_of(told: Told) -> CompareData:
    """Return a comparison as data."""
    return CompareData(
        schema=SCHEMA,
        old=told.old,
        new=told.new,
        sentence=told.sentence,
        builds=told.change.builds if told.change else 0,
        same_program=told.change is None,
        recorded=told.change is not None and told.change.apart,
        differences=told.differences,
        relative_to=told.change.relative_to if told.change else "",
        lines=tuple(map(_line, told.change.lines)) if told.change else (),
        gate=verdict(told.judged) if told.judged else None,
        bounds=tuple(map(_bound, told.judged)),
        notes=told.notes,
        runs=told.runs,
        report=told.report,
    )


def _line(line: Line) -> LineData:
    ratio, interval = line.ratio, line.ratio.interval if line.ratio else None
    return LineData(
        figure=line.kind.name,
        mode=line.place.mode,
        request=line.place.request,
        cell=line.place.cell,
        connections=line.connections,
        rate_per_s=line.rate_per_s,
        unit=_unit(line),
        basis=line.design,
        old=line.old,
        new=line.new,
        ratio=ratio.value if ratio else None,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        level=interval.level if interval else None,
        margin=line.rule.margin,
        blocks=ratio.count if ratio else 0,
        verdict=line.verdict,
        could_see=line.could_see,
        more_s=line.more_s,
        reason=line.why or None,
    )


def _unit(line: Line) -> Literal["us", "per_s", "bytes"]:
    if line.kind.name == "rate":
        return "per_s"
    return "bytes" if line.kind.name == "memory" else "us"


def _bound(each: Judged) -> BoundData:
    interval = each.slowdown.interval if each.slowdown else None
    return BoundData(
        bound=each.bound.text,
        share=each.bound.share,
        figure=each.line.kind.name,
        mode=each.line.place.mode,
        request=each.line.place.request,
        cell=each.line.place.cell,
        outcome=each.outcome,
        slowdown=each.slowdown.value if each.slowdown else None,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        more_s=each.more_s,
    )


def rows(change: Change, place: Place) -> list[tuple[str, ...]]:
    """Return the cells of a place's table, as HEADINGS has them."""
    return [_cells(line) for line in change.of(place)]


def heading(change: Change, place: Place) -> str:
    """Return what stands above a place's table: "Persistent connections:"; the mode, if it is the only one."""
    words = title(change, place) or f"{place.mode} connections"
    return f"{words[0].upper() if not place.cell else words[0]}{words[1:]}:"


def _cells(line: Line) -> tuple[str, ...]:
    ratio = line.ratio
    interval = ratio.interval if ratio else None
    return (
        line.title,
        _amount(line, line.old),
        _amount(line, line.new),
        signed(ratio.value) if ratio else DASH,
        f"{signed(interval.low)} to {signed(interval.high)}" if interval else DASH,
        _said(line),
        f"{percent(line.could_see)} %" if line.could_see else DASH,
    )


def _amount(line: Line, value: float | None) -> str:
    if value is None:
        return DASH
    if line.kind.name == "rate":
        return f"{value:,.0f}/s"
    return format_size(value) if line.kind.name == "memory" else _time(value)


def _time(value_us: float) -> str:
    return f"{value_us:.3g} us" if value_us < 999.5 else f"{value_us / 1000:.3g} ms"


def _said(line: Line) -> str:
    if line.verdict == "better":
        return BETTER.get(line.kind.name, "shorter")
    if line.verdict == "worse":
        return WORSE.get(line.kind.name, "longer")
    more = f", {format_duration(line.more_s)} more" if line.verdict == "not resolved" and line.more_s else ""
    return f"{line.verdict}{more}"


def levels(change: Change) -> str:
    """Return in words at which level the intervals hold."""
    known: dict[str, float] = {}
    for line in change.lines:
        interval = line.ratio.interval if line.ratio else None
        if interval is not None:
            of = "CPU per request" if line.kind.name == "cpu" else "other figures"
            known[of] = min(interval.level, known.get(of, 1.0))
    return "; ".join(f"intervals of {of}: {level_text(level)}" for of, level in known.items())


def render_markdown(told: Told) -> str:
    """Return a comparison as Markdown for a pull request."""
    lines = [f"**{_plain(told.sentence)}**", ""]
    lines += _tables(told.change) if told.change else []
    lines += [f"- {_plain(text)}" for text in told.remarks]
    lines += ["", f"Report: `{told.report}`"] if told.report else []
    return "\n".join(lines) + "\n"


def _tables(change: Change) -> list[str]:
    return [line for each in change.places for line in (_plain(heading(change, each)), "", *_table(change, each), "")]


def _table(change: Change, place: Place) -> Sequence[str]:
    head = [f"| {' | '.join(HEADINGS)} |", f"| --- |{' ---: |' * 4} --- | ---: |"]
    return [*head, *(f"| {' | '.join(map(_plain, cells))} |" for cells in rows(change, place))]


def _plain(text: str) -> str:
    """Return text that Markdown shows as it is."""
    escaped = clean(text, keep="").replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
    return escaped.replace("*", "\\*").replace("_", "\\_").replace("`", "\\`").replace("@", "&#64;")
