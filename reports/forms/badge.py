"""A badge for a README: JSON that shields.io reads from a web address (its "endpoint" badges)."""

from __future__ import annotations

import json
from collections.abc import Sequence

from reports.claims.verdicts import verdict_words
from reports.forms.picking import pick_row, pick_table
from reports.forms.summary import summaries
from reports.tables.tables import TableModel
from reports.view.rows import Row
from reports.view.words import clean, clipped, one_line
from runners.errors import BadInput
from runners.records.run import RunFolder

COLORS = {
    "faster": "brightgreen",
    "cheaper": "brightgreen",
    "equivalent": "blue",
    "slower": "orange",
    "costlier": "orange",
}


def render_badge(folders: Sequence[RunFolder], *, table: str = "", row: str = "") -> str:
    """Return the badge of a row: its verdict against the baseline. BadInput if it has none that is resolved."""
    _, model = pick_table(summaries(folders), table)
    chosen = pick_row(model, row)
    message, color = _message(model, chosen)
    badge = {"schemaVersion": 1, "label": _short(chosen.name), "message": _short(message), "color": color}
    return json.dumps(badge, indent=1, ensure_ascii=False) + "\n"


def _message(table: TableModel, row: Row) -> tuple[str, str]:
    if row.baseline:
        raise BadInput(f"'{row.name}' is the baseline of '{table.title}': name a row that is compared with it (--row)")
    found = table.decision(row)
    if found is None or found.answer is None or found.answer == "not resolved":
        why = verdict_words(found) if found else f"{row.status}: {row.reason}" if row.reason else row.status
        raise BadInput(
            f"'{row.name or row.shown}' has no badge, since its verdict is not resolved ({why}): measure longer"
        )
    baseline = next(
        each.name for each in table.measurable if each.baseline and each.operating_point == row.operating_point
    )
    between = {"equivalent": "from", "faster": "than", "slower": "than", "cheaper": "than", "costlier": "than"}
    words = verdict_words(found)
    return f"{words} {'of' if words.endswith('times the CPU') else between[found.answer]} {baseline}", COLORS[
        found.answer
    ]


def _short(text: str) -> str:
    return clipped(clean(one_line(text), ""), 80)
