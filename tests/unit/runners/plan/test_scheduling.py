"""Which block comes next, and when it is enough."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runners.plan.order import Slot
from runners.plan.scheduling import LEAST_REPEATS, Blocks, Bounds, warmup_s
from runners.records.run import FamilyInfo, Item
from runners.records.trial import Check, Trial, Verdict
from runners.stats.comparison import counting


def family(name: str, items: Sequence[Item], blocks: int, baseline: str = "") -> FamilyInfo:
    """Return a family whose blocks all hold these items."""
    design: Literal["solo", "duet"] = "duet" if len(items[0]) == 2 else "solo"
    return FamilyInfo(name, design, 1, 8, "persistent", baseline or items[0][0], (tuple(items),) * blocks)


def schedule(
    sizes: Sequence[int] = (2, 3),
    least: int = 6,
    most: int = 6,
    precision: float | None = None,
    budget_s: float | None = None,
) -> Blocks:
    """Return families f0, f1, ... with cells f0c0, f0c1, ...; a block of any should take a second."""
    families = tuple(
        family(f"f{number}", [(f"f{number}c{cell}",) for cell in range(size)], most)
        for number, size in enumerate(sizes)
    )
    item_s = {each.name: 1 / len(each.blocks[0]) for each in families}
    return Blocks(families, Bounds(least, precision, budget_s), 7, item_s)


def ended(slot: Slot, verdict: Verdict = "ok", rate: float = 1000.0, check: str = "V14") -> list[Trial]:
    """Return the records of a slot that was measured."""
    checks = (Check(check, "a check", "fail", "seen"),) if verdict == "invalid" else ()
    trial = Trial(
        cell=slot.cells[0], server="s", variant=None, threads=1, connections=8, mode="persistent", machine="local",
        verdict=verdict, family=slot.family, block=slot.block, attempt=slot.attempt, requests_per_s=rate, checks=checks,
        duration_us=round(slot.expected_s * 1e6),
    )  # fmt: skip
    if len(slot.cells) == 1:
        return [trial]
    one, other = sorted(slot.cells)
    pair = (one, other)
    first, second = (replace(trial, cell=cell, pair=pair, server_cpu_us_per_request=10.0) for cell in slot.cells)
    return [replace(first, role="first"), replace(second, role="second")]


def play(plan: Blocks, verdicts: Sequence[Verdict] = (), noise: float = 0.0, seed: int = 1) -> list[Trial]:
    """Measure until the schedule says that it is enough."""
    chance = random.Random(seed)  # noqa: S311 - noise, not a secret
    trials: list[Trial] = []
    turn = 0
    while slots := plan.following(trials):
        turn += 1
        for slot in slots:
            verdict = verdicts[len(trials)] if len(trials) < len(verdicts) else "ok"
            trials += ended(slot, verdict, 1000.0 * chance.lognormvariate(0, noise))
        assert turn < 1000, "the schedule never ends"
    return trials


def ended_by(plan: Blocks, trials: Sequence[Trial]) -> dict[str, str | None]:
    """Return which bound ended each family."""
    return {each.name: each.ended_by for each in plan.concluded(trials)}


def test_every_cell_is_measured_once_in_every_block() -> None:
    """Nothing is left out and nothing is measured twice."""
    trials = play(schedule())
    assert len(trials) == 6 * 5
    assert len({(trial.cell, trial.block) for trial in trials}) == 30


def test_families_take_turns_until_each_has_its_least_number() -> None:
    """A first report after one round holds every family."""
    trials = play(schedule())
    assert {trial.family for trial in trials[:5]} == {"f0", "f1"}
    assert {trial.block for trial in trials[:5]} == {0}


@given(st.integers(0, 29))
@settings(max_examples=30)
def test_a_run_that_was_cut_short_goes_on_where_it_stopped(cut: int) -> None:
    """Whatever was recorded is not measured again, and the order stays the same."""
    whole = play(schedule())
    resumed = list(whole[:cut])
    while slots := schedule().following(resumed):
        resumed += [trial for slot in slots for trial in ended(slot)]
    assert [(trial.cell, trial.block) for trial in resumed] == [(trial.cell, trial.block) for trial in whole]


def test_an_interrupted_trial_is_measured_again() -> None:
    """`not run` is no result."""
    whole = play(schedule())
    cut = [*whole[:3], replace(whole[3], verdict="not run")]
    slots = schedule().following(cut)
    assert slots[0].cells == (whole[3].cell,)


@pytest.mark.parametrize("verdict", ["invalid", "failed"])
def test_a_block_with_a_spoilt_trial_is_repeated_whole_at_the_end(verdict: Verdict) -> None:
    """Pairing by block needs all of the block anew; the attempt with most valid trials counts."""
    trials = play(schedule(), verdicts=[verdict])
    again = [trial for trial in trials if trial.attempt == 1]
    assert {trial.cell for trial in again} == {trial.cell for trial in trials if trial.family == again[0].family}
    assert trials[-len(again) :] == again
    assert all(trial.verdict == "ok" for trial in counting(trials))


def test_an_interrupted_repeat_takes_no_valid_trial_away_and_is_completed() -> None:
    """Half of it may be better than what it repeats, and yet lacks a cell that was valid."""
    plan = schedule(sizes=(4,), least=1, most=1)
    trials = play(plan, verdicts=["ok", "invalid", "invalid", "failed"])[:7]
    assert [trial.attempt for trial in trials] == [0, 0, 0, 0, 1, 1, 1]
    assert [trial.attempt for trial in counting(trials)] == [0, 0, 0, 0]
    (slot,) = plan.following(trials)
    assert (slot.block, slot.attempt) == (0, 1)
    assert [trial.attempt for trial in counting([*trials, *ended(slot)])] == [1, 1, 1, 1]


def test_what_a_budget_did_not_foresee_is_completed_all_the_same() -> None:
    """A block that has begun is not left half done because its first half was paid for twice."""
    plan = schedule(sizes=(2,), least=1, most=9, budget_s=2.0)
    trials = play(plan)
    assert len(trials) == 4
    assert [slot.block for slot in plan.following(trials[:3])] == [1]
    assert plan.lacking(trials[:3]) == ("block 1 of f0 is not complete",)
    assert plan.lacking([]) == ("f0 has 0 of at least 1 blocks",)
    assert plan.lacking(trials) == ()


def test_at_most_a_quarter_of_the_blocks_is_repeated() -> None:
    """A machine that is never calm does not keep the run from ending."""
    trials = play(schedule(sizes=(2,), least=8, most=8), verdicts=["invalid"] * 1000)
    assert len([trial for trial in trials if trial.attempt]) == 2 * 2


def test_a_server_that_answers_wrongly_is_not_asked_again() -> None:
    """Repeating cannot help where the server itself is at fault."""
    plan = schedule(sizes=(1,))
    trials: list[Trial] = []
    while slots := plan.following(trials):
        trials += [trial for slot in slots for trial in ended(slot, "invalid", check="V0")]
    assert len(trials) == 6


def test_sampling_stops_on_precision_once_the_least_number_is_done() -> None:
    """Calm cells are done early, noisy ones go on to the most blocks."""
    calm = play(schedule(sizes=(2,), least=8, most=30, precision=0.01), noise=0.0001)
    noisy = play(schedule(sizes=(2,), least=8, most=30, precision=0.01), noise=0.2)
    assert (len(calm), len(noisy)) == (16, 60)


@given(st.integers(0, 200))
@settings(max_examples=20, deadline=None)
def test_a_family_ends_only_at_its_looks(seed: int) -> None:
    """Twelve, twenty or forty blocks, whatever the noise: at no other number is the width even considered."""
    trials = play(schedule(sizes=(2, 2), least=12, most=40, precision=0.01), noise=0.015, seed=seed)
    for name in ("f0", "f1"):
        assert len({trial.block for trial in trials if trial.family == name}) in (12, 20, 40)


def test_how_far_the_twin_is_off_does_not_matter_to_the_number_of_blocks() -> None:
    """It is no row: a family whose rows are known well enough is done."""
    plan = Blocks((family("f", [("a/t1",), ("b/t1",), ("a~twin/t1",)], 40),), Bounds(12, 0.01, None), 1, {"f": 1.0})
    chance = random.Random(1)  # noqa: S311
    trials: list[Trial] = []
    while slots := plan.following(trials):
        noises = [0.3 if slot.cells == ("a~twin/t1",) else 0.0001 for slot in slots]
        for slot, noise in zip(slots, noises, strict=True):
            trials += ended(slot, rate=1000 * chance.lognormvariate(0, noise))
    assert len({trial.block for trial in trials}) == 12


def test_the_time_goes_where_the_interval_is_widest() -> None:
    """With a budget, the family that is known best waits."""
    plan = schedule(sizes=(2, 2), least=8, most=40, budget_s=30.0)
    chance = random.Random(3)  # noqa: S311
    trials: list[Trial] = []
    turn = 0
    while slots := plan.following(trials):
        turn += 1
        for slot in slots:
            noise = 0.001 if slot.family == "f0" else 0.05
            trials += ended(slot, rate=1000 * chance.lognormvariate(0, noise))
    counts = {family: len({t.block for t in trials if t.family == family}) for family in ("f0", "f1")}
    assert turn == 30
    assert counts["f1"] > 2 * counts["f0"]
    assert ended_by(plan, trials) == {"f0": "time budget", "f1": "time budget"}


def test_no_look_is_begun_that_would_end_after_the_limit() -> None:
    """The least blocks are measured all the same; blocks short of a look would be of no use."""
    plan = schedule(sizes=(2,), least=12, most=40, precision=0.01)
    for limit_s, blocks in ((5.0, 12), (19.0, 12), (20.0, 20), (39.0, 20), (40.0, 40)):
        limited = replace(plan, bounds=replace(plan.bounds, limit_s=limit_s))
        trials = play(limited, noise=0.2)
        assert len({trial.block for trial in trials}) == blocks


def test_noise_is_no_reason_to_repeat_what_duets_decide() -> None:
    """Their rates are shown all the same, as noisy; alone, they are repeated."""
    solo, duets = family("f", [("a",), ("b",)], 2, "b"), family("f/duet", [("a", "b")], 2, "b")
    for families, repeated in (((solo,), True), ((solo, duets), False)):
        plan = Blocks(families, Bounds(2, None, None), 1, {"f": 1, "f/duet": 1})
        trials: list[Trial] = []
        while slots := plan.following(trials):
            for slot in slots:
                records = ended(slot, "invalid" if slot.family == "f" else "ok")
                trials += [replace(record, design="solo") for record in records] if slot.family == "f" else records
        assert any(trial.attempt for trial in trials) == repeated


def test_a_duet_is_one_slot_of_two_cells() -> None:
    """Both sides are measured at the same moment, and done together."""
    plan = Blocks((family("f/duet", [("a", "b"), ("c", "b")], 6, "b"),), Bounds(6, None, None), 1, {"f/duet": 2.0})
    trials = play(plan)
    assert len(trials) == 6 * 2 * 2
    assert {trial.pair for trial in trials} == {("a", "b"), ("b", "c")}
    assert plan.following(trials[:1])[-1].cells == plan.families[0].blocks[0][-1]


def test_half_a_duet_is_no_duet() -> None:
    """One line of two, as a kill may leave it: both sides are measured again."""
    plan = Blocks((family("f/duet", [("a", "b")], 6, "b"),), Bounds(6, None, None), 1, {"f/duet": 2.0})
    whole = play(plan)
    assert plan.following(whole[:1])[0].cells == ("a", "b")
    assert plan.following(whole[:2])[0].block == 1


def test_duets_may_have_a_number_of_blocks_of_their_own_and_come_along_evenly() -> None:
    """Short duets are many; they must not all wait for the end, where the machine may be another."""
    families = family("f", [("a",), ("b",)], 6, "b"), family("f/duet", [("a", "b")], 20, "b")
    plan = Blocks(families, Bounds(6, None, None, least_duets=20), 1, {"f": 1, "f/duet": 1})
    trials = play(plan)
    assert ended_by(plan, trials) == {"f": "most blocks", "f/duet": "most blocks"}
    counts = {each.name: len({t.block for t in trials if t.family == each.name}) for each in families}
    assert counts == {"f": 6, "f/duet": 20}
    half = trials[: len(trials) // 2]
    assert 8 <= len({trial.block for trial in half if trial.family == "f/duet"}) <= 12


def test_duets_have_a_precision_of_their_own() -> None:
    """They go on to their next look only while they are wide, whatever the solo blocks do."""
    families = family("f", [("a",), ("b",)], 6, "b"), family("f/duet", [("a", "b")], 40, "b")
    bounds = Bounds(6, None, None, least_duets=12, duet_precision=0.01)
    plan = Blocks(families, bounds, 1, {"f": 1, "f/duet": 1})
    trials = play(plan)
    assert ended_by(plan, trials) == {"f": "most blocks", "f/duet": "precision"}
    assert len({trial.block for trial in trials if trial.family == "f/duet"}) == 12


def test_the_bound_that_ended_a_family_is_said() -> None:
    """Most blocks, precision, or an interruption."""
    assert set(ended_by(schedule(), play(schedule())).values()) == {"most blocks"}
    assert ended_by(schedule(sizes=(1,)), []) == {"f0": "interrupted"}
    plan = schedule(sizes=(2,), least=6, most=30, precision=0.01)
    assert ended_by(plan, play(plan, noise=0.0001)) == {"f0": "precision"}


def test_few_blocks_are_repeated_all_the_same() -> None:
    """A quarter of one block is none, yet a run of one block must survive a busy moment."""
    trials = play(schedule(sizes=(2,), least=1, most=1), verdicts=["failed"])
    assert [trial.attempt for trial in trials] == [0, 0, 1, 1]
    hopeless = play(schedule(sizes=(2,), least=1, most=1), verdicts=["failed"] * 100)
    assert max(trial.attempt for trial in hopeless) == LEAST_REPEATS


def test_the_blocks_repeated_least_come_first() -> None:
    """One block that is never calm does not use up the repeats of all."""
    trials = play(schedule(sizes=(1,), least=8, most=8), verdicts=["invalid"] * 1000)
    assert [(trial.block, trial.attempt) for trial in trials if trial.attempt] == [(0, 1), (1, 1)]


def test_a_repeat_that_went_worse_does_not_count() -> None:
    """Of a block's attempts, the one with most valid trials; of equals, the first."""
    trials = play(schedule(sizes=(3,), least=1, most=1), verdicts=["invalid", "ok", "ok", "invalid", "invalid", "ok"])
    assert [trial.attempt for trial in counting(trials[:6])] == [0, 0, 0]


@given(st.lists(st.sampled_from(["ok", "ok", "ok", "invalid", "failed"]), max_size=60))
def test_what_is_left_counts_repeats_and_ends_at_none(verdicts: list[Verdict]) -> None:
    """The items left never fall to none while something is still to come."""
    plan = schedule()
    trials = play(plan, verdicts)
    for done in range(len(trials)):
        assert plan.left(trials[:done]).items > 0
    assert plan.left(trials).items == 0 or plan.progress(trials)[0].spoilt or plan.progress(trials)[1].spoilt


@given(st.integers(0, 40))
def test_a_repeat_that_was_cut_short_is_completed(cut: int) -> None:
    """Whatever of it is recorded already, a resumed run ends with the trials of one that was not cut."""
    verdicts: list[Verdict] = ["invalid"] * 4
    whole = play(schedule(), verdicts)
    resumed = whole[: min(cut, len(whole))]
    while slots := schedule().following(resumed):
        resumed += [trial for slot in slots for trial in ended(slot)]
    keys = [(trial.cell, trial.block, trial.attempt) for trial in resumed]
    assert len(set(keys)) == len(keys)
    assert all(trial.verdict == "ok" for trial in counting(resumed))


def test_an_automatic_warm_up_ends_being_one_once_several_starts_did_without() -> None:
    """Each cell by itself; a duet needs it as long as one of its sides does."""
    duets = family("f/duet", [("a", "b"), ("a", "c")], 12)
    plan = Blocks((duets,), Bounds(12, None, None), 7, {"f/duet": 1.25})
    drifts = {"a": 0.0, "b": 0.01, "c": -1.0}
    trials: list[Trial] = []
    while slots := plan.following(trials):
        for slot in slots:
            warmed_us = round(1e6 * (2.0 if slot.warmup_s is None else slot.warmup_s))
            trials += [
                replace(trial, warmed_us=warmed_us, warmup_drift=None if slot.warmup_s else drifts[trial.cell])
                for trial in ended(replace(slot, expected_s=0.2))
            ]
    warmed_s = {
        pair: [
            trial.warmed_us / 1e6
            for trial in trials
            if trial.pair == pair and trial.role == "first" and trial.warmed_us
        ]
        for pair in (("a", "b"), ("a", "c"))
    }
    assert warmed_s == {("a", "b"): [2.0] * 6 + [0.05] * 6, ("a", "c"): [2.0] * 12}


def test_the_starts_of_a_server_tell_of_all_its_numbers_of_connections() -> None:
    """And of its twin, but of no other connection mode."""
    few = [("s/t1/c1/persistent#0", "r/t1/c1/persistent#1")]
    many = [("s~twin/t1/c64/persistent#2", "r/t1/c64/persistent#3")]
    other = [("s/t1/c64/non-persistent#4", "r/t1/c64/non-persistent#5")]
    trials: list[Trial] = []
    for _ in range(6):
        slot = Slot(few[0], "f/duet", len(trials) // 2, 0, len(trials) // 2)
        trials += [replace(trial, warmed_us=2_000_000, warmup_drift=0.01) for trial in ended(slot)]
        needed = warmup_s(many[0], trials) is None
        assert needed is (len(trials) < 12)
    assert warmup_s(other[0], trials) is None


def test_long_warm_ups_leave_time_for_fewer_blocks() -> None:
    """What automatic warm-ups really took counts, not what was planned."""
    warm = Blocks((family("f", [("a",)], 40),), Bounds(6, None, None, limit_s=60.0), 7, {"f": 1.0})
    trials: list[Trial] = []
    while slots := warm.following(trials):
        trials += [
            replace(trial, warmed_us=4_000_000, warmup_drift=-1.0) for trial in ended(replace(slots[0], expected_s=1.0))
        ]
    assert len(trials) == 6
    assert len(play(warm)) == 40


def test_the_time_left_counts_long_warm_ups_as_they_were() -> None:
    """Of the same family, and of others that have not begun."""
    families = (family("f/duet", [("a", "b")], 20), family("f", [("a",)], 10))
    plan = Blocks(families, Bounds(10, None, None), 7, {"f/duet": 1.0, "f": 2.0})
    assert plan.left(()).seconds == pytest.approx(20 * 1.0 + 10 * 2.0)
    trials: list[Trial] = []
    for _ in range(5):
        slots = plan.following(trials)
        trials += [replace(trial, warmed_us=5_000_000, duration_us=800_000) for trial in ended(slots[0])]
    assert {trial.family for trial in trials} == {"f/duet"}
    assert plan.left(trials).seconds == pytest.approx(15 * 6.0 + 10 * (2.0 + 5.0))


def test_duets_give_an_answer_before_anything_else_is_measured() -> None:
    """One family after the other up to its first look, so that tables need not wait for each other."""
    families = (
        family("f0", [("a",), ("b",), ("c",)], 2),
        family("f0/duet", [("a", "b")], 40),
        family("f1/duet", [("a", "c")], 40),
    )
    plan = Blocks(families, Bounds(2, None, None, 20, 0.5), 7, {each.name: 1.0 for each in families})
    order = [trial.family for trial in play(plan) if trial.role != "second"]
    assert order[:24] == ["f0/duet"] * 12 + ["f1/duet"] * 12
    assert order.count("f0") == 6
    assert order.count("f0/duet") == order.count("f1/duet") >= 20
