"""Counts faults and what came of them, and prints them as a table. Pure."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """One fault that was injected: its kind, how it was injected, and what it lost, left behind or named wrongly."""

    kind: str
    how: str
    lost: int = 0
    left: tuple[str, ...] = ()
    misnamed: tuple[str, ...] = ()
    episode: int = 0
    at_s: float = 0.0

    @property
    def is_kill(self) -> bool:
        """Return whether a run, or what it had started, was ended."""
        return self.kind.startswith(("SIG", "Ctrl-C", "closed"))

    @property
    def survived(self) -> bool:
        """Return whether nothing is wrong."""
        return not (self.lost or self.left or self.misnamed)


HEAD = ("fault", "injected", "survived", "trials lost", "left behind", "wrongly named")


def table(outcomes: Sequence[Outcome]) -> str:
    """Return a line for each kind, and one for all."""
    kinds = sorted({outcome.kind for outcome in outcomes})
    rows = [(kind, *counts(outcome for outcome in outcomes if outcome.kind == kind)) for kind in kinds]
    rows.append(("all", *counts(outcomes)))
    cells = [HEAD, *(tuple(map(str, row)) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEAD))]
    return "\n".join(
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in cells
    )


def counts(outcomes: Iterable[Outcome]) -> tuple[int, int, int, int, int]:
    """Return how many were injected and survived, and what was lost, left behind and wrongly named."""
    every = list(outcomes)
    return (
        len(every),
        sum(outcome.survived for outcome in every),
        sum(outcome.lost for outcome in every),
        sum(len(outcome.left) for outcome in every),
        sum(bool(outcome.misnamed) for outcome in every),
    )


def bound(failed: int, injected: int, level: float = 0.95) -> float:
    """Return the highest failure rate that these counts leave possible at this level, exactly (Clopper-Pearson)."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        at_most = sum(math.comb(injected, k) * middle**k * (1 - middle) ** (injected - k) for k in range(failed + 1))
        low, high = (middle, high) if at_most > 1 - level else (low, middle)
    return high


def conclusion(outcomes: Sequence[Outcome]) -> str:
    """Return what the counts say of the share of faults that are not survived, in two lines."""
    return "\n".join(
        f"{name}: {failed} of {len(group)} failed; at most {bound(failed, len(group)):.1%} do (95 % confidence)"
        for name, group in (
            ("kills", [outcome for outcome in outcomes if outcome.is_kill]),
            ("other faults", [outcome for outcome in outcomes if not outcome.is_kill]),
        )
        if group
        for failed in [sum(not outcome.survived for outcome in group)]
    )


def as_json(outcomes: Sequence[Outcome], seed: int, seconds: float) -> dict[str, Any]:
    """Return all of it for programs."""
    every = [{**dataclasses.asdict(outcome), "survived": outcome.survived} for outcome in outcomes]
    return {"seed": seed, "seconds": round(seconds, 1), "faults": len(every), "outcomes": every}
