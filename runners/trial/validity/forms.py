"""How a check states its result: above which value it warns or fails, and what it saw."""

from __future__ import annotations

from runners.records.trial import Check, Outcome


def at_most(
    identifier: str,
    name: str,
    value: float | None,
    *,
    fail: float | None,
    warn: float | None,
    shown: str,
    advice: str,
    unit: str = "",
) -> Check:
    """Return a check that a value stays at or below its limits; a limit of None is never crossed."""
    limit = " ".join(
        f"{word} > {number:.4g}{unit}" for word, number in (("fails", fail), ("warns", warn)) if number is not None
    )
    if value is None:
        return unknown(identifier, name, limit)
    outcome: Outcome = "pass"
    if fail is not None and value > fail:
        outcome = "fail"
    elif warn is not None and value > warn:
        outcome = "warn"
    return Check(identifier, name, outcome, shown, limit, advice)


def holds(identifier: str, name: str, truth: bool | None, *, saw: str, limit: str, advice: str) -> Check:  # noqa: FBT001
    """Return a check that something is so; None is unknown."""
    if truth is None:
        return unknown(identifier, name, limit)
    return Check(identifier, name, "pass" if truth else "fail", saw, limit, advice)


def unknown(identifier: str, name: str, limit: str = "", why: str = "the kernel does not tell") -> Check:
    """Return a check without an answer."""
    return Check(identifier, name, "unknown", why, limit)


def percent(share: float | None) -> str:
    """Return a share as people read it."""
    return "not known" if share is None else f"{share:.1%}"
