"""Two recorded runs are compared as far as their circumstances allow; made-up runs, whose truth is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from reports.changes.change import Change, Line
from reports.changes.change_words import sentences
from reports.changes.recorded import change_between, recorded
from reports.changes.slowdowns import judged, parse_bound, verdict
from runners.errors import BadInput
from runners.records.run import RunFolder, SourceInfo
from tests.support.small_run import duet_run, small_run

OTHER_MACHINE = ("the CPU was slow and is fast",)


def run(name: str, speeds: Mapping[str, float], *, edited: str = "", pace: float = 1.0) -> RunFolder:
    """Return a run on a machine of a pace; the program of `edited` is another one than in other runs."""
    return _as(name, small_run({each: speed * pace for each, speed in speeds.items()}), edited)


def _as(name: str, made: RunFolder, edited: str) -> RunFolder:
    ids = {cell.id: cell.id.replace("#0", "#1") if cell.server == edited else cell.id for cell in made.run.cells}
    cells = tuple(replace(cell, id=ids[cell.id]) for cell in made.run.cells)
    trials = tuple(
        replace(trial, cell=ids[trial.cell], pair=trial.pair and (ids[trial.pair[0]], ids[trial.pair[1]]))
        for trial in made.trials
    )
    servers = dict.fromkeys(cell.server for cell in cells)
    sources = tuple(
        SourceInfo(f"servers/{server}", {"main.c": name if server == edited else "same"}) for server in servers
    )
    return RunFolder(Path("results", name), replace(made.run, cells=cells, sources=sources), trials)


def between(old: RunFolder, new: RunFolder, apart: tuple[str, ...] = ()) -> Change:
    """Return what changed between two runs."""
    return change_between(recorded(old), recorded(new), apart)


def line(found: Change, figure: str, server: str = "") -> Line:
    """Return the line of a figure."""
    return next(each for each in found.lines if each.kind.name == figure and each.place.cell.startswith(server))


def test_a_program_that_changed_is_compared_and_the_answer_says_that_it_is_weaker() -> None:
    """Only its cell: the others are the same program, and show how far the runs drifted apart."""
    found = between(run("A", {"floor": 2, "mine": 1}), run("B", {"floor": 2, "mine": 0.8}, edited="mine"))
    assert {each.place.cell for each in found.lines} == {"mine, 1 thread, 64 connections"}
    assert (line(found, "rate").verdict, line(found, "cpu").verdict) == ("worse", "worse")
    said = sentences(found)
    assert said.startswith("Recorded at different times, so weaker than a measured comparison: B needs 2")
    assert verdict(judged(found, [parse_bound("2%")])) == "slower"


def test_what_differs_no_more_than_a_program_that_did_not_change_is_not_called() -> None:
    """The whole machine was 10 % slower the second time."""
    old, new = run("A", {"floor": 2, "mine": 1}), run("B", {"floor": 2, "mine": 1}, edited="mine", pace=0.9)
    found = between(old, new)
    assert line(found, "rate").verdict == "not resolved"
    assert line(found, "rate").rule.margin > 0.1


def test_the_same_programs_measured_twice_are_all_compared() -> None:
    """Someone may have changed the kernel's settings."""
    found = between(run("A", {"floor": 2, "mine": 1}), run("B", {"floor": 2, "mine": 1}, pace=0.5))
    assert [line(found, "rate", server).verdict for server in ("floor", "mine")] == ["worse", "worse"]


def test_other_machines_are_compared_only_by_ratios_to_a_server_that_did_not_change() -> None:
    """The machine is three times as fast; the server has become slower relative to the ruler."""
    old, new = run("A", {"floor": 2, "mine": 1}), run("B", {"floor": 2, "mine": 0.8}, edited="mine", pace=3)
    found = between(old, new, OTHER_MACHINE)
    rate = line(found, "rate")
    assert (rate.verdict, rate.old, rate.new) == ("worse", None, None)
    assert rate.ratio is not None
    assert rate.ratio.value == pytest.approx(0.8, abs=0.01)
    assert "relative to floor in each run" in sentences(found)


def test_other_machines_without_a_common_baseline_are_not_compared() -> None:
    """Neither by their rates nor by a baseline whose sources differ."""
    old, new = run("A", {"floor": 2, "mine": 1}), run("B", {"floor": 2, "mine": 1}, edited="floor")
    with pytest.raises(BadInput, match="recorded apart: the CPU was slow"):
        between(old, new, OTHER_MACHINE)


def test_runs_without_a_cell_in_common_are_refused() -> None:
    """In one clear message."""
    with pytest.raises(BadInput, match="A and B have no cell in common"):
        between(run("A", {"one": 1}), run("B", {"other": 1}))


def test_duets_with_the_same_unchanged_server_compare_cpu_time_best() -> None:
    """What disturbed each run cancels in it."""
    old = _as("A", duet_run({"floor": 1.0, "mine": 2.0}), "")
    new = _as("B", duet_run({"floor": 1.0, "mine": 2.1}), "mine")
    cpu = line(between(old, new), "cpu")
    assert (cpu.design, cpu.verdict) == ("duet", "worse")
    assert cpu.ratio is not None
    assert cpu.ratio.value == pytest.approx(1.05, abs=0.01)


def test_many_cells_are_counted_rather_than_told_one_by_one() -> None:
    """Nobody reads thirty sentences."""
    names = {f"s{number}": 1.0 for number in range(6)}
    said = sentences(between(run("A", names), run("B", names)))
    assert "B against A in 6 places: CPU per request 6 no difference;" in said
