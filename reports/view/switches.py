"""How often both sides go to sleep for each request: much of what a server that is not saturated costs. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from reports.view.view import ok_trials
from runners.records.trial import Switches, Trial


def switches_text(trials: Sequence[Trial]) -> str:
    """Return the medians of the context switches per request over the valid trials, in a sentence; empty if unknown."""
    valid = ok_trials(trials)
    sides = {
        "server": [trial.server_switches_per_request for trial in valid],
        "load generator": [trial.client_switches_per_request for trial in valid],
    }
    told = [f"{side} {_medians(known)}" for side, found in sides.items() if (known := [each for each in found if each])]
    return f"Context switches per request: {'; '.join(told)}." if told else ""


def _medians(known: Sequence[Switches]) -> str:
    voluntary, involuntary = (
        statistics.median(getattr(each, kind) for each in known) for kind in ("voluntary", "involuntary")
    )
    return f"{voluntary:.2f} voluntary, {involuntary:.2f} involuntary"
