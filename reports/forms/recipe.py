"""What it takes to measure a run again, and its verdicts to compare with: a file inside its page. Pure.

It is what `speedup reproduce` reads: the matrix verbatim, the commit and the hash of every source, the tools, the seed,
the selected cells. Nothing in it is ever executed: it only says what to look for in a repository that somebody names.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from pydantic import TypeAdapter, ValidationError

from reports.changes.change import is_comparison
from reports.forms.answers import ComparisonData, RunData, run_data
from reports.forms.summary import Summary, summarize
from reports.view.view import view_run
from runners.errors import BadInput
from runners.records.files import open_to_read
from runners.records.folder import read_folder
from runners.records.run import SourceInfo
from runners.records.trial import slug_of

SCHEMA: Literal["speedup.recipe/1"] = "speedup.recipe/1"
ENDING = "-recipe.json"  # of the file's name
MOST_BYTES = 64 << 20  # of a page


@dataclass(frozen=True)
class ToolUsed:
    """A tool as it was: its name, its version and its hash."""

    name: str
    version: str | None
    sha256: str | None


@dataclass(frozen=True)
class Said:
    """A verdict of a run: where it stands, on which row, and the ratio with its interval."""

    place: tuple[str, ...]
    verdict: str | None
    figure: str
    ratio: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Recipe:
    """All that it takes to measure a run again. `kind` says whether it is a comparison, or loaded from elsewhere."""

    schema: Literal["speedup.recipe/1"]
    kind: Literal["run", "comparison", "fleet"]
    version: str
    commit: str
    matrix: str
    preset: str
    machine: str
    load: str
    seed: int | None
    budget_s: float | None
    duet: tuple[str, str] | None
    cells: tuple[str, ...]
    tools: tuple[ToolUsed, ...]
    sources: tuple[SourceInfo, ...]
    files: dict[str, str]
    verdicts: tuple[Said, ...]


_RECIPE = TypeAdapter(Recipe)


def recipe_of(item: Summary) -> Recipe:
    """Return what it takes to measure a run again."""
    run = item.view.run
    cells = [cell for cell in run.cells if cell.status in {"planned", "failed"} and not cell.twin_of]
    return Recipe(
        schema=SCHEMA,
        kind="comparison" if is_comparison(run) else "fleet" if run.fleet else "run",
        version=run.version,
        commit=run.facts.get("commit", ""),
        matrix=run.matrix,
        preset=run.preset,
        machine=run.machine,
        load=cells[0].load if cells else "",
        seed=run.seed,
        budget_s=run.budget_s,
        duet=run.duet,
        cells=tuple(cell.slug for cell in cells),
        tools=tuple(ToolUsed(tool.name, tool.version, tool.sha256) for tool in run.tools),
        sources=run.sources,
        files=run.files,
        verdicts=tuple(_said(place, found) for place, found in comparisons(run_data(item))),
    )


def recipe_json(item: Summary) -> str:
    """Return it as JSON."""
    return json.dumps(asdict(recipe_of(item)), ensure_ascii=False, separators=(",", ":"))


def _said(place: tuple[str, ...], found: ComparisonData) -> Said:
    return Said(place, found.verdict, found.figure, found.ratio, found.low, found.high)


def comparisons(run: RunData) -> Iterator[tuple[tuple[str, ...], ComparisonData]]:
    """Yield every comparison of a run by what it is about: table, row, cell and load, or the two of a duet."""
    for table in run.tables:
        for row in table.rows:
            if row.comparison:
                yield (table.title, row.name, slug_of(row.cell or ""), row.load or ""), row.comparison
    for pair in run.duets:
        if not pair.twin:
            yield ("Duets", pair.row_name, slug_of(pair.row), slug_of(pair.baseline)), pair.comparison


def read_recipe(source: Path) -> Recipe:
    """Return the recipe of a run folder, or the first one in a report; BadInput if there is none."""
    if source.is_dir():
        return recipe_of(summarize(view_run(read_folder(source))))
    try:
        with open_to_read(source) as stream:
            page = stream.read(MOST_BYTES).decode("utf-8", "replace")
    except OSError as error:
        raise BadInput(f"cannot read {source}: {error.strerror}; name a report.html or a run folder") from error
    reader = _Links()
    reader.feed(page)
    if reader.text is None:
        raise BadInput(
            f"{source} holds nothing to reproduce: it is redacted, of an older version, or of too large a run;"
            " name the run folder"
        )
    try:
        return _RECIPE.validate_json(reader.text)
    except ValidationError as error:
        raise BadInput(f"{source}: its recipe is damaged: {error.errors()[0]['msg']}") from error


class _Links(HTMLParser):
    """Finds the link to the recipe inside a page."""

    def __init__(self) -> None:
        super().__init__()
        self.text: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at one element."""
        known = dict(attrs)
        if tag == "a" and self.text is None and (known.get("download") or "").endswith(ENDING):
            self.text = unquote((known.get("href") or "").partition(",")[2])
