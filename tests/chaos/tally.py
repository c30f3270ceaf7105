"""Counts faults and what came of them, and prints them as a table. Pure."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """One fault that was injected: its kind, how it was injected, and what it lost, left behind or named wrongly.

    How a run was killed begins with its phase. `impossible` says why a kind of fault cannot be injected here.
    """

    kind: str
    how: str
    lost: int = 0
    left: tuple[str, ...] = ()
    misnamed: tuple[str, ...] = ()
    episode: int = 0
    at_s: float = 0.0
    impossible: str = ""

    @property
    def is_kill(self) -> bool:
        """Return whether a run, or what it had started, was ended."""
        return self.kind.startswith(("SIG", "Ctrl-C", "closed"))

    @property
    def survived(self) -> bool:
        """Return whether nothing is wrong."""
        return not (self.lost or self.left or self.misnamed)


HEAD = ("fault", "injected", "survived", "trials lost", "left behind", "wrongly named", "at most fail")


def table(outcomes: Sequence[Outcome]) -> str:
    """Return a line for each kind, and one for all; last the share that may fail, with 95 % confidence."""
    outcomes = _injected(outcomes)
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


def _injected(outcomes: Iterable[Outcome]) -> list[Outcome]:
    return [outcome for outcome in outcomes if not outcome.impossible]


def counts(outcomes: Iterable[Outcome]) -> tuple[int, int, int, int, int, str]:
    """Return how many were injected and survived, what was lost, left or wrongly named, and the share that may fail."""
    every = list(outcomes)
    survived = sum(outcome.survived for outcome in every)
    return (
        len(every),
        survived,
        sum(outcome.lost for outcome in every),
        sum(len(outcome.left) for outcome in every),
        sum(bool(outcome.misnamed) for outcome in every),
        f"{bound(len(every) - survived, len(every)):.1%}",
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
    """Return what the counts say of kills and other faults, in which phases runs were killed, and what was left out."""
    injected = _injected(outcomes)
    kills = [outcome for outcome in injected if outcome.is_kill]
    others = [outcome for outcome in injected if not outcome.is_kill]
    phases = Counter(outcome.how.partition(":")[0] for outcome in kills)
    left_out = {outcome.kind: outcome.impossible for outcome in outcomes if outcome.impossible}
    lines = [_bounded(name, group) for name, group in (("kills", kills), ("other faults", others)) if group]
    lines += [f"kills by phase: {', '.join(f'{name} {count}' for name, count in phases.most_common())}"] * bool(kills)
    return "\n".join([*lines, *(f"not possible here: {kind}: {why}" for kind, why in left_out.items())])


def _bounded(name: str, group: Sequence[Outcome]) -> str:
    failed = sum(not outcome.survived for outcome in group)
    return f"{name}: {failed} of {len(group)} failed; at most {bound(failed, len(group)):.1%} do (95 % confidence)"


def as_json(outcomes: Sequence[Outcome], seed: int, seconds: float) -> dict[str, Any]:
    """Return all of it for programs."""
    found = [{**dataclasses.asdict(outcome), "survived": outcome.survived} for outcome in outcomes]
    return {"seed": seed, "seconds": round(seconds, 1), "faults": len(_injected(outcomes)), "outcomes": found}
