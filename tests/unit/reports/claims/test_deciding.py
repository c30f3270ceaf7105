"""What decides between rows: duets between equals, rates over thread counts, what was measured alone without duets."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from reports.claims.deciding import Decision, quotient
from reports.forms.markdown import render_markdown
from reports.forms.page.html import render_report
from reports.tables.tables import TableModel, build_tables
from reports.view.view import view_run
from runners.records.run import RunFolder
from runners.records.trial import Check
from runners.stats.statistics import Estimate, Interval
from tests.support.small_run import FAMILY, cell_id, duet_run, small_run

COSTS = {"plain": 1.0, "lean": 0.8, "alike": 1.0}


def both(costs: Mapping[str, float], speeds: Mapping[str, float], noise: float = 0.001) -> RunFolder:
    """Return a run with solo blocks and duets of the same servers."""
    solo, beside = small_run(speeds, noise=noise), duet_run(costs)
    run = dataclasses.replace(solo.run, families=solo.run.families + beside.run.families)
    return dataclasses.replace(solo, run=run, trials=solo.trials + beside.trials)


def table(folder: RunFolder) -> TableModel:
    """Return the one table of a small run."""
    return build_tables(view_run(folder))[0]


def decisions(folder: RunFolder) -> dict[str, Decision]:
    """Return the decision on each server."""
    return {cell.partition("/")[0]: decision for cell, decision in table(folder).decisions.items()}


def on_threads(folder: RunFolder, servers: Sequence[str], *, shared: bool = False) -> RunFolder:
    """Return a run in which some servers have two threads, perhaps on the CPUs of the load generator."""
    cells = tuple(
        dataclasses.replace(cell, threads=2, shared=shared) if cell.server in servers else cell
        for cell in folder.run.cells
    )
    trials = tuple(
        dataclasses.replace(trial, threads=2) if trial.server in servers else trial for trial in folder.trials
    )
    rows = {name: f'"{name}@2"' for name in servers}
    matrix = folder.run.matrix.replace("threads = [1]", "threads = [1, 2]")
    for name, row in rows.items():
        head, _, tail = matrix.rpartition(f'"{name}"')
        matrix = f"{head}{row}{tail}"
    return dataclasses.replace(folder, run=dataclasses.replace(folder.run, matrix=matrix, cells=cells), trials=trials)


def test_duets_decide_wherever_there_are_any() -> None:
    """Rates that noise hides are beside; verdict, rank, headline and level come from the duets and say so."""
    folder = both(COSTS, dict.fromkeys(COSTS, 1.0), noise=0.2)
    found = decisions(folder)

    assert [(each.basis, each.answer) for each in found.values()] == [("duet", "cheaper"), ("duet", "equivalent")]
    assert table(folder).places == {cell_id("lean"): "1", cell_id("plain"): "2=", cell_id("alike"): "2="}
    assert table(folder).headline.startswith("lean needs 20.0 % less CPU per request than plain (97.")
    assert table(folder).headline.endswith("; by CPU per request in duets.")
    assert table(folder).level_note.startswith("Decided by CPU per request in duets (2 rows), at 97.5 %")
    assert 'data-c="decided">in duets' in render_report([folder])
    assert "| lean | 1 | **cheaper**; disagrees: alone, " in render_markdown([folder])


def test_without_duets_what_was_measured_alone_decides_and_the_report_says_so() -> None:
    """As with a fleet."""
    folder = small_run({"slow": 1.0, "fast": 1.5})

    assert (decisions(folder)["fast"].basis, decisions(folder)["fast"].answer) == ("solo", "faster")
    assert "; by requests per second, measured alone." in table(folder).headline
    assert "There were no duets" in render_report([folder])


def test_rows_that_only_ran_beside_a_third_are_compared_by_way_of_it() -> None:
    """Lean against alike, each measured beside plain, which the table does not have."""
    folder = both(COSTS, {"lean": 1.0, "alike": 1.0})
    found = decisions(folder)

    assert found["alike"].basis == "duet"
    assert found["alike"].answer == "costlier"
    assert found["alike"].estimate is not None
    assert found["alike"].estimate.value == pytest.approx(1.25, rel=0.02)


def test_rows_of_other_thread_counts_are_decided_by_rate_on_cpus_of_their_own() -> None:
    """Whatever their duets say; the headline adds the fastest of them."""
    folder = on_threads(both(COSTS, {"plain": 1.0, "lean": 1.0, "alike": 1.9}), ["alike"])
    found = decisions(folder)

    assert {name: (each.basis, each.answer) for name, each in found.items()} == {
        "lean": ("duet", "cheaper"),
        "alike": ("solo", "faster"),
    }
    assert "alike (2 threads)" not in table(folder).headline.partition(".")[0]
    assert ". alike (2 threads) answers 90" in table(folder).headline


def test_rows_of_other_thread_counts_on_shared_cpus_cannot_be_shown_by_this_machine() -> None:
    """The cost stays beside."""
    folder = on_threads(small_run({"plain": 1.0, "wide": 1.9}), ["wide"], shared=True)
    found = decisions(folder)["wide"]

    assert found.answer is None
    assert found.unsaid == ("this machine cannot show it", "with 2 threads, server and load generator share CPUs")
    assert "this machine cannot show it<small>with 2 threads" in render_report([folder])
    assert "µs of server CPU" in table(folder).headline


@pytest.mark.parametrize(("speed", "words"), [(1.25, ""), (0.5, "alone, a request costs 2.00 times as much (")])
def test_where_alone_and_in_duets_disagree_beyond_both_intervals_the_report_says_so(speed: float, words: str) -> None:
    """A cost 20 % lower in duets, and the same or twice as high alone."""
    folder = both({"plain": 1.0, "lean": 0.8}, {"plain": 1.0, "lean": speed})
    found = decisions(folder)["lean"]

    assert found.answer == "cheaper"
    assert found.disagrees.startswith(words)
    assert bool(found.disagrees) == bool(words)
    assert ("<b>disagrees:</b>" in render_report([folder])) == bool(words)


def test_a_ratio_of_two_ratios_holds_whenever_both_do() -> None:
    """From the worst of one to the best of the other, at the lower of their levels."""
    one, other = (
        Estimate(2.0, 8, Interval(1.8, 2.2, 0.99)),
        Estimate(1.0, 9, Interval(0.9, 1.1, 0.98)),
    )

    found = quotient(one, other)
    assert found.value == 2.0
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((1.8 / 1.1, 2.2 / 0.9))
    assert found.interval.level == 0.98


def test_what_could_be_resolved_grows_with_the_noise() -> None:
    """Half the interval and the margin, said for each table."""
    calm, noisy = (decisions(small_run({"a": 1.0, "b": 1.0}, noise=noise))["b"] for noise in (0.001, 0.02))

    assert calm.resolves is not None
    assert noisy.resolves is not None
    assert 0.01 < calm.resolves < 0.013 < noisy.resolves
    assert calm.answer == "equivalent"


def test_the_family_of_a_duet_has_a_floor_of_its_own() -> None:
    """A twin that differs in duets raises their margin, whatever the twin does alone."""
    solo, beside = small_run({"plain": 1.0, "lean": 1.0}), duet_run({"plain": 1.0, "lean": 0.99}, twin=1.02)
    run = dataclasses.replace(solo.run, families=solo.run.families + beside.run.families)
    folder = dataclasses.replace(solo, run=run, trials=solo.trials + beside.trials)
    found = decisions(folder)["lean"]

    assert view_run(folder).families[FAMILY].cost.bias == 0
    assert found.rule is not None
    assert found.rule.margin > 0.02
    assert found.answer == "not resolved"


def test_duets_decide_where_noise_left_nothing_that_was_measured_alone() -> None:
    """Rows whose solo trials are all noisy, or failed, have a verdict and a rank; the table shows both."""
    folder = both(COSTS, dict.fromkeys(COSTS, 1.0))
    calm = Check("V15", "calm machine", "fail", "other programs used 93 % of a CPU")
    spoilt: dict[str, dict[str, Any]] = {
        "plain": {"verdict": "invalid"},
        "lean": {"verdict": "invalid"},
        "alike": {"verdict": "failed", "requests_per_s": None},
    }
    trials = tuple(
        dataclasses.replace(trial, **spoilt[trial.server], checks=(calm,), reason="V15")
        if trial.design == "solo"
        else trial
        for trial in folder.trials
    )
    noisy = dataclasses.replace(folder, trials=trials)
    found = decisions(noisy)

    assert [(each.basis, each.answer) for each in found.values()] == [("duet", "cheaper"), ("duet", "equivalent")]
    assert [row.status for row in table(noisy).measurable] == ["noisy", "noisy", "failed"]
    assert table(noisy).places[cell_id("lean")] == "1"
    assert table(noisy).headline.startswith("lean needs 20.0 % less CPU per request than plain")
    page = render_report([noisy])
    assert "<small>noisy: none of 8 trials counts" in page
    assert "noisy alone: none of 8 trials counts" in render_markdown([noisy])


def test_rates_of_noisy_rows_decide_nothing() -> None:
    """Without duets, a noisy row is not even compared."""
    folder = small_run({"a": 1.0, "b": 2.0})
    calm = Check("V15", "calm machine", "fail", "other programs used 93 % of a CPU")
    trials = tuple(
        dataclasses.replace(trial, verdict="invalid", checks=(calm,)) if trial.server == "b" else trial
        for trial in folder.trials
    )

    assert decisions(dataclasses.replace(folder, trials=trials)) == {}
    alone = tuple(dataclasses.replace(trial, verdict="invalid", checks=(calm,)) for trial in folder.trials)
    assert table(dataclasses.replace(folder, trials=alone)).headline == (
        "The machine was too noisy in every trial: the rates are shown, and decide nothing."
    )


def test_a_server_that_was_not_warm_gets_no_verdict_and_says_why() -> None:
    """Its interpreter would be compared, not the server; nor is anything compared with such a baseline."""
    folder = both(COSTS, dict.fromkeys(COSTS, 1.0))
    cold = {name: with_drift(folder, name, -0.5) for name in ("lean", "plain")}
    answers = {name: {server: each.answer for server, each in decisions(cold[name]).items()} for name in cold}
    assert answers == {"lean": {"lean": None, "alike": "equivalent"}, "plain": {"lean": None, "alike": None}}
    why = decisions(cold["lean"])["lean"].why
    assert why.startswith("lean was not warm: its CPU time per request fell by 39% within the measured time")
    assert "lean was not warm" in render_report([cold["lean"]])


def with_drift(folder: RunFolder, server: str, drift: float) -> RunFolder:
    """Return a run in which a server's cost changed so within each trial."""
    trials = tuple(
        dataclasses.replace(trial, cost_drift=drift) if trial.server == server else trial for trial in folder.trials
    )
    return dataclasses.replace(folder, trials=trials)
