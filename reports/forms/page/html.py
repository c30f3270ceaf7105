"""The report as one HTML file that loads nothing; the same run folders give the same bytes."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from markupsafe import Markup

from reports.changes.change import change_of, is_comparison
from reports.changes.change_words import sentences
from reports.forms.about import about
from reports.forms.change import HEADINGS, heading, levels, rows
from reports.forms.page.downloads import Download, downloads, recipe
from reports.forms.page.folds import Fold, build_folds
from reports.forms.page.logs import read_log
from reports.forms.page.pages import environment, style_sheet
from reports.forms.recipe import recipe_json
from reports.forms.summary import Summary, apart, place_of, summarize
from reports.forms.text import text_measured, text_published
from reports.plots.curves import paced_plot, percentile_plot, scaling_plot
from reports.tables.charts import Chart, chart_of
from reports.tables.machines import column_names, machine_tables
from reports.tables.modes import ModeTable, mode_table
from reports.tables.scaling import Scaling, scalings
from reports.trust.notices import Notice
from reports.view.limits import MOST_ORDER
from reports.view.view import RunView, view_run
from runners.records.run import Published, RunFolder
from runners.records.trial import slug_of
from runners.resources import root


@dataclass(frozen=True)
class ComparisonPart:
    """The answer of a comparison: a sentence, and a table for each place: its heading, and rows of cells."""

    sentence: str
    headings: tuple[str, ...]
    tables: tuple[tuple[str, list[tuple[str, ...]]], ...]
    levels: str


@dataclass(frozen=True)
class PagePart(Summary):
    """One run as the template shows it; `prefix` keeps the ids of several runs apart.

    Of a comparison of two servers, its own `comparison` stands in place of the tables' answers.
    """

    prefix: str
    comparison: ComparisonPart | None
    modes: ModeTable | None
    place: str
    charts: dict[str, Chart]
    threads: tuple[Scaling, ...]
    connections: tuple[Scaling, ...]
    curves: dict[str, Markup]
    text: str
    published_text: str
    folds: tuple[Fold, ...]
    downloads: tuple[Download, ...]
    build_outputs: dict[str, str]
    order: tuple[str, ...]


def render_report(folders: Sequence[RunFolder], url: str = "") -> str:
    """Return the report of run folders: measured ones one after another, published ones beside their numbers.

    `url` is the address at which the page will stand, if that is known.
    """
    measured, published = apart(folders)
    parts = [
        _part(folder, "" if number == 1 else f"run{number}-", published)
        for number, folder in enumerate(measured or folders, start=1)
    ]
    page = environment().get_template("report.html.j2")
    return page.render(
        parts=parts,
        main=parts[0],
        css=style_sheet(),
        script=_script(),
        machines=machine_tables([(part.view, part.tables) for part in parts]),
        names=column_names([part.view for part in parts]),
        about=about(parts[0].view, parts[0].tables, parts[0].duets, url),
    )


def _part(folder: RunFolder, prefix: str, published: Sequence[Published]) -> PagePart:
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
    return PagePart(
        **{**vars(said), "paced": paced, "notices": (*said.notices, *_left_out(view))},
        prefix=prefix,
        comparison=_comparison(folder),
        modes=mode_table(view) if detailed else None,
        place=place_of(view),
        charts={table.id: chart_of(table) for table in said.tables},
        threads=threads,
        connections=connections,
        curves={name: Markup(svg) for name, svg in drawn.items()},  # noqa: S704 - our own SVG
        text=text_measured(view, said.tables, said.duets),
        published_text=text_published(view, said.tables),
        folds=folds,
        downloads=(*downloads(view, said.tables, folds), *_recipe(said)),
        build_outputs={build.variant: _build_output(folder, build.log, build.output_tail) for build in view.run.builds},
        order=_order(view),
    )


def _comparison(folder: RunFolder) -> ComparisonPart | None:
    """Return the answer of a run that compares an old and a new server; None for others."""
    if not is_comparison(folder.run):
        return None
    change = change_of([folder])
    tables = tuple((heading(change, place).rstrip(":"), rows(change, place)) for place in change.places)
    return ComparisonPart(sentences(change), HEADINGS, tables, levels(change))


def _recipe(said: Summary) -> tuple[Download, ...]:
    """Return what it takes to measure the run again, unless there is nothing by which to verify that."""
    return (recipe(said.view, recipe_json(said)),) if said.view.run.sources else ()


def _left_out(view: RunView) -> tuple[Notice, ...]:
    """Return what this page, unlike other forms, would show if the run were smaller."""
    return (Notice("note", view.limits.left_out),) if view.limits.left_out else ()


def _build_output(folder: RunFolder, log: str | None, tail: str) -> str:
    return read_log(folder.path, log) or tail


def _order(view: RunView) -> tuple[str, ...]:
    """Return the planned order of each block as a line of slugs, as many as the page can hold."""
    lines: list[str] = []
    left = MOST_ORDER
    for family in view.run.families:
        for block in family.blocks:
            items = (" with ".join(map(slug_of, item)) for item in block)
            line = f"{view.families[family.name].title}: {', '.join(items)}"
            left -= len(line)
            if left < 0:
                return (*lines, "... and more; run.json in the run folder has all of it")
            lines.append(line)
    return tuple(lines)


@dataclass(frozen=True)
class PageScript:
    """The page's only script, and the hash by which the page's policy lets it run, and no other."""

    text: Markup
    hash: str


@cache
def _script() -> PageScript:
    text = (root() / "templates" / "report.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return PageScript(Markup(text), f"sha256-{digest}")  # noqa: S704 - our own file
