"""One table in many reports."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

from reports.tables.histories import Found, histories, moment_of

FIRST = Found("T", "epoll", "base", "requests per second", "laptop", datetime(2026, 1, 1, tzinfo=UTC), 2.0, 1.9, 2.1)


def later(month: int, value: float, **changes: str) -> Found:
    """Return a number of another month."""
    at = datetime(2026, month, 1, tzinfo=UTC)
    return dataclasses.replace(FIRST, at=at, value=value, low=value - 0.1, high=value + 0.1, **changes)


def test_a_row_is_followed_over_time_and_its_latest_number_stands_for_its_machine() -> None:
    """Whatever the order in which reports are found."""
    (history,) = histories([later(3, 3.0), FIRST, later(2, 2.5), later(2, 4.0, machine="server")])

    assert [found.value for found in history.lines["epoll", "laptop"]] == [2.0, 2.5, 3.0]
    assert history.machines == ("laptop", "server")
    assert {machine: found.value for (_, machine), found in history.latest.items()} == {"laptop": 3.0, "server": 4.0}
    assert history.at("go", "laptop") is None


def test_the_best_row_stands_first() -> None:
    """By its highest latest number."""
    (history,) = histories([FIRST, later(2, 2.5), later(2, 5.0, row="floor"), later(2, 1.5, row="go")])

    assert history.rows == ("floor", "epoll", "go")


def test_multiples_of_different_baselines_or_figures_never_meet() -> None:
    """They are tables of their own."""
    other = [later(2, 2.5, baseline="other"), later(3, 2.5, baseline="other")]
    found = histories([FIRST, later(2, 2.0), *other, later(3, 9.0, work="requests per CPU second")])

    assert [(history.title, history.baseline) for history in found] == [("T", "base"), ("T", "other")]


def test_a_table_of_one_report_has_no_history() -> None:
    """It says nothing that the report does not."""
    assert histories([FIRST]) == ()


def test_times_are_read_with_and_without_a_zone() -> None:
    """What cannot be read is no time."""
    assert moment_of("2026-01-01T00:00:00Z") == FIRST.at
    assert moment_of("2026-01-01T00:00:00") == FIRST.at
    assert moment_of("yesterday") is None
