"""What is known of a cell's answers under load, and what wrong ones do to all of its trials. Pure.

Check V24 judges them: in most trials by their length, in a trial of design "checked" by reading them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from runners.records.trial import Check, Trial

ANSWERS = "V24"


def judged(trial: Trial) -> Check | None:
    """Return what a trial says of the answers; None if it says nothing."""
    return next((check for check in trial.checks if check.id == ANSWERS), None)


def wrong_answers(trials: Iterable[Trial]) -> str | None:
    """Return what a checker said of a cell that gave wrong answers under load, whatever its other trials counted."""
    return next((check.saw for check in _read(trials) if check.outcome == "fail"), None)


def right_answers(trials: Iterable[Trial]) -> str | None:
    """Return what a checker said of a cell whose answers it read and found right; None if none were read."""
    return next((check.saw for check in _read(trials) if check.outcome == "pass"), None)


def _read(trials: Iterable[Trial]) -> Iterable[Check]:
    return (check for trial in trials if trial.design == "checked" and (check := judged(trial)))


def believed(trials: Sequence[Trial]) -> tuple[Trial, ...]:
    """Return trials as they count once it is known which cells gave wrong answers: theirs, and duets with them, do not.

    The records keep their verdicts, since what was measured before does not become another measurement.
    """
    wrong = {trial.cell: said for trial in trials if (said := wrong_answers([trial]))}
    return tuple(_disproved(trial, wrong) for trial in trials) if wrong else tuple(trials)


def _disproved(trial: Trial, wrong: dict[str, str]) -> Trial:
    if trial.verdict != "ok":
        return trial
    partner = trial.partner or ""
    reason = wrong.get(trial.cell) or (f"its partner is invalid: {wrong[partner]}" if partner in wrong else None)
    return replace(trial, verdict="invalid", reason=reason) if reason else trial
