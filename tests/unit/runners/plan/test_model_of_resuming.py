"""A run that is cut off at any byte, any number of times, measures exactly what it would have measured in one go.

The model is a run without servers: real schedules and a real trials.jsonl, but each measurement is a function of what
is measured. `HTTP_SPEEDUP_EXAMPLES=10000 pytest tests/unit/runners/plan/test_model_of_resuming.py` tries many more.
"""

from __future__ import annotations

import itertools
import os
import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runners.plan.order import Slot
from runners.plan.scheduling import Blocks, Bounds
from runners.records.folder import TRIALS_FILE, append_trials, read_trials
from runners.records.run import FamilyInfo, Item
from runners.records.trial import Check, Trial, Verdict
from tests.support.examples import examples

Measured = tuple[str, int, int, Item]  # family, block, attempt, item
ITEM_BYTES = 1500  # about
CELL = Trial(cell="", server="s", variant=None, threads=1, connections=8, mode="persistent", machine="m", verdict="ok")


@dataclass(frozen=True)
class World:
    """What measuring gives: each item's verdict and rate follow from the seed, however often a run is cut off."""

    plan: Blocks
    spoilt_share: float
    noise: float
    moments: Iterator[int] = field(default_factory=itertools.count)

    def measure(self, slot: Slot) -> list[Trial]:
        """Return the trials of an item."""
        chance = random.Random(f"{self.plan.seed}/{slot.family}/{slot.block}/{slot.attempt}/{slot.cells}")  # noqa: S311
        verdict, checks = self._verdict(chance)
        pair = (min(slot.cells), max(slot.cells)) if len(slot.cells) == 2 else None
        blank = replace(
            CELL, verdict=verdict, checks=checks, family=slot.family, block=slot.block, attempt=slot.attempt,
            position=slot.position, pair=pair, duration_us=1_000_000, design="duet" if pair else "solo",
            started_at=f"moment {next(self.moments)}",
        )  # fmt: skip
        return [
            replace(
                blank, cell=cell, requests_per_s=1000 * chance.lognormvariate(0, self.noise),
                server_cpu_us_per_request=10 * chance.lognormvariate(0, self.noise),
                role=(("first", "second")[number] if pair else None),
            )
            for number, cell in enumerate(slot.cells)
        ]  # fmt: skip

    def _verdict(self, chance: random.Random) -> tuple[Verdict, tuple[Check, ...]]:
        if chance.random() >= self.spoilt_share:
            return "ok", ()
        wrong = Check("V0", "answers", "fail", "seen") if chance.random() < 0.2 else Check("V14", "noise", "fail", "")
        return ("failed", ()) if chance.random() < 0.5 else ("invalid", (wrong,))

    def session(self, folder: Path, most: int | None = None) -> None:
        """Measure what a folder lacks; stop after so many items, where the next one is recorded as not run."""
        trials = list(read_trials(folder))
        while slots := self.plan.following(trials):
            for slot in slots:
                records = self.measure(slot)
                if most == 0:
                    append_trials(
                        folder,
                        [replace(each, verdict="not run", started_at=None, duration_us=None) for each in records],
                    )
                    return
                append_trials(folder, records)
                trials += records
                most = None if most is None else most - 1
        assert self.plan.lacking(trials) == ()


def measured(trials: tuple[Trial, ...]) -> list[Measured]:
    """Return what was measured, in order; the two trials of a duet are one item."""
    return [
        (trial.family or "", trial.block or 0, trial.attempt, trial.pair or (trial.cell,))
        for trial in trials
        if trial.verdict != "not run" and trial.role != "second"
    ]


def planned(plan: Blocks) -> Iterator[Measured]:
    """Yield every item of every block at its first attempt."""
    for family in plan.families:
        for block, items in enumerate(family.blocks):
            yield from ((family.name, block, 0, tuple(sorted(item))) for item in items)


@st.composite
def families(draw: st.DrawFn, number: int) -> FamilyInfo:
    """Return a family of cells measured alone, or of duets with its baseline."""
    size, blocks = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    cells = [f"f{number}c{cell}" for cell in range(size + 1)]
    duet = draw(st.booleans())
    items: list[Item] = [(cell, cells[0]) for cell in cells[1:]] if duet else [(cell,) for cell in cells[1:]]
    turned: list[Item] = [item[::-1] for item in reversed(items)]
    order = tuple(tuple(items if draw(st.booleans()) else turned) for _ in range(blocks))
    return FamilyInfo(f"f{number}", "duet" if duet else "solo", 1, 8, "persistent", items[0][-1], order)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Return any plan, on a machine that spoils any share of the trials."""
    found = tuple(draw(families(number)) for number in range(draw(st.integers(1, 3))))
    bounds = Bounds(
        least=draw(st.integers(1, 4)),
        precision=draw(st.sampled_from([None, 0.02, 0.2])),
        budget_s=draw(st.sampled_from([None, 3.0, 10.0])),
        least_duets=draw(st.sampled_from([None, 1, 3])),
    )
    plan = Blocks(found, bounds, draw(st.integers(0, 99)), {family.name: 1.0 for family in found})
    return World(plan, draw(st.sampled_from([0.0, 0.1, 0.5, 1.0])), draw(st.sampled_from([0.001, 0.3])))


def bytes_of(file: Path) -> st.SearchStrategy[int]:
    """Return any byte of a file: more often one of the last item, where a kill cuts it."""
    size = file.stat().st_size
    return st.one_of(st.integers(max(0, size - 4 * ITEM_BYTES), size), st.integers(0, size))


@contextmanager
def folder() -> Iterator[Path]:
    """Hold an empty run folder."""
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)


@pytest.fixture(autouse=True)
def _quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what only a power cut could tell: syncing takes most of the time."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@settings(max_examples=examples(200))
@given(world=worlds(), data=st.data())
def test_cut_at_any_byte_and_resumed_a_run_measures_its_plan(world: World, data: st.DataObject) -> None:
    """Nothing twice, nothing lost, nothing else: the same items, attempts and ends as without a cut."""
    with folder() as whole, folder() as cut:
        world.session(whole)
        for _ in range(data.draw(st.integers(1, 4), label="cuts")):
            world.session(cut, data.draw(st.integers(0, 40), label="items"))
            os.truncate(cut / TRIALS_FILE, data.draw(bytes_of(cut / TRIALS_FILE), label="byte"))
        world.session(cut)
        expected, found = read_trials(whole), read_trials(cut)
    assert Counter(measured(found)) == Counter(measured(expected))
    assert world.plan.concluded(found) == world.plan.concluded(expected)
    if world.plan.bounds.precision is None and world.plan.bounds.budget_s is None:
        assert set(measured(found)) >= set(planned(world.plan))


@settings(max_examples=examples(200))
@given(world=worlds(), data=st.data())
def test_damaged_at_any_place_and_resumed_a_run_is_complete(world: World, data: st.DataObject) -> None:
    """Lines that are lost in the middle are measured again, in their attempt; nothing is in an attempt twice."""
    with folder() as path:
        for _ in range(data.draw(st.integers(1, 3), label="sessions")):
            world.session(path, data.draw(st.integers(1, 20), label="items"))
            file = path / TRIALS_FILE
            text = bytearray(file.read_bytes())
            for place in data.draw(st.lists(st.integers(0, len(text) - 1), max_size=4), label="places"):
                text[place] |= 128  # what is damaged stays so; flipped bits have a test of their own
            file.write_bytes(text)
        world.session(path)
        found = read_trials(path)
    assert max(Counter(measured(found)).values()) == 1
    assert world.plan.lacking(found) == ()
    for item in world.plan.progress(found, precise=False):
        assert item.unfinished is None
        assert item.repeats <= item.repeats_allowed
