"""Which trials are invalid only because the machine was noisy: their figures are shown, but decide nothing. Pure."""

from __future__ import annotations

from runners.records.trial import Trial

OF_THE_MACHINE = frozenset({"V9", "V14", "V15", "V16", "V17", "V18"})  # checks that no server can fail by itself
UNSTEADY = "V13"  # fails because of the server, unless the machine was restless


def is_noisy(trial: Trial) -> bool:
    """Return whether a solo trial has a figure that does not count for no other reason than the machine's noise."""
    if trial.verdict != "invalid" or trial.design not in (None, "solo") or not trial.requests_per_s:
        return False
    failed = {check.id for check in trial.checks if check.outcome == "fail"}
    restless = any(check.id in OF_THE_MACHINE for check in trial.checks if check.outcome in ("fail", "warn"))
    return bool(failed) and failed <= OF_THE_MACHINE | ({UNSTEADY} if restless else set())
