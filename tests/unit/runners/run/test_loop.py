"""The loop that measures: each trial is recorded before the next, and what stops a run is recorded, too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runners.errors import FleetIncomplete, Interrupted, RunStopped
from runners.matrix.cells import Cell
from runners.plan.order import Slot, plan_families
from runners.plan.pace import Pace
from runners.plan.scheduling import Blocks, Bounds
from runners.records.folder import read_trials
from runners.records.run import Run
from runners.records.trial import Trial
from runners.run import running
from runners.run.job import exit_code
from runners.run.running import Loop, conclude
from runners.run.watching import Edited, Guard
from runners.trial.trial import blanks
from tests.support.latency_matrix import cells, matrix


class FakeReporter:
    """Remembers what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, int]] = []

    def begin(self, pace: Pace) -> None:
        """Remember the pace."""
        self.pace = pace

    def trial(self, slot: Slot, trials: Sequence[Trial]) -> None:
        """Remember how far the run is."""
        assert len(slot.cells) == len(trials)
        self.heard.append((self.pace.done, self.pace.total))

    def tick(self) -> None:
        """Hear nothing."""

    def end(self) -> None:
        """Hear nothing."""


class World:
    """Servers that are formulas; trial number `stops_at` ends the run by `error`."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.number = folder, 0
        self.stops_at: int | None = None
        self.error: type[RunStopped] = Interrupted
        self.verdicts: dict[int, Any] = {}
        self.cells = cells(matrix(mode="persistent"))
        self.reporter = FakeReporter()
        self.reports = 0
        self.edited_at: int | None = None
        self.guard: Any = self
        monkeypatch.setattr(running, "measure", self.measure)

    def measure(self, of: Sequence[Cell], slot: Slot, _rig: object) -> tuple[Trial, ...]:
        """Stand in for a trial."""
        number, self.number = self.number, self.number + 1
        if number == self.stops_at:
            raise self.error("stopped")
        verdict = self.verdicts.get(number, "ok")
        return tuple(replace(blank, verdict=verdict, requests_per_s=1000.0) for blank in blanks(of, slot))

    @property
    def job(self) -> Any:
        """Return what the loop needs of a job."""
        plan = type("Plan", (), {"measurable": tuple(self.cells)})()
        return type("Job", (), {"folder": self.folder, "plan": plan})()

    def run(self, blocks: int = 6) -> list[Trial]:
        """Measure what the folder lacks."""
        families = plan_families(self.cells, [], blocks, 1)
        stage = Blocks(families, Bounds(blocks, None, None), 1, {family.name: 1.0 for family in families})
        trials = list(read_trials(self.folder))
        pace = Pace((stage,), trials)
        self.reporter.begin(pace)
        rig: Any = type("Rig", (), {"folder": self.folder})()
        Loop(self.job, rig, self.reporter, self.report, trials, pace, self.guard).measure(stage)
        return trials

    def check(self, _cells: Sequence[Cell]) -> None:
        """Stand in for a look at the files."""
        if self.edited_at is not None and self.number > self.edited_at:
            raise Edited("server.py changed")

    def measured(self, _cells: Sequence[Cell]) -> None:
        """Remember nothing."""

    def report(self, _folder: Path) -> None:
        """Count the reports."""
        self.reports += 1


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Return made-up servers in a run folder."""
    return World(tmp_path, monkeypatch)


def test_every_trial_is_recorded_and_reported_in_its_order(world: World) -> None:
    """What the run returns is what its folder holds; a report may be written after every block."""
    trials = world.run()
    assert read_trials(world.folder) == tuple(trials)
    assert world.reporter.heard == [(number, len(trials)) for number in range(1, len(trials) + 1)]
    assert world.reports == len({(trial.family, trial.block) for trial in trials})


@pytest.mark.parametrize("error", [Interrupted, FleetIncomplete])
def test_what_stops_a_run_is_recorded_and_the_next_one_goes_on(world: World, error: type[RunStopped]) -> None:
    """A signal, or clients of a fleet that are away: the trial under way was not run, and is measured again."""
    world.stops_at, world.error = 5, error
    with pytest.raises(error):
        world.run()
    assert [trial.verdict for trial in read_trials(world.folder)] == ["ok"] * 5 + ["not run"]
    world.stops_at = None
    trials = [trial for trial in world.run() if trial.verdict != "not run"]
    assert len({(trial.cell, trial.block) for trial in trials}) == len(trials) == 6 * len(world.cells)


def test_a_trial_of_what_was_edited_meanwhile_is_not_recorded(world: World) -> None:
    """It may have been of another program; the run ends with 2, and can be resumed once the edit is undone."""
    world.edited_at = 3
    with pytest.raises(Edited):
        world.run()
    assert [trial.verdict for trial in read_trials(world.folder)] == ["ok"] * 3 + ["not run"]
    assert Edited.exit_code == 2


def test_nothing_to_do_while_a_block_is_missing_is_no_end(world: World) -> None:
    """It would be a fault of ours: the run ends with an error, and no family is marked as ended."""
    trials = world.run(blocks=2)
    families = plan_families(world.cells, [], 3, 1)
    stage = Blocks(families, Bounds(3, None, None), 1, {family.name: 1.0 for family in families})
    run = Run("measured", "local", families=families)
    guard = Guard(world.folder, world.folder, run)
    with pytest.raises(RunStopped, match=r"nothing is left to measure, although .* has 2 of at least 3 blocks"):
        conclude(stage, guard, trials)
    assert not (world.folder / "run.json").exists()
    assert RunStopped.exit_code == 1


def test_a_client_that_is_away_is_no_interruption() -> None:
    """Nobody interrupted the run, so its exit code is not 130."""
    assert (Interrupted.exit_code, FleetIncomplete.exit_code) == (130, 1)


def test_the_counter_never_runs_past_its_end(world: World) -> None:
    """Repeats count before they come, as far as they are known."""
    world.verdicts = {1: "failed", 8: "invalid"}
    trials = world.run()
    assert {trial.attempt for trial in trials} == {0, 1}
    assert all(done <= total for done, total in world.reporter.heard)
    assert world.reporter.heard[-1] == (len(trials), len(trials))


def test_a_failed_trial_that_was_repeated_well_does_not_spoil_the_exit_code(world: World) -> None:
    """Every cell has a valid number, which is what 0 says."""
    world.verdicts = {0: "failed"}
    assert exit_code(world.job, world.run(blocks=1)) == 0


def test_a_cell_without_a_valid_number_is_told_by_the_exit_code(world: World) -> None:
    """Whether its trials failed or were invalid."""
    world.verdicts = dict.fromkeys(range(100), "failed")
    assert exit_code(world.job, world.run(blocks=1)) == 1
