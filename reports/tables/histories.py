"""What many reports found, table by table: over time, and machine beside machine. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Found:
    """A row's multiple of its baseline in one run of one machine; `work` is what is multiplied."""

    table: str
    row: str
    baseline: str
    work: str
    machine: str
    at: datetime
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class History:
    """One table: its rows, the machines, each machine's latest number, and all numbers by row and machine."""

    title: str
    baseline: str
    work: str
    machines: tuple[str, ...]
    rows: tuple[str, ...]
    latest: Mapping[tuple[str, str], Found]
    lines: Mapping[tuple[str, str], tuple[Found, ...]]

    def at(self, row: str, machine: str) -> Found | None:
        """Return a row's latest number on a machine."""
        return self.latest.get((row, machine))


def histories(found: Iterable[Found]) -> tuple[History, ...]:
    """Return every table that several runs or machines have, with equal baselines and figures, in order of names."""
    tables: dict[tuple[str, str, str], list[Found]] = {}
    for each in found:
        tables.setdefault((each.table, each.baseline, each.work), []).append(each)
    made = (_history(*key, sorted(of, key=lambda each: each.at)) for key, of in sorted(tables.items()))
    return tuple(history for history in made if len(history.machines) > 1 or _is_repeated(history))


def _history(title: str, baseline: str, work: str, found: Sequence[Found]) -> History:
    lines: dict[tuple[str, str], list[Found]] = {}
    for each in found:
        lines.setdefault((each.row, each.machine), []).append(each)
    latest = {key: of[-1] for key, of in lines.items()}
    rows = sorted(
        {row for row, _ in lines}, key=lambda row: -max(of.value for (name, _), of in latest.items() if name == row)
    )
    machines = tuple(sorted({machine for _, machine in lines}))
    return History(title, baseline, work, machines, tuple(rows), latest, {key: tuple(of) for key, of in lines.items()})


def _is_repeated(history: History) -> bool:
    return any(len(of) > 1 for of in history.lines.values())


def moment_of(text: str) -> datetime | None:
    """Return when a run began; None if its report does not say so in a way that can be read."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
