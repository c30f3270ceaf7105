"""Nothing that was measured is lost, whatever happens to a run; and nobody else's numbers are added to it."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from runners.records.run import RunFolder
from tests.support.bench import FAULTY, Bench, interrupt, server

pytestmark = pytest.mark.measures

KILLS = 3


def measured(folder: RunFolder) -> Counter[tuple[object, ...]]:
    """Return how often each item was measured in each attempt at its block."""
    return Counter(
        (trial.family, trial.block, trial.attempt, trial.pair or (trial.cell,))
        for trial in folder.trials
        if trial.verdict != "not run" and trial.role != "second"
    )


def planned(folder: RunFolder) -> set[tuple[object, ...]]:
    """Return every item of every block, at its first attempt."""
    return {
        (family.name, block, 0, tuple(sorted(item)))
        for family in folder.run.families
        for block, items in enumerate(family.blocks)
        for item in items
    }


def test_a_run_that_is_killed_again_and_again_measures_its_plan(bench: Bench) -> None:
    """SIGKILL at moments nobody chose, and a resume after each: every duet once, whole, and none is missing."""
    bench.write("none", blocks=2, more=server("other"))
    chance = random.Random(time.time())  # noqa: S311 - moments
    words = ["run", "--duet", "other", "none"]
    for _ in range(KILLS):
        process = bench.start(*words)
        bench.wait_for(lambda: bool(bench.processes()) and bool(bench.folders))
        time.sleep(chance.uniform(0.0, 2.5))
        assert interrupt(process, signal.SIGKILL).code in {-signal.SIGKILL, 0, 1}
        words = ["run", "--resume", str(bench.folders[0])]
    ended = bench.run(*words)
    assert ended.code == 0, ended.err
    found = measured(bench.read())
    assert max(found.values()) == 1
    assert {item for item in found if item[2] == 0} == planned(bench.read())
    assert {family.ended_by for family in bench.read().run.families} == {"most blocks"}
    assert bench.run("verify", str(bench.folders[0])).code == 0
    assert bench.processes() == []


def test_a_run_goes_on_when_nobody_listens(bench: Bench) -> None:
    """The readers of both streams leave; all is measured, the exit code is right, and the words are in the folder."""
    bench.write("none", blocks=2)
    process = bench.start("run")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stderr.readline()
    process.stdout.close()
    process.stderr.close()
    assert process.wait(timeout=60) == 0
    assert [trial.verdict for trial in bench.read().trials] == ["ok", "ok"]
    assert "2 trials: 2 ok" in (bench.folders[0] / "logs/run.txt").read_text(encoding="utf-8")


def test_how_to_resume_is_in_the_folder_too(bench: Bench) -> None:
    """The terminal was closed, so nobody saw the last line."""
    bench.write("none", blocks=3)
    process = bench.start("run")
    bench.wait_for(lambda: bench.is_loading(block=0))
    assert interrupt(process, signal.SIGHUP).code == 130
    (folder,) = bench.folders
    *_, last = (folder / "logs/run.txt").read_text(encoding="utf-8").splitlines()
    assert last.endswith(f"speedup run --resume {folder}")
    assert "interrupted (SIGHUP)" in last


def test_a_report_that_cannot_be_written_loses_no_trial(bench: Bench) -> None:
    """Somebody has made a folder of its name: a warning, and 1 at the end."""
    bench.write("none", blocks=2)
    process = bench.start("run")
    bench.wait_for(lambda: bench.lines() == 1)
    (bench.folders[0] / "report.html").mkdir()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "warning: the report could not be written: " in said
    assert [trial.verdict for trial in bench.read().trials] == ["ok", "ok"]


def own_server(bench: Bench) -> Path:
    """Let the server's folder be the matrix's; return its program, which everybody may edit."""
    (bench.folder / "server.py").write_bytes((FAULTY / "server.py").read_bytes())
    bench.write("none", blocks=3)
    text = bench.matrix.read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if line.startswith("dir = "))
    bench.matrix.write_text(text.replace(line, 'dir = "."'), encoding="utf-8")
    return bench.folder / "server.py"


def test_an_edit_during_a_run_ends_it_and_nothing_of_it_is_recorded(bench: Bench) -> None:
    """The run says which file; once the edit is undone, the line that it prints completes it."""
    program = own_server(bench)
    source = program.read_bytes()
    process = bench.start("run")
    bench.wait_for(lambda: bench.lines() == 1)
    program.write_bytes(source + b"# edited\n")
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "server.py changed since this run began" in said
    assert {trial.verdict for trial in bench.read().trials[1:]} == {"not run"}
    program.write_bytes(source)
    bench.matrix.write_text("# edited as well, which is no matter\n", encoding="utf-8")
    line = said.strip().rpartition("to resume: ")[2]
    done = subprocess.run(["sh", "-c", line], cwd="/", env=bench.env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [trial.block for trial in bench.read().trials if trial.verdict == "ok"] == [0, 1, 2]


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="takes away one of two CPUs")
def test_a_run_is_not_completed_with_fewer_cpus(bench: Bench) -> None:
    """One row would hold numbers of both."""
    bench.write("none")
    assert bench.run("run").code == 0
    words = bench.command("run", "--resume", str(bench.folders[0]))
    done = subprocess.run(["taskset", "-c", "0", *words], env=bench.env, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "the list of usable CPUs was " in done.stderr


def test_a_flipped_bit_costs_one_trial_which_is_measured_again(bench: Bench) -> None:
    """`verify` names the line; the others stay as they were."""
    bench.write("none", blocks=3)
    assert bench.run("run").code == 0
    (folder,) = bench.folders
    before = bench.read().trials
    file = folder / "trials.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(lines[0] + lines[1].replace(b'"requests":', b'"requests":9') + lines[2])
    found = bench.run("verify", str(folder))
    assert (found.code, found.out.splitlines()[0]) == (2, f"{file}:2: its checksum does not match")
    resumed = bench.run("run", "--resume", str(folder))
    assert resumed.code == 0, resumed.err
    after = bench.read().trials
    assert after[:2] == (before[0], before[2])
    assert [trial.block for trial in after] == [0, 2, 1]
