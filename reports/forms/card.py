"""One table of a report as a picture."""

from __future__ import annotations

from collections.abc import Sequence

from reports.forms.picking import pick_table
from reports.forms.summary import place_of, summaries
from reports.plots.card import Card, draw_card
from reports.tables.charts import chart_of
from runners.records.run import RunFolder


def render_card(folders: Sequence[RunFolder], form: str, *, table: str = "", dark: bool = False) -> bytes:
    """Return the card of a table of run folders as "svg" or "png"."""
    run, model = pick_table(summaries(folders), table)
    card = Card(f"{run.title} \u00b7 {model.title}", model.answer.short, chart_of(model), place_of(run.view))
    return draw_card(card, form, dark=dark)
