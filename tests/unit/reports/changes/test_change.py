"""What is said of a change follows from made-up runs whose truth is known."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from reports.changes.change import Change, Line, change_of, hull
from reports.changes.change_words import gate_lines, reasons, sentences, signed
from reports.changes.slowdowns import Bound, judged, parse_bound, verdict
from runners.errors import BadInput
from runners.records.trial import Check
from runners.stats.statistics import Estimate, Interval
from tests.support.changes import Truth, at_equal_rates, comparison, without
from tests.support.small_run import small_run


def change(**truth: float) -> Change:
    """Return the change of a made-up run."""
    return change_of([comparison(Truth(**truth))])  # type: ignore[arg-type]


def line(found: Change, name: str) -> Line:
    """Return the line of a figure."""
    return next(each for each in found.lines if each.kind.name == name)


def outcome(found: Change, *bounds: str) -> str:
    """Return what the gate says."""
    return verdict(judged(found, [parse_bound(text) for text in bounds]))


def test_a_cheaper_server_is_said_to_need_less_cpu() -> None:
    """With the interval, as a person would say it."""
    said = sentences(change(cpu=0.969))
    assert re.match(r"new needs 3\.\d % less CPU per request than old \(95\.\d % CI 2\.\d.3\.\d %\)", said), said


def test_two_modes_have_a_sentence_each() -> None:
    """Since a change may matter in one only."""
    said = sentences(change_of([comparison(Truth(cpu=1.1, modes=("persistent", "non-persistent")))]))
    assert re.match(
        r"With persistent connections, new needs \d+\.\d % more .* With non-persistent connections, new", said
    )


def test_a_server_that_waits_longer_is_never_summed_up_as_no_difference() -> None:
    """A sleep adds no CPU time: the latency of one request at a time stands right behind it."""
    found = change(waits_us=5000)
    assert line(found, "cpu").verdict == "no difference"
    said = sentences(found)
    assert re.match(
        r"new needs the same CPU per request as old, within 0\.\d+ %, but p50 and p99 unloaded are 51 times as long ",
        said,
    ), said


def test_a_longer_p99_at_the_same_cpu_is_said() -> None:
    """The figures disagree, so the sentence has both."""
    said = sentences(change(p99=1.4))
    assert re.search(r"the same CPU .*, but p99 under load is \d+\.\d % longer \(9\d\.\d+ % CI", said), said


def test_latency_at_an_equal_rate_stands_in_place_of_a_closed_loops() -> None:
    """Which follows from the rate; the rate is said, with the sentence and with each line."""
    found = change_of([at_equal_rates(comparison(Truth()), 8_000, p99=1.4)])
    assert re.search(r"the same CPU .*, but p99 at 8,000 requests/s is 40 % longer \(9\d\.\d+ % CI", sentences(found))
    assert {"p50", "p99"}.isdisjoint(each.kind.name for each in found.lines)
    assert line(found, "p99_equal_rate").rate_per_s == 8_000
    assert line(found, "p99_equal_rate").connections == 64
    assert outcome(found, "p99:10%") == "slower"


def test_a_cost_that_depends_on_the_load_is_said_in_both_places() -> None:
    """Which of two servers is cheaper may turn round away from full load."""
    said = sentences(change_of([at_equal_rates(comparison(Truth(cpu=0.9)), 8_000, cpu=1.2)]))
    assert re.match(
        r"new needs 10\.\d % less CPU per request than old \(.*\), but it needs (19|20)\.\d % more CPU per request at"
        r" 8,000 requests/s \(9",
        said,
    ), said


def test_only_the_lowest_of_several_rates_counts() -> None:
    """Higher ones were too much for a server or for the generators."""
    found = change_of([at_equal_rates(comparison(Truth()), 8_000, 5_600)])
    cost = line(found, "cpu_equal_rate")
    assert cost.rate_per_s == 5_600
    assert cost.ratio is not None
    assert (cost.ratio.count, round(cost.ratio.value, 1)) == (12, 1.0)


def test_two_builds_of_which_one_has_no_equal_rate_have_the_same_lines() -> None:
    """Then neither resolves anything there, and the reason is said."""
    folder = comparison(Truth())
    found = change_of([at_equal_rates(folder, 8_000), folder])
    assert line(found, "p99_equal_rate").verdict == "not measured"
    assert line(found, "p99_equal_rate").why == "not measured within the budget"


def test_connections_that_do_not_persist_keep_the_latency_of_the_closed_loop() -> None:
    """Nothing paces those."""
    found = change_of([at_equal_rates(comparison(Truth(modes=("persistent", "non-persistent"))), 8_000)])
    named = {mode: [each.kind.name for each in found.lines if each.place.mode == mode] for mode in found_modes(found)}
    assert "p99_equal_rate" in named["persistent"]
    assert "p99" in named["non-persistent"]
    assert "p99_equal_rate" not in named["non-persistent"]


def found_modes(found: Change) -> list[str]:
    """Return the modes of a change."""
    return [place.mode for place in found.places]


def test_fewer_requests_of_a_costlier_server_are_no_but() -> None:
    """Both go the same way."""
    assert ", and it answers 20.0 % fewer requests/s" in sentences(change(cpu=1.25, rate=0.8))


def test_no_difference_is_said_with_what_could_have_been_seen() -> None:
    """In all figures that are alike; one that is not resolved is not among them."""
    said = sentences(change(solo_noise=0.001))
    assert re.search(
        r"no difference in requests/s, memory, .* and p99 unloaded \(1\.\d % would have been seen\)", said
    ), said
    assert "no difference in memory" in sentences(change(solo_noise=0.2))


def test_what_is_not_resolved_says_how_much_longer_it_takes() -> None:
    """Noise hides it, and more blocks would not."""
    found = change(solo_noise=0.03)
    rate = line(found, "rate")
    assert rate.verdict == "not resolved"
    assert rate.more_s is not None
    assert rate.more_s > 0
    assert "Not resolved: requests/s" in sentences(found)


def test_figures_of_which_no_trial_counts_are_not_measured_and_say_why() -> None:
    """The machine's noise is no reason for silence."""
    found = change_of([without(comparison(Truth()), "solo")])
    assert line(found, "rate").verdict == "not measured"
    assert list(reasons(found)) == [
        "requests/s, memory, p50 under load, p99 under load: no trial counts (V15 calm machine)"
    ]
    assert "no difference in requests/s" not in sentences(found)


def test_a_side_with_wrong_answers_under_load_has_no_figures() -> None:
    """However cheap they are."""
    folder = comparison(Truth(cpu=0.5))
    new = next(trial for trial in folder.trials if trial.server == "new" and trial.design == "solo")
    said = Check("V24", "response length", "fail", "3 of 9 answers under load were wrong; the first: it lied")
    lies = replace(new, design="checked", family="f/checked", checks=(said,))
    found = change_of([replace(folder, trials=(*folder.trials, lies))])
    assert line(found, "cpu").verdict != "better"
    assert line(found, "rate").verdict == "not measured"


def test_a_side_that_was_not_warm_has_no_figures_that_warmth_changes() -> None:
    """Its interpreter would be compared; memory stays what it was."""
    folder = comparison(Truth(cpu=1.5))
    cold = [replace(trial, cost_drift=-0.5) if trial.server == "new" else trial for trial in folder.trials]
    found = change_of([replace(folder, trials=tuple(cold))])
    assert {each.kind.name for each in found.lines if each.ratio} == {"memory"}
    assert line(found, "cpu").why.startswith("the new server was not warm: its CPU time per request fell by 39%")
    assert outcome(found, "cpu:2%") == outcome(change_of([without(without(folder, "duet"), "solo")]), "cpu:2%")


def test_too_few_blocks_never_resolve_anything() -> None:
    """Five values give no interval at 95 %."""
    found = change(cpu=2.0, blocks=5)
    assert line(found, "cpu").verdict == "not resolved"
    assert outcome(found, "2%") == "not resolved"


def test_a_difference_of_one_build_only_is_not_called() -> None:
    """It is an effect of memory layout."""
    found = change_of([comparison(Truth(cpu=1.05)), comparison(Truth(cpu=1.0, seed=8))])
    assert line(found, "cpu").verdict == "not resolved"
    assert "an effect of memory layout" in line(found, "cpu").why
    assert outcome(found, "1%") == "not resolved"


def test_a_difference_of_both_builds_is_called_with_an_interval_that_spans_both() -> None:
    """It cannot be narrower than what layout does."""
    found = change_of([comparison(Truth(cpu=1.05)), comparison(Truth(cpu=1.08, seed=8))])
    interval = line(found, "cpu").ratio
    assert interval is not None
    assert interval.interval is not None
    assert interval.interval.low < 1.055
    assert interval.interval.high > 1.075
    assert outcome(found, "2%") == "slower"


def test_a_hull_without_one_of_its_intervals_has_none() -> None:
    """What one build does not know, both together do not."""
    known = Estimate(1.0, 9, Interval(0.9, 1.1, 0.95))
    assert hull([known, Estimate(1.0, 5)]).interval is None


def test_a_run_that_compares_nothing_is_bad_input() -> None:
    """Such as that of a matrix."""
    with pytest.raises(BadInput, match="holds no comparison of two servers"):
        change_of([small_run({"a": 1.0, "b": 2.0})])


def test_runs_of_different_servers_are_no_builds_of_one_comparison() -> None:
    """Their intervals have nothing in common."""
    one = comparison(Truth())
    cells = tuple(replace(cell, title=f"another {cell.title}") for cell in one.run.cells)
    with pytest.raises(BadInput, match="these runs compare different servers"):
        change_of([one, replace(one, run=replace(one.run, cells=cells))])


@pytest.mark.parametrize(
    ("truth", "bound", "expected"),
    [
        (Truth(cpu=1.03), "2%", "slower"),
        (Truth(cpu=1.01), "2%", "within"),
        (Truth(cpu=0.9), "2%", "within"),
        (Truth(cpu=1.021, noise=0.02), "2%", "not resolved"),
        (Truth(rate=0.9), "rate:5%", "slower"),
        (Truth(rate=1.2), "rate:5%", "within"),
        (Truth(p99=1.5), "p99:10%", "slower"),
        (Truth(waits_us=5000), "2%", "within"),
        (Truth(waits_us=5000), "p50:10%", "slower"),
        (Truth(memory=1.2), "memory:5%", "slower"),
    ],
    ids=str,
)
def test_the_gate_judges_a_slowdown_against_its_bound(truth: Truth, bound: str, expected: str) -> None:
    """Only a whole interval beyond it alarms."""
    assert outcome(change_of([comparison(truth)]), bound) == expected


def test_one_slowdown_is_enough_for_the_gate_and_one_open_question_leaves_it_open() -> None:
    """Whatever the other bounds say."""
    assert outcome(change(rate=0.8), "2%", "rate:5%") == "slower"
    assert outcome(change(solo_noise=0.3), "2%", "rate:1%") == "not resolved"


def test_a_gate_of_one_percent_alarms_at_most_once_in_a_hundred_comparisons_of_the_same_server() -> None:
    """Over runs whose noise is such that the bound lies within reach."""
    alarms = sum(
        outcome(change_of([comparison(Truth(noise=noise, blocks=12, solo_blocks=0, seed=seed))]), "1%") == "slower"
        for noise in (0.005, 0.05)
        for seed in range(100)
    )
    assert alarms <= 2


def test_the_gate_says_what_it_judged_and_how_long_the_rest_takes() -> None:
    """A green gate of CPU time says nothing of latency."""
    found = change()
    lines = list(gate_lines(found, judged(found, [parse_bound("2%")])))
    assert re.match(r"cpu:2% CPU per request: within the bound \(slowdown [+-]0\.\d %, between ", lines[0])
    assert lines[-1] == "judged: CPU per request only"
    unsure = change(cpu=1.025, noise=0.03)
    open_question = next(gate_lines(unsure, judged(unsure, [Bound("cpu", 0.02)])))
    assert re.search(r"not resolved .*about .* more would resolve it", open_question)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("2%", Bound("cpu", 0.02)), ("cpu:1.5%", Bound("cpu", 0.015)), ("p99:10%", Bound("p99", 0.1))],
)
def test_a_bare_share_is_about_cpu(text: str, wanted: Bound) -> None:
    """Any other figure is named."""
    found = parse_bound(text)
    assert found.figure == wanted.figure
    assert found.share == pytest.approx(wanted.share)


@pytest.mark.parametrize("text", ["2", "speed:2%", "", "rate:", "-2%", "cpu:2"])
def test_what_is_no_bound_is_refused(text: str) -> None:
    """With a hint."""
    with pytest.raises(ValueError, match="write"):
        parse_bound(text)


@pytest.mark.parametrize(("ratio", "text"), [(1.031, "+3.1 %"), (0.996, "-0.4 %"), (6.24, "x 6.24")])
def test_changes_are_written_with_their_sign_and_large_ones_as_factors(ratio: float, text: str) -> None:
    """Nobody reads +23771 %."""
    assert signed(ratio) == text


def test_a_server_of_one_connection_has_no_second_operating_point() -> None:
    """Its lines are those of one request at a time anyway."""
    folder = comparison(Truth())
    few = tuple(cell for cell in folder.run.cells if cell.connections == 1)
    found = change_of([replace(folder, run=replace(folder.run, cells=few))])
    assert [each.kind.name for each in found.lines] == ["cpu", "rate", "memory", "p50", "p99"]
