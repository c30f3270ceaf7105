"""Ranks: rows that are not resolved from each other share a place, and cost ranks where the client was the limit."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest

from reports.tables.tables import TableModel, build_tables
from reports.view.view import view_run
from runners.records.trial import Bound
from tests.support.small_run import small_run


def places(table: TableModel) -> Mapping[str, str]:
    """Return each server's place."""
    return {cell.partition("/")[0]: place for cell, place in table.places.items()}


def test_ties_share_a_place() -> None:
    """The second and third are alike, and the fourth is not the third."""
    table = build_tables(view_run(small_run({"a": 1.0, "b": 2.0, "c": 1.9999, "d": 3.0}, noise=0.002)))[0]

    assert places(table) == {"d": "1", "b": "2=", "c": "2=", "a": "4"}
    assert table.headline.startswith(
        "d answers 3.00 times as many requests per second as a (98.4 % CI 2.99\u20133.01); "
    )
    assert "; b is next, with 33.4 % fewer (98.4 % CI 33.0\u201333.7 %); by requests per second" in table.headline


def test_a_tie_at_the_top_names_no_winner() -> None:
    """Whoever leads by chance cannot be told from the other."""
    table = build_tables(view_run(small_run({"a": 1.0, "b": 2.0, "c": 2.0}, noise=0.01)))[0]

    assert places(table)["b"] == places(table)["c"] == "1="
    assert "; no measurable difference between b and c; " in table.headline


@pytest.mark.parametrize(("bound", "shared"), [("client", False), ("shared", True)])
def test_cost_ranks_where_rates_say_little(bound: Bound, shared: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Client-bound or on shared CPUs: the headline says by what it ranks, and why."""
    table = build_tables(view_run(small_run({"a": 1.0, "b": 2.0}, bound=bound, shared=shared)))[0]

    assert table.ranked_by == "cost"
    assert places(table) == {"b": "1", "a": "2"}
    assert table.headline.startswith(
        "b needs the least CPU per request; a needs 2.00 times as much (96.1 % CI 2.00\u20132.00); "
    )
    assert "; by CPU per request, measured alone, because" in table.headline


def test_few_blocks_rank_nothing() -> None:
    """Without intervals there are no places."""
    table = build_tables(view_run(small_run({"a": 1.0, "b": 2.0}, blocks=3)))[0]

    assert places(table) == {}
    assert table.headline == (
        "b answers 2.00 times as many requests per second as a (no interval: too few blocks); a verdict needs at least"
        " 6 blocks; by requests per second, measured alone."
    )


def test_rows_that_lost_a_trial_are_not_silently_left_out_of_the_answer() -> None:
    """The second has too few valid blocks for the level of three; the answer says that it is not of all rows."""
    folder = small_run({"a": 4.0, "b": 3.0, "c": 2.0, "d": 1.0}, blocks=7)
    trials = tuple(
        dataclasses.replace(trial, verdict="invalid", reason="V15 calm machine")
        if trial.server == "b" and trial.block == 0
        else trial
        for trial in folder.trials
    )
    table = build_tables(view_run(dataclasses.replace(folder, trials=trials)))[0]

    assert places(table).keys() == {"a", "c", "d"}
    assert table.headline.endswith("; only 3 of 4 rows could be ranked, and the others may be better.")


def test_all_three_costs_have_intervals_and_ratios() -> None:
    """Server, client and whole machine, each with its own."""
    fast = build_tables(view_run(small_run({"a": 1.0, "b": 2.0})))[0].measured[1]

    assert fast.comparison is not None
    for cost in (fast.costs.server, fast.costs.client, fast.costs.machine):
        assert cost is not None
        assert cost.interval is not None
    ratios = [fast.comparison.cost, fast.comparison.client, fast.comparison.machine]
    assert [ratio.value for ratio in ratios if ratio] == pytest.approx([0.5, 1.0, 37 / 62], rel=0.01)
