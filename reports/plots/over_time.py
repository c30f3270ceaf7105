"""One table's rows over many runs: each as a multiple of its baseline, with intervals, in SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import matplotlib as mpl
from matplotlib.figure import Figure

from reports.plots.drawing import DASHES, LABEL_CHARACTERS, MARKERS, SERIES, STYLE, WIDTH_IN, svg_of, top
from reports.view.words import clean, clipped

MOST_LINES = 8
MOST_TICKS = 5


@dataclass(frozen=True)
class Moment:
    """A row's multiple of its baseline in one run, with its interval."""

    at: datetime
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class TimeLine:
    """One row on one machine, the oldest run first."""

    label: str
    moments: tuple[Moment, ...]


def time_plot(lines: Sequence[TimeLine], identifier: str, title: str, unit: str) -> str:
    """Return the lines with more than one moment as SVG, those with the highest latest values; empty without any."""
    drawn = top([line for line in lines if len(line.moments) > 1], lambda line: line.moments[-1].value, MOST_LINES)
    if not drawn:
        return ""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, 3.4), layout="constrained")
        axes = figure.add_subplot()
        for number, line in enumerate(drawn):
            values = [moment.value for moment in line.moments]
            below = [moment.value - moment.low for moment in line.moments]
            above = [moment.high - moment.value for moment in line.moments]
            times = [moment.at.timestamp() for moment in line.moments]
            axes.errorbar(
                times, values, yerr=[below, above], color=SERIES[number], marker=MARKERS[number], markersize=5,
                linestyle=DASHES[number % len(DASHES)], linewidth=1.3, capsize=2.5, label=_label(line),
            )  # fmt: skip
        axes.set_xticks(*_ticks([moment.at for line in drawn for moment in line.moments]))
        axes.set_ylim(0, 1.08 * max(moment.high for line in drawn for moment in line.moments))
        axes.set_ylabel(clipped(clean(unit, ""), LABEL_CHARACTERS))
        axes.grid(visible=True, axis="y")
        figure.legend(loc="outside lower center", ncols=2, fontsize=8.5)
        return svg_of(figure, identifier, title, "; ".join(map(_said, drawn)))


def _ticks(times: Sequence[datetime]) -> tuple[list[float], list[str]]:
    """Return places on the axis from the first to the last time, and their dates."""
    first, last = min(times).timestamp(), max(times).timestamp()
    ticks = [first + (last - first) * number / (MOST_TICKS - 1) for number in range(MOST_TICKS)]
    dates = [f"{datetime.fromtimestamp(tick, UTC):%Y-%m-%d}" for tick in ticks]
    known = {date: tick for tick, date in zip(ticks, dates, strict=True)}
    return list(known.values()), list(known)


def _label(line: TimeLine) -> str:
    return clipped(clean(line.label, ""), LABEL_CHARACTERS)


def _said(line: TimeLine) -> str:
    first, last = line.moments[0], line.moments[-1]
    return f"{_label(line)}: {first.value:.2f} on {first.at:%Y-%m-%d}, {last.value:.2f} on {last.at:%Y-%m-%d}"
