"""How often both sides go to sleep for each request."""

from __future__ import annotations

from dataclasses import replace

from reports.view.switches import switches_text
from runners.records.trial import Switches, Trial
from tests.support.example_run import example_run


def trials(*counts: float) -> list[Trial]:
    """Return valid trials whose server went to sleep so often."""
    one = next(trial for trial in example_run()[1] if trial.verdict == "ok")
    return [replace(one, server_switches_per_request=Switches(count, 0.01)) for count in counts]


def test_the_medians_of_the_known_sides_are_told() -> None:
    """A side that is not known is left out."""
    said = switches_text(trials(0.6, 0.7, 0.9))
    assert said == "Context switches per request: server 0.70 voluntary, 0.01 involuntary."


def test_nothing_is_said_where_nothing_is_known() -> None:
    """As in older runs."""
    assert switches_text([replace(trials(0.6)[0], server_switches_per_request=None)]) == ""
