"""What a report says about itself in `meta` elements, from which an index lists it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.claims.duets import DuetTable
from reports.claims.headlines import NOTHING
from reports.forms.summary import title_of
from reports.tables.tables import TableModel
from reports.view.view import RunView
from reports.view.words import one_line

GENERATOR = "http-speedup"


@dataclass(frozen=True)
class About:
    """A report's title, when, where and at which commit it was measured, and its answer; "" if unknown."""

    title: str
    started_at: str = ""
    machine: str = ""
    commit: str = ""
    answer: str = ""

    @property
    def metas(self) -> dict[str, str]:
        """Return the content of each `meta` element by name."""
        return {
            "generator": GENERATOR,
            "description": self.answer,
            "speedup-title": self.title,
            "speedup-started-at": self.started_at,
            "speedup-machine": self.machine,
            "speedup-commit": self.commit,
        }


def about(view: RunView, tables: Sequence[TableModel], duets: DuetTable | None) -> About:
    """Return what the report of a run says about itself."""
    return About(
        title=one_line(title_of(view)),
        started_at=view.run.started_at or "",
        machine=one_line(view.machine_name),
        commit=view.run.facts.get("commit", ""),
        answer=one_line(first_answer(tables, duets)),
    )


def first_answer(tables: Sequence[TableModel], duets: DuetTable | None) -> str:
    """Return a report's first answer: that of the first table with a measured row, else that of the duets."""
    for table in tables:
        if table.answer != NOTHING:
            return f"{table.title}: {table.headline}"
    return f"Duets: {duets.headline}" if duets else NOTHING.short


def from_metas(metas: dict[str, str]) -> About | None:
    """Return what a page says about itself; None if it is not a report of ours."""
    if metas.get("generator") != GENERATOR or "speedup-title" not in metas:
        return None
    return About(
        title=metas["speedup-title"],
        started_at=metas.get("speedup-started-at", ""),
        machine=metas.get("speedup-machine", ""),
        commit=metas.get("speedup-commit", ""),
        answer=metas.get("description", ""),
    )
