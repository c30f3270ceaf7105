"""What a report says of a run in any form: title, answers, warnings, tables, and whether the numbers agree.

Pure. The HTML page adds plots and unfolded cells; Markdown and text have no more than this.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from reports.claims.duets import DuetTable, duet_table, duets_of
from reports.claims.paced import PacedTable, paced_tables
from reports.tables.tables import TableModel, build_tables
from reports.trust.consistency import Consistency, consistency_of
from reports.trust.notices import Notice, notices
from reports.view.view import RunView, key_of, keys_of, view_run
from runners.matrix.model import Matrix
from runners.matrix.reading import read_matrix
from runners.records.run import Published, Run, RunFolder
from runners.resources import root
from runners.tools.find import TOOL_DATA
from runners.units import format_duration, plural


@dataclass(frozen=True)
class Summary:
    """One run; `published` says that nothing in it was measured here, so that only published numbers are shown."""

    view: RunView
    title: str
    subtitle: str
    notices: tuple[Notice, ...]
    tables: tuple[TableModel, ...]
    duets: DuetTable | None
    paced: tuple[PacedTable, ...]
    consistency: tuple[Consistency, ...]
    published: bool

    @property
    def answers(self) -> tuple[tuple[str, str], ...]:
        """Return each table's title and its answer in a sentence, the duets' last."""
        said = [(table.title, table.headline) for table in self.tables]
        return (*said, *([("Duets", self.duets.headline)] if self.duets else []))


def apart(folders: Sequence[RunFolder]) -> tuple[list[RunFolder], list[Published]]:
    """Return the runs to be shown, and those whose numbers stand beside theirs: imported ones are both."""
    published = [Published(item.run, item.trials) for item in folders if item.run.kind != "measured"]
    return [item for item in folders if item.run.kind != "published"], published


def summaries(folders: Sequence[RunFolder]) -> tuple[Summary, ...]:
    """Return the measured runs, with published numbers beside theirs; published runs alone are shown together."""
    measured, published = apart(folders)
    if measured:
        return tuple(summarize(view_run(folder, published=published)) for folder in measured)
    return tuple(summarize(view_run(folder)) for folder in _documents(folders))


def summarize(view: RunView, prefix: str = "") -> Summary:
    """Return the summary of one run; `prefix` keeps the ids of several runs apart."""
    tables, duets = build_tables(view, prefix), duet_table(view, duets_of(view))
    return Summary(
        view=view,
        title=title_of(view),
        subtitle=subtitle_of(view),
        notices=notices(view, prefix),
        tables=tables,
        duets=duets,
        paced=paced_tables(view),
        consistency=consistency_of(view),
        published=view.run.kind == "published" and not view.folder.trials,
    )


def title_of(view: RunView) -> str:
    """Return the suite's title; of imported numbers, their source."""
    if view.run.kind == "imported" and view.run.source:
        return f"Imported: {view.run.source.title}"
    return view.matrix.suite.title if view.matrix else "HTTP speedup"


def place_of(view: RunView) -> str:
    """Return where and when: "local \u00b7 2026-11-24 18:00 UTC"; of imported numbers, where they come from, too."""
    began = f"{view.run.started_at[:16].replace('T', ' ')} UTC" if view.run.started_at else ""
    load = f"loaded by a {view.load_name}" if view.run.fleet else ""
    source = view.run.source.url if view.run.kind == "imported" and view.run.source else ""
    return " \u00b7 ".join(filter(None, (view.machine_name, began, load, source)))


def subtitle_of(view: RunView) -> str:
    """Return where, when and how long."""
    return " \u00b7 ".join(filter(None, (place_of(view), pace_of(view.run))))


def pace_of(run: Run) -> str:
    """Return how much was planned: "preset quick: 6 blocks of 1s trials"; empty if that is not known."""
    if not run.preset:
        return ""
    length = f" of {format_duration(run.duration_s)} trials" if run.duration_s else ""
    return f"preset {run.preset}: {plural(run.blocks, 'block')}{length}{_warmup(run)}{_duet_lengths(run)}"


def _warmup(run: Run) -> str:
    if run.warmup_s is None:
        return " after an automatic warm-up"
    return f" after {format_duration(run.warmup_s)} warm-up" if run.warmup_s else ""


def _duet_lengths(run: Run) -> str:
    """Return how often and how long duets were measured; empty unless that differs from other trials."""
    counts = {len(family.blocks) for family in run.families if family.design == "duet"}
    if not counts or run.duet_duration_s is None:
        return ""
    return f"; {max(counts)} duets of {format_duration(run.duet_duration_s)} each"


def _documents(folders: Sequence[RunFolder]) -> tuple[RunFolder, ...]:
    """Return published runs as one folder without trials, in the tables of the matrix that comes with this program.

    A run with numbers that no such table names, or with a matrix of its own, is returned as it is.
    """
    matrix, text = read_matrix(root() / "matrix.toml", TOOL_DATA)
    named = [item for item in folders if not item.run.matrix and _all_named(item, matrix)]
    if not named:
        return tuple(folders)
    published = tuple(Published(item.run, item.trials) for item in named)
    head = dataclasses.replace(named[0].run, matrix=text, published=published)
    others = [item for item in folders if item not in named]
    return (RunFolder(named[0].path, head, ()), *others)


def _all_named(folder: RunFolder, matrix: Matrix) -> bool:
    """Return whether the tables for this machine's published numbers name all of them."""
    tables = [table for table in matrix.table if table.published == folder.run.machine]
    found = {key_of(trial) for trial in folder.trials}
    return bool(found) and found <= {key for table in tables for key in keys_of(table)}
