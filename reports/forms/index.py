"""`index.html` of many reports: a static page for any web space, which needs nothing but the reports beside it.

Each report says in its head what it is about (`about`), so files that came by mail are listed as well as run folders.
A run folder without a report is listed without a link.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup

from reports.forms.about import About, from_metas
from reports.forms.page.pages import environment, style_sheet
from reports.plots.over_time import Moment, TimeLine, time_plot
from reports.tables.histories import Found, History, histories, moment_of
from reports.view.view import matrix_of
from runners.errors import BadInput
from runners.records.files import replace_file
from runners.records.folder import RUN_FILE, read_run
from runners.resources import command_line

INDEX_FILE = "index.html"
HEAD_BYTES = 65_536  # of a page that are read; a report's head begins with what it is about


@dataclass(frozen=True)
class Told:
    """What several reports say of one table, and the plot of it over time ("": nothing was measured twice)."""

    history: History
    plot: Markup


@dataclass(frozen=True)
class IndexEntry:
    """One report, or a run without one: its path below the index, and its link ("": no report)."""

    about: About
    path: str
    link: str


def write_index(folder: Path, say: Callable[[str], None]) -> Path:
    """Write index.html of all reports below a folder and return its path; `say` is told of runs without one."""
    if not folder.is_dir():
        raise BadInput(f"{folder} is not a folder; --index takes the folder that contains the reports")
    entries = index_entries(folder)
    if not entries:
        raise BadInput(f"no report found in {folder}; write one first: {command_line()} report RUN")
    for entry in entries:
        if not entry.link:
            run = folder / entry.path
            say(f"{run} has no report; write it with: {command_line()} report {shlex.quote(str(run))}")
    file = folder / INDEX_FILE
    told = [Told(history, _plot(history, number)) for number, history in enumerate(histories(_found(entries)), start=1)]
    page = environment().get_template("index.html.j2")
    replace_file(file, page.render(entries=entries, told=told, css=style_sheet()))
    return file


def _found(entries: Iterable[IndexEntry]) -> Iterator[Found]:
    """Yield every row that a report says it has compared."""
    for entry in entries:
        at = moment_of(entry.about.started_at)
        machine = entry.about.machine or "unknown"
        for each in entry.about.findings if at else ():
            if at and each.low <= each.value <= each.high:
                yield Found(**vars(each), machine=machine, at=at)


def _plot(history: History, number: int) -> Markup:
    lines = [
        TimeLine(f"{row}, {machine}" if len(history.machines) > 1 else row, tuple(map(_moment, found)))
        for (row, machine), found in history.lines.items()
    ]
    unit = f"\u00d7 {history.baseline}"
    return Markup(time_plot(lines, f"history-{number}-plot", f"{history.title} over time", unit))  # noqa: S704 - our own SVG


def _moment(found: Found) -> Moment:
    return Moment(found.at, found.value, found.low, found.high)


def index_entries(folder: Path) -> tuple[IndexEntry, ...]:
    """Return all reports below a folder and all runs without one, the newest first."""
    reports = tuple(_reports(folder))
    reported = {file.parent for file, _ in reports}
    entries = [_entry(folder, file, about, report=True) for file, about in reports]
    entries += [_entry(folder, run, about, report=False) for run, about in _runs(folder) if run not in reported]
    by_place = sorted(entries, key=lambda entry: entry.path)
    return tuple(sorted(by_place, key=lambda entry: entry.about.started_at, reverse=True))


def _entry(folder: Path, place: Path, about: About, *, report: bool) -> IndexEntry:
    path = place.relative_to(folder).as_posix()
    return IndexEntry(about, path, quote(f"./{path}") if report else "")


def _reports(folder: Path) -> Iterator[tuple[Path, About]]:
    """Yield every page below a folder that says it is a report, without links that lead out of the folder."""
    inside = folder.resolve()
    for file in sorted(folder.rglob("*.html")):
        if file.is_file() and file.resolve().is_relative_to(inside) and (about := from_metas(_metas(file))):
            yield file, about


def _metas(file: Path) -> dict[str, str]:
    with file.open("rb") as stream:
        head = stream.read(HEAD_BYTES).decode("utf-8", errors="replace")
    reader = _Head()
    reader.feed(head)
    return reader.metas


class _Head(HTMLParser):
    """Collects the `meta` elements with a name, up to the first style sheet."""

    def __init__(self) -> None:
        super().__init__()
        self.metas: dict[str, str] = {}
        self.over = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect one element."""
        self.over = self.over or tag in ("style", "body")
        known = dict(attrs)
        if tag == "meta" and not self.over and known.get("name"):
            self.metas.setdefault(str(known["name"]), known.get("content") or "")


def _runs(folder: Path) -> Iterator[tuple[Path, About]]:
    for file in sorted(folder.rglob(RUN_FILE)):
        try:
            run = read_run(file.parent)
        except BadInput:
            yield file.parent, About("HTTP speedup", answer=f"{RUN_FILE} cannot be read")
            continue
        if run.kind == "measured":
            matrix = matrix_of(run)
            title = matrix.suite.title if matrix else "HTTP speedup"
            machine = run.machine_title or run.machine
            yield file.parent, About(title, run.started_at or "", machine, run.facts.get("commit", ""))
