"""Prints the answer to a comparison: as a table for people, as Markdown, or as JSON."""

from __future__ import annotations

import sys

from reports.forms.change import HEADINGS, Told, heading, levels, render_json, render_markdown, rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from reports.changes.change import Change
    from speedup.terminal import ResultConsole

WIDTH = 160  # where nothing else says how wide the table may be


def show(told: Told, form: str) -> None:
    """Print the answer in one of the forms: txt, md or json; the report's path last."""
    if form == "json":
        print(render_json(told), end="")
    elif form == "md":
        print(render_markdown(told), end="")
    else:
        show_table(told)


def show_table(told: Told, console: ResultConsole | None = None) -> None:
    """Print the sentence, a table for each mode and request, what the gate found, and the report's path."""
    from reports.view.words import clean
    from speedup.terminal import ResultConsole

    console = console or ResultConsole(width=None if sys.stdout.isatty() else WIDTH)
    console.print(clean(told.sentence), style="bold", soft_wrap=True)
    if told.change:
        _show_tables(told.change, console)
    for line in told.remarks:
        console.print(clean(line), soft_wrap=True)
    if told.report:
        console.print(told.report, soft_wrap=True)


def _show_tables(change: Change, console: ResultConsole) -> None:
    from rich.text import Text

    from reports.view.words import clean
    from speedup.terminal import table

    for place in change.places:
        shown = table(*HEADINGS, padding=(0, 2, 0, 0))
        for cells in rows(change, place):
            *numbers, said, could_see = cells
            better = change.of(place)[len(shown.rows)].verdict
            style = {"better": "green", "worse": "red", "not resolved": "yellow"}.get(better, "")
            shown.add_row(*numbers, Text(said, style=style), could_see)
        console.print(f"\n{clean(heading(change, place))}" if len(change.places) > 1 else "", soft_wrap=True)
        console.print(shown)
    console.print(f"\n{levels(change)}" if levels(change) else "", soft_wrap=True)
