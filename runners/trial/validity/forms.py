"""How a check states its result: what it saw, and above which value it warns or fails."""

from __future__ import annotations

from collections.abc import Callable

from runners.records.trial import Check, Outcome


def percent(share: float | None) -> str:
    """Return a measured share for people to read."""
    return "unknown" if share is None else f"{share:.1%}"


def exact_percent(share: float) -> str:
    """Return a threshold as it stands in the matrix: "0.01%"."""
    return f"{share * 100:.6g}%"


def outcome_of(*, fails: bool, warns: bool = False) -> Outcome:
    """Return the worst outcome that applies."""
    return "fail" if fails else "warn" if warns else "pass"


def limits_of(word: str, fail: float | None, warn: float | None, form: Callable[[float], str] = exact_percent) -> str:
    """Return the thresholds for people to read: "fails above 10%, warns above 3%"."""
    limits = (("fails", fail), ("warns", warn))
    return ", ".join(f"{verb} {word} {form(limit)}" for verb, limit in limits if limit is not None)


def at_most(
    identifier: str,
    name: str,
    value: float | None,
    *,
    fail: float | None,
    warn: float | None,
    saw: str,
    advice: str,
    form: Callable[[float], str] = exact_percent,
) -> Check:
    """Return a check that a value stays at or below its thresholds; a threshold of None is never crossed."""
    limit = limits_of("above", fail, warn, form)
    if value is None:
        return unknown(identifier, name, limit=limit)
    outcome = outcome_of(fails=fail is not None and value > fail, warns=warn is not None and value > warn)
    return Check(identifier, name, outcome, saw, limit, advice)


def holds(identifier: str, name: str, truth: bool, *, saw: str, limit: str, advice: str) -> Check:  # noqa: FBT001
    """Return a check that something is so."""
    return Check(identifier, name, outcome_of(fails=not truth), saw, limit, advice)


def unknown(identifier: str, name: str, why: str = "the kernel does not report it", limit: str = "") -> Check:
    """Return a check that found nothing to look at."""
    return Check(identifier, name, "unknown", why, limit)
