"""What a reader must know first: here, that a figure lies between two groups of starts."""

from __future__ import annotations

from dataclasses import replace

from reports.trust.notices import notices
from reports.view.view import view_run
from runners.records.run import RunFolder
from tests.support.small_run import duet_run

COSTS = {"plain": 1.0, "lean": 0.8, "alike": 1.0}


def told(folder: RunFolder) -> list[str]:
    """Return what is said of groups of starts."""
    return [notice.text for notice in notices(view_run(folder)) if "two groups" in notice.text]


def test_starts_that_fall_into_two_groups_are_told_with_both_figures() -> None:
    """The pairs of which they are not a side are not told."""
    folder = duet_run(COSTS, blocks=16)
    trials = tuple(
        replace(trial, server_cpu_us_per_request=1.25 * (trial.server_cpu_us_per_request or 0))
        if trial.server == "lean" and (trial.block or 0) % 4 == 0
        else trial
        for trial in folder.trials
    )
    (text,) = told(replace(folder, trials=trials))
    assert text == (
        "Starts of lean and plain fall into two groups: the first needs 0.80 times as much in 12 starts and 1.00"
        " times as much in 4 starts as the second. A figure between them belongs to neither."
    )
    assert told(folder) == []
