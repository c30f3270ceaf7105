"""The cases of the self-test and their results: only data."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from runners.matrix.model import Mode
from runners.records.trial import Bound, Outcome, Trial, Verdict
from runners.system.machine import Layout

Need = Literal["namespace", "two CPUs", "wrk"]
Status = Literal["passed", "failed", "not run"]
Injection = Callable[[Layout], contextlib.AbstractContextManager[Callable[[], None]]]


def nothing(_layout: Layout) -> contextlib.AbstractContextManager[Callable[[], None]]:
    """Inject nothing."""
    return contextlib.nullcontext(lambda: None)


@dataclass(frozen=True)
class Expect:
    """A check that must catch the fault, and with which outcome."""

    check: str
    outcome: Outcome = "fail"

    def __str__(self) -> str:
        """Return the check and its outcome as the table shows them."""
        return f"{self.check} {self.outcome}"


@dataclass(frozen=True)
class Fact:
    """A figure of the trial whose true value is known to lie between `low` and `high`, in `unit`."""

    name: str
    of: Callable[[Trial], float | None]
    low: float
    high: float
    unit: str = ""

    def told(self, trial: Trial) -> str:
        """Return the figure in words, with its true bounds."""
        value = self.of(trial)
        shown = "unknown" if value is None else f"{value:.4g}"
        return f"{self.name} {shown}{self.unit} (true: {self.low:.4g} to {self.high:.4g})"

    def holds(self, trial: Trial) -> bool:
        """Return whether the figure lies within its true bounds."""
        value = self.of(trial)
        return value is not None and self.low <= value <= self.high


@dataclass(frozen=True)
class Case:
    """One fault and the checks that must catch it.

    `also` are checks that the same fault may trip as well. `reason` is text that the trial's reason must contain, for a
    trial that ends without checks. A `blind` case cannot be caught: it passes if nothing is reported.
    """

    name: str
    truth: str
    verdict: Verdict
    expected: tuple[Expect, ...] = ()
    also: tuple[str, ...] = ()
    reason: str = ""
    bound: Bound | None = None
    facts: tuple[Fact, ...] = ()
    server: tuple[str, ...] = ("server.py",)
    load: str = "wrk"
    mode: Mode = "persistent"
    connections: int = 8
    warmup_s: float = 0.2
    duration_s: float = 1.0
    ceiling_per_s: float | None = None
    needs: tuple[Need, ...] = ()
    inject: Injection = nothing
    blind: bool = False

    @property
    def named_by(self) -> str:
        """Return what must catch the fault, in words."""
        names = ", ".join(map(str, self.expected))
        parts = [names, f'"{self.reason}"' if self.reason else "", f"bound {self.bound}" if self.bound else ""]
        return "; ".join(part for part in parts if part) or (
            "nothing can catch it" if self.blind else "no check may fail"
        )


@dataclass(frozen=True)
class CaseResult:
    """What was reported for a case; `retried` has, for each earlier attempt, the machine's noise that spoilt it."""

    name: str
    truth: str
    named_by: str
    wanted: str
    status: Status
    verdict: str | None = None
    reported: tuple[str, ...] = ()
    why: tuple[str, ...] = ()
    noise: tuple[str, ...] = ()
    retried: tuple[str, ...] = ()
    seconds: float = 0.0
