"""Which rate is offered to both sides of a duet, and how often, with two servers that are formulas."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runners.plan.equal_rates import EqualRates, equal_rate_per_s
from runners.plan.order import Duet, Slot
from runners.records.trial import Check, Trial
from runners.trial.trial import blanks
from tests.support.latency_matrix import cells, matrix

FULL_PER_S = {"a": 10_000.0, "b": 8_000.0}


@pytest.fixture
def duet() -> Duet:
    """Two servers with persistent connections."""
    row, baseline = (cell for cell in cells(matrix(mode="persistent")) if cell.mode == "persistent")
    return Duet(row, baseline)


class World:
    """Both servers keep every rate up to `keeps_per_s`; the generators use `client_us` of CPU time per request."""

    def __init__(self, duet: Duet, keeps_per_s: float = 1e9, client_us: float = 1.0) -> None:
        self.cells = {cell.id: cell for cell in (duet.row, duet.baseline)}
        self.keeps_per_s, self.client_us = keeps_per_s, client_us
        self.stalls_at: set[int] = set()
        self.trials = self._at_full_load(duet)

    def _at_full_load(self, duet: Duet) -> list[Trial]:
        found = blanks((duet.row, duet.baseline), Slot(duet.cells, duet.family, 0, 0, 0))
        return [replace(blank, verdict="ok", requests_per_s=FULL_PER_S[blank.server]) for blank in found]

    def measure(self, slot: Slot) -> list[Trial]:
        """Stand in for a duet at a rate."""
        assert slot.offer is not None
        rate = slot.offer.rate_per_s
        kept = rate <= self.keeps_per_s and slot.block not in self.stalls_at
        return [
            replace(
                blank,
                verdict="ok" if kept else "invalid",
                checks=(Check("V25", "offered rate reached", "pass" if kept else "fail", ""),),
                client_cpu_share=rate * self.client_us / 1e6,
            )
            for blank in blanks([self.cells[cell] for cell in slot.cells], slot)
        ]

    def run(self, stage: EqualRates, most: int = 1000) -> list[Slot]:
        """Measure until the stage is finished, or so often; return what was asked for."""
        asked: list[Slot] = []
        while (slots := stage.following(self.trials)) and len(asked) < most:
            asked += slots
            self.trials += [trial for slot in slots for trial in self.measure(slot)]
        return asked


def stage(duet: Duet, blocks: int = 12, duration_s: float = 1.0) -> EqualRates:
    """Return the stage of one duet."""
    return EqualRates((duet,), blocks, duration_s, seed=1)


def rates(asked: list[Slot]) -> list[float]:
    """Return the rates that were offered."""
    return [slot.offer.rate_per_s for slot in asked if slot.offer]


def test_the_rate_is_a_share_of_what_the_slower_side_answered(duet: Duet) -> None:
    """Rounded, the same in every block, in both orders equally often."""
    asked = World(duet).run(stage(duet))
    assert rates(asked) == [4_800.0] * 12
    assert [slot.block for slot in asked] == list(range(12))
    assert sum(slot.cells[0] == duet.row.id for slot in asked) == 6
    assert stage(duet).left(World(duet).trials).items == 12


def test_a_rate_that_a_server_cannot_keep_is_lowered_at_once(duet: Duet) -> None:
    """And what was measured at the higher one does not count."""
    world = World(duet, keeps_per_s=3_000)
    assert rates(world.run(stage(duet))) == [4_800.0, 3_400.0] + [2_400.0] * 12
    assert equal_rate_per_s(world.trials) == 2_400.0


def test_generators_that_need_too_much_of_their_cpus_lower_it_too(duet: Duet) -> None:
    """Both of them together."""
    assert rates(World(duet, client_us=100.0).run(stage(duet)))[:3] == [4_800.0, 3_400.0, 3_400.0]


def test_one_stall_lowers_nothing_and_two_do(duet: Duet) -> None:
    """A single one may be the machine's, and is repeated."""
    world = World(duet)
    world.stalls_at = {4}
    assert rates(world.run(stage(duet))) == [4_800.0] * 13
    world = World(duet)
    world.stalls_at = {4, 6}
    assert rates(world.run(stage(duet))) == [4_800.0] * 7 + [3_400.0] * 12


def test_it_ends_where_no_rate_is_low_enough(duet: Duet) -> None:
    """A server that keeps none is left after some lowerings."""
    assert len(World(duet, keeps_per_s=0).run(stage(duet))) == 6


def test_a_slow_servers_trials_are_longer_within_bounds(duet: Duet) -> None:
    """So that a 99th percentile says something."""
    asked = World(duet).run(stage(duet, duration_s=0.1))
    assert {slot.offer.duration_s for slot in asked if slot.offer} == {1_100 / 4_800}
    slow = World(duet)
    slow.trials = [replace(trial, requests_per_s=100.0) for trial in slow.trials]
    assert {slot.offer.duration_s for slot in slow.run(stage(duet)) if slot.offer} == {3.0}


def test_without_a_valid_duet_at_full_load_nothing_is_offered(duet: Duet) -> None:
    """There would be nothing to take a share of."""
    world = World(duet)
    world.trials = [replace(trial, verdict="invalid") for trial in world.trials]
    assert stage(duet).whole.items == 12
    assert stage(duet).left(world.trials).items == 0
    assert world.run(stage(duet)) == []


@pytest.mark.parametrize("after", range(0, 14, 3))
def test_what_was_interrupted_goes_on_as_if_it_had_not_been(duet: Duet, after: int) -> None:
    """With the same rates and the same orders."""
    whole, cut = World(duet, keeps_per_s=3_000), World(duet, keeps_per_s=3_000)
    asked = whole.run(stage(duet))
    again = cut.run(stage(duet), most=after)
    cut.trials += [replace(trial, verdict="not run") for trial in cut.measure(asked[after])]
    assert again + cut.run(stage(duet)) == asked
