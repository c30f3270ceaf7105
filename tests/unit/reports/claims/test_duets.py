"""Duets: two servers at the same moment, compared by what a request costs."""

from __future__ import annotations

import dataclasses

import pytest

from reports.claims.duets import duet_headline, duets_of, turned
from reports.claims.paced import paced_tables
from reports.forms.page.html import render_report
from reports.forms.text import text_measured
from reports.tables.tables import build_tables
from reports.view.view import view_run
from runners.records.run import RunFolder
from tests.support.changes import Truth, at_equal_rates, comparison
from tests.support.small_run import FAMILY, cell_id, duet_run, small_run

COSTS = {"plain": 1.0, "lean": 0.8, "alike": 1.0}


def both(costs: dict[str, float]) -> RunFolder:
    """Return a run with solo blocks and duets of the same servers."""
    solo, beside = small_run(dict.fromkeys(costs, 1.0)), duet_run(costs)
    run = dataclasses.replace(solo.run, families=solo.run.families + beside.run.families)
    return dataclasses.replace(solo, run=run, trials=solo.trials + beside.trials)


def test_a_known_ratio_of_costs_comes_out_of_heavy_weather() -> None:
    """What disturbs both by 30 % cancels; 20 % less is found within 1 %, in its interval, and called cheaper."""
    lean = duets_of(view_run(duet_run(COSTS)))[0]

    assert (lean.row.server, lean.baseline.server) == ("lean", "plain")
    assert lean.ratio is not None
    assert lean.ratio.value == pytest.approx(0.8, rel=0.01)
    assert lean.ratio.interval is not None
    assert lean.ratio.interval.low < 0.8 < lean.ratio.interval.high
    assert lean.judgement is not None
    assert lean.judgement.answer == "cheaper"


def test_like_servers_are_equivalent_in_duets() -> None:
    """Their interval lies within 2 % of equal."""
    alike = duets_of(view_run(duet_run(COSTS)))[1]

    assert alike.judgement is not None
    assert alike.judgement.answer == "equivalent"


def test_both_start_first_equally_often() -> None:
    """Eight blocks, four each."""
    assert [duet.first for duet in duets_of(view_run(duet_run(COSTS)))] == [4, 4, 4]


def test_one_trial_far_out_moves_little() -> None:
    """The estimate is robust: one cost ten times too high shifts it by less than 1 %."""
    folder = duet_run(COSTS)
    far = dataclasses.replace(folder.trials[0], server_cpu_us_per_request=1000.0)
    duet = duets_of(view_run(dataclasses.replace(folder, trials=(far, *folder.trials[1:]))))[0]

    assert duet.ratio is not None
    assert duet.ratio.value == pytest.approx(0.8, rel=0.01)


def test_the_twin_comes_last_as_the_noise_floor() -> None:
    """It has no verdict of its own in the page."""
    folder = duet_run(COSTS)

    assert [duet.twin for duet in duets_of(view_run(folder))] == [False, False, True]
    assert '<span class="verdict">noise floor</span>' in render_report([folder])


def test_a_twin_that_differs_in_duets_raises_the_margin_of_their_verdicts() -> None:
    """20 % less is still cheaper, 3 % more is not costlier; the headline says the bias."""
    folder = duet_run({**COSTS, "alike": 1.03}, twin=1.03)
    duets = duets_of(view_run(folder))

    assert [duet.judgement.answer for duet in duets[:2] if duet.judgement] == ["cheaper", "not resolved"]
    assert duets[0].rule is not None
    assert duets[0].rule.margin == pytest.approx(0.034, abs=0.001)
    assert duet_headline(duets).endswith("; the baseline differed from itself by up to 3.4 %, so less does not count.")


def test_a_run_of_duets_alone_has_one_table() -> None:
    """No table of rates without rates; both costs, the ratio and a headline; nothing about throughput."""
    folder = duet_run({"plain": 1.0, "lean": 0.8})
    view = view_run(folder)
    page = render_report([folder])

    assert view.only_duets
    assert build_tables(view) == ()
    assert 'id="duets"' in page
    assert "lean needs 20.2 % less CPU per request than plain (96.1 % CI 20.0\u201320.4 %)." in page
    assert "req/s<small>median" not in page


def test_duets_stand_in_a_column_beside_the_rates() -> None:
    """Each row against the table's baseline; the baseline says so."""
    folder = both(COSTS)
    table = build_tables(view_run(folder))[0]

    assert {cell.partition("/")[0]: part.duet is None for cell, part in table.duets.items()} == {
        "plain": True,
        "lean": False,
        "alike": False,
    }
    assert "CPU cost in duets<small>" in render_report([folder])
    assert [family.name for family in table.families] == [f"{FAMILY}/duet", FAMILY]


def test_duets_do_not_count_as_rates() -> None:
    """Eight solo trials for each row, whatever ran beside others."""
    rows = build_tables(view_run(both(COSTS)))[0].measured

    assert [row.rps.count for row in rows if row.rps] == [8, 8, 8]


def test_a_pair_seen_from_its_other_side_has_the_inverse_ratio() -> None:
    """Twice seen, it is itself."""
    lean = duets_of(view_run(duet_run(COSTS)))[0]
    other = turned(lean)

    assert other.row.id == cell_id("plain")
    assert other.judgement is not None
    assert other.judgement.answer == "costlier"
    back = turned(other)
    assert back.ratio is not None
    assert lean.ratio is not None
    assert back.ratio.value == pytest.approx(lean.ratio.value)
    assert back.first == lean.first


@pytest.mark.parametrize(
    ("blocks", "words"), [(3, "(no interval: too few blocks)"), (8, "(96.1 % CI 20.0\u201320.4 %)")]
)
def test_few_duets_have_no_interval(blocks: int, words: str) -> None:
    """The headline says so."""
    assert words in duet_headline(duets_of(view_run(duet_run({"plain": 1.0, "lean": 0.8}, blocks=blocks))))


def test_duets_stand_in_the_text_too() -> None:
    """A line for each pair."""
    folder = duet_run({"plain": 1.0, "lean": 0.8})
    page = render_report([folder])

    assert "    lean / plain" in page
    assert ", 8 blocks, cheaper)" in page
    assert "noise floor)" in page
    assert "Duets" not in text_measured(view_run(folder), ())


def test_an_invalid_duet_is_left_out_and_counted() -> None:
    """Where one side is invalid, so is the comparison."""
    folder = duet_run({"plain": 1.0, "lean": 0.8})
    trials = tuple(dataclasses.replace(one, verdict="invalid") if one.block == 2 else one for one in folder.trials)
    duet = duets_of(view_run(dataclasses.replace(folder, trials=trials)))[0]

    assert duet.ratio is not None
    assert (duet.ratio.count, duet.invalid) == (7, 1)


def test_duets_at_an_equal_rate_are_none_at_full_load() -> None:
    """They stand among the trials at offered rates, and change nothing here."""
    folder = comparison(Truth(cpu=0.9))
    paced = at_equal_rates(folder, 8_000, cpu=3.0)
    assert duets_of(view_run(paced)) == duets_of(view_run(folder))
    assert len(paced_tables(view_run(paced))[0].rows) == 2


def test_a_baseline_that_leads_in_duets_alone_has_no_figure_of_its_own() -> None:
    """Nothing was measured alone, so that no rate and no cost alone is known."""
    folder = comparison(Truth(cpu=1.5))
    duets = tuple(trial for trial in folder.trials if trial.design == "duet")
    (table,) = build_tables(view_run(dataclasses.replace(folder, trials=duets)))
    assert table.headline.startswith("old (64 connections) needs the least server CPU per request; new ("), (
        table.headline
    )
