"""The report as one HTML file that loads nothing; the same run folders give the same bytes."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment
from markupsafe import Markup

from reports.claims.duets import cell_name
from reports.forms.about import about
from reports.forms.downloads import Download, downloads
from reports.forms.folds import Fold, build_folds
from reports.forms.logs import read_log
from reports.forms.pages import environment, style_sheet
from reports.forms.summary import Summary, summarize
from reports.forms.text import text_measured, text_published
from reports.plots.bars import bar_plot, bars_note
from reports.plots.curves import MOST_LINES, paced_plot, percentile_plot, scaling_plot
from reports.tables.machines import column_names, machine_tables
from reports.tables.modes import ModeTable, mode_table
from reports.tables.scaling import Scaling, scalings
from reports.view.clean import clean
from reports.view.families import blocks_line, blocks_note, noise_line
from reports.view.limits import MOST_ORDER
from reports.view.rows import digits, needs
from reports.view.view import RunView, view_run
from runners.records.run import Published, RunFolder
from runners.records.trial import slug_of
from runners.resources import root
from runners.stats.statistics import Interval

ABSENT = "\u2013"  # an en dash: not known
ANSWERS = {
    "faster": "\u25b2",
    "slower": "\u25bc",
    "cheaper": "\u25bc",
    "costlier": "\u25b2",
    "equivalent": "\u2248",
    "not resolved": "?",
}


@dataclass(frozen=True)
class Part(Summary):
    """One measured run as the template shows it; `prefix` keeps the ids of several runs apart."""

    prefix: str
    modes: ModeTable | None
    plots: dict[str, Markup]
    threads: tuple[Scaling, ...]
    connections: tuple[Scaling, ...]
    curves: dict[str, Markup]
    text: str
    published_text: str
    folds: tuple[Fold, ...]
    downloads: tuple[Download, ...]
    build_outputs: dict[str, str]
    order: tuple[str, ...]


def render_report(folders: Sequence[RunFolder]) -> str:
    """Return the report of run folders: measured ones one after another, published ones beside their numbers."""
    published = [Published(item.run, item.trials) for item in folders if item.run.kind == "published"]
    measured = [item for item in folders if item.run.kind != "published"] or list(folders)
    parts = [
        _part(folder, "" if number == 1 else f"run{number}-", published)
        for number, folder in enumerate(measured, start=1)
    ]
    machines = machine_tables([(part.view, part.tables) for part in parts])
    names = column_names([part.view for part in parts])
    main = parts[0]
    said = about(main.view, main.tables, main.duets)
    return (
        _environment()
        .get_template("report.html.j2")
        .render(parts=parts, main=main, css=style_sheet(), script=_script(), machines=machines, names=names, about=said)
    )


def _part(folder: RunFolder, prefix: str, published: Sequence[Published]) -> Part:
    view = view_run(folder, prefix=prefix, published=published)
    said = summarize(view, prefix)
    detailed, folds = view.limits.folds, build_folds(view)
    threads, connections = (scalings(view, "threads"), scalings(view, "connections")) if detailed else ((), ())
    paced = said.paced if detailed else ()
    drawn = {
        "threads": scaling_plot(threads, f"{prefix}plot-threads"),
        "connections": scaling_plot(connections, f"{prefix}plot-connections"),
        "percentiles": percentile_plot(view, f"{prefix}plot-percentiles") if detailed else "",
        "paced": paced_plot(paced, f"{prefix}plot-paced"),
    }
    return Part(
        **{**vars(said), "paced": paced},
        prefix=prefix,
        modes=mode_table(view) if detailed else None,
        plots={  # of a very large run's tables, no few rows can stand for the others
            table.id: Markup(bar_plot(table, f"plot-{table.id}") if detailed else "")  # noqa: S704 - our own SVG
            for table in said.tables
        },
        threads=threads,
        connections=connections,
        curves={name: Markup(svg) for name, svg in drawn.items()},  # noqa: S704 - our own SVG
        text=text_measured(view, said.tables, said.duets),
        published_text=text_published(view, said.tables),
        folds=folds,
        downloads=downloads(view, said.tables, folds),
        build_outputs={build.variant: _build_output(folder, build.log, build.output_tail) for build in view.run.builds},
        order=_order(view),
    )


def _build_output(folder: RunFolder, log: str | None, tail: str) -> str:
    return read_log(folder.path, log) or tail


def _order(view: RunView) -> tuple[str, ...]:
    """Return each block's planned order as one line of slugs, as far as the page can hold them."""
    lines: list[str] = []
    left = MOST_ORDER
    for family in view.run.families:
        for block in family.blocks:
            items = (" with ".join(map(slug_of, item)) for item in block)
            line = f"{family.name}: {', '.join(items)}"
            left -= len(line)
            if left < 0:
                return (*lines, "... and more: run.json of the run folder has all")
            lines.append(line)
    return tuple(lines)


@cache
def _environment() -> Environment:
    """Return Jinja's environment with the filters of the report."""
    made = environment()
    made.filters.update(
        grouped=grouped,
        fixed=fixed,
        share=share,
        sortable=sortable,
        bars_note=bars_note,
        mib=mib,
        ms=ms,
        between=between,
        breakable=breakable,
        answer=ANSWERS.__getitem__,
        needs=needs,
        cell_name=cell_name,
        blocks_note=blocks_note,
        blocks_line=blocks_line,
        noise_line=noise_line,
        digits=digits,
    )
    made.globals.update(absent=ABSENT, most_lines=MOST_LINES)
    return made


@dataclass(frozen=True)
class Script:
    """The page's only script, and the hash by which the page's policy lets it run, and no other."""

    text: Markup
    hash: str


@cache
def _script() -> Script:
    text = (root() / "templates" / "report.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Script(Markup(text), f"sha256-{digest}")  # noqa: S704 - our own file


def grouped(value: float | None) -> Markup | str:
    """Return a whole number with thousands set apart by style only: it is found and copied as plain digits."""
    if value is None or not math.isfinite(value):
        return ABSENT
    digits = f"{value:.0f}"
    head = len(digits) % 3 or 3
    groups = [digits[start : start + 3] for start in range(head, len(digits), 3)]
    return Markup(digits[:head] + "".join(f'<span class="k">{group}</span>' for group in groups))  # noqa: S704 - digits


def breakable(slug: str) -> Markup:
    """Return a slug that may break behind each slash."""
    return Markup("/<wbr>").join(clean(slug).split("/"))


def fixed(value: float | None, digits: int = 2) -> str:
    """Return a number with so many decimals."""
    return ABSENT if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def sortable(value: float | None) -> Markup | str:
    """Return the attribute from which the page's script takes a cell's number; empty for what is not known."""
    return "" if value is None or not math.isfinite(value) else Markup(f' data-v="{value:.7g}"')  # noqa: S704


def share(value: float | None) -> str:
    """Return a fraction in percent."""
    return ABSENT if value is None else f"{value * 100:.0f}"


def mib(value_bytes: float | None) -> str:
    """Return bytes in MiB."""
    return ABSENT if value_bytes is None else f"{value_bytes / 2**20:.1f}"


def ms(value_us: float | None) -> str:
    """Return microseconds in milliseconds."""
    return ABSENT if value_us is None else f"{value_us / 1000:.2f}"


def between(pair: tuple[float, float] | Interval | None, digits: int = 0) -> Markup | str:
    """Return "low-high" with an en dash; whole numbers are grouped."""
    if pair is None:
        return ""
    low, high = (pair.low, pair.high) if isinstance(pair, Interval) else pair
    if digits:
        return f"{low:.{digits}f}\u2013{high:.{digits}f}"
    return Markup(f"{grouped(low)}\u2013{grouped(high)}")  # noqa: S704 - digits
