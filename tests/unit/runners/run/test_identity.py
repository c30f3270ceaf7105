"""A run is completed only by what began it: the same machine, harness, tools, options and files."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from runners.errors import BadInput
from runners.matrix.reading import parse_matrix
from runners.plan.planning import Options, make_plan, plan_matrix, resuming
from runners.records.folder import append_trials, read_run, write_run
from runners.records.run import Identity, ToolInfo
from runners.run import identity
from runners.run.identity import differences, tool_differences
from runners.run.job import Job, Wishes, new_job, resumed_job
from runners.tools.find import TOOL_DATA
from tests.unit.runners.records.test_folder import trial

BEGAN = Identity(
    cpu="Xeon", cpus="0-3", memory_bytes=8_000_000_000, kernel="Linux 6.1", layouts={"1": "server 0, client 1"},
    harness="a1", network="namespace",
)  # fmt: skip


def test_the_same_machine_differs_in_nothing() -> None:
    """Its memory may differ a little: kernels keep more or less for themselves."""
    assert differences(BEGAN, BEGAN) == []
    assert differences(BEGAN, replace(BEGAN, memory_bytes=7_700_000_000)) == []


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (replace(BEGAN, cpu="EPYC"), "the CPU was Xeon and is EPYC"),
        (replace(BEGAN, cpus="0"), "the list of usable CPUs was 0-3 and is 0"),
        (replace(BEGAN, memory_bytes=7_500_000_000), "the memory was 7.45 GiB and is 6.98 GiB"),
        (replace(BEGAN, kernel=""), "the kernel was Linux 6.1 and is unknown"),
        (replace(BEGAN, layouts={"1": "x"}), "the CPU layout for 1 server threads was server 0, client 1 and is x"),
        (replace(BEGAN, harness="b2"), "the version of what measures (http-speedup's own files) was a1 and is b2"),
    ],
)
def test_whatever_differs_is_named_with_both_values(now: Identity, said: str) -> None:
    """One by one."""
    assert differences(BEGAN, now) == [said]


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (ToolInfo("wrk", "4.1", "/b/wrk", "1" * 64), []),
        (ToolInfo("wrk", "4.2", "/a/wrk", "1" * 64), ["wrk was 4.1 and is 4.2"]),
        (ToolInfo("nim", "2.2", "/a/nim"), ["wrk was 4.1 and is missing"]),
        (
            ToolInfo("wrk", "4.1", "/b/wrk", "2" * 64),
            ["wrk at /b/wrk is another program: its hash was 111111111111 and is 222222222222"],
        ),
    ],
)
def test_a_tool_is_the_same_if_its_version_and_content_are(now: ToolInfo, said: list[str]) -> None:
    """Wherever it is."""
    assert tool_differences([ToolInfo("wrk", "4.1", "/a/wrk", "1" * 64)], [now]) == said


AS_IT_IS = Wishes()
MATRIX = """\
suite = {{ title = "T" }}
preset.quick = {{ warmup = "0s", duration = "1s" }}
machine.local = {{ threads = [1], connections = [8] }}
server.a = {{ run = ["{other}/start", "app.py", "--with={other}/more.py", "{{dir}}/none.db"], dir = "." }}
"""


@pytest.fixture(name="place")
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project with a server, scripts elsewhere, and a machine that has wrk."""
    for name in ("bin/wrk", "other/start", "other/more.py", "own/app.py"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("#!/bin/sh\necho 'wrk 4.1.0'\n", encoding="utf-8")
        file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "own/matrix.toml").write_text(MATRIX.format(other=tmp_path / "other"), encoding="utf-8")
    return tmp_path


def begin(place: Path, wishes: Wishes = AS_IT_IS) -> Job:
    """Begin a run there."""
    return new_job(make_plan(Options(place / "own/matrix.toml", machine="local")), place / "own/out", wishes)


def resume(job: Job, wishes: Wishes = AS_IT_IS) -> Job:
    """Resume it as the command line does."""
    run = read_run(job.folder)
    matrix = parse_matrix(run.matrix, "run.json", TOOL_DATA, recorded=True)
    plan = plan_matrix(matrix, run.matrix, job.folder / run.matrix_path, resuming(run))
    return resumed_job(plan, job.folder, wishes)


def test_a_run_that_only_began_can_be_resumed(place: Path) -> None:
    """It is interrupted while servers are built: nothing is measured, and everything is still to be."""
    job = begin(place)
    again = resume(job)
    assert again.run == job.run
    assert [cell.id for cell in again.plan.measurable] == [cell.id for cell in job.plan.measurable]


def edit(file: Path) -> None:
    """Change a file."""
    file.write_text(file.read_text(encoding="utf-8") + "# more\n", encoding="utf-8")


@pytest.mark.parametrize(
    "happen",
    [
        lambda place: edit(place / "own/matrix.toml"),
        lambda place: (place / "own/new.log").touch(),
        lambda place: (place / "own/out/other-run").mkdir(),
        lambda place: (place / "own/fleet.token").touch(),
        lambda place: (place / "own").rename(place / "own2"),
    ],
    ids=["the matrix is edited", "a file appears", "another run", "a token", "all is moved"],
)
def test_what_does_not_change_the_servers_does_not_keep_a_run_from_being_resumed(
    happen: Callable[[Path], object], place: Path
) -> None:
    """The folder of the matrix may be a server's own folder."""
    job = begin(place)
    happen(place)
    if not job.folder.exists():
        job = replace(job, folder=place / "own2/out" / job.folder.name)
    assert resume(job).run == job.run


@pytest.mark.parametrize(
    ("happen", "said"),
    [
        (lambda place: edit(place / "own/app.py"), "app.py changed"),
        (lambda place: (place / "own/app.py").unlink(), "app.py changed"),
        (lambda place: edit(place / "other/start"), "/other/start changed"),
        (lambda place: edit(place / "other/more.py"), "/other/more.py changed"),
        (lambda place: edit(place / "bin/wrk"), "wrk is another program: its hash was"),
    ],
    ids=["edited", "removed", "program", "script", "generator"],
)
def test_what_was_hashed_must_be_what_is_measured(happen: Callable[[Path], object], said: str, place: Path) -> None:
    """Sources, programs, scripts and generators; the file is named."""
    job = begin(place)
    happen(place)
    with pytest.raises(BadInput, match="cannot be completed: since it began, ") as caught:
        resume(job)
    assert said in str(caught.value)


def test_fewer_cpus_are_another_machine(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`taskset -c 0 speedup run --resume DIR` must not fill up rows that two CPUs began."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    job = begin(place)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    with pytest.raises(BadInput, match="the list of usable CPUs was 0-1 and is 0"):
        resume(job)


def test_options_need_not_be_given_again_but_others_are_refused(place: Path) -> None:
    """What a run began with is in its folder."""
    job = begin(place, Wishes("host", skip_gates=True))
    again = resume(job).run
    assert (again.network, again.tune, again.skip_gates) == ("host", False, True)
    assert resume(job, Wishes("host", skip_gates=True)).run == job.run
    for wishes, option in ((Wishes("namespace"), "--network"), (Wishes(tune=True), "--tune")):
        with pytest.raises(BadInput, match=f"leave out {option}, or start a new run"):
            resume(job, wishes)


def test_a_run_of_an_older_version_is_read_but_not_resumed(place: Path) -> None:
    """It does not say what began it."""
    job = begin(place)
    write_run(job.folder, replace(job.run, identity=None))
    append_trials(job.folder, [trial()])
    with pytest.raises(BadInput, match="did not record what began it"):
        resume(job)


def test_an_edited_head_is_not_resumed(place: Path) -> None:
    """It may hold another order, or other bounds."""
    job = begin(place)
    head = job.folder / "run.json"
    head.write_text(head.read_text(encoding="utf-8").replace('"blocks": ', '"blocks": 1'), encoding="utf-8")
    with pytest.raises(BadInput, match="is damaged or was edited"):
        resume(job)


def test_a_link_in_the_folder_is_not_written_through(place: Path) -> None:
    """It came by mail, and leads to a file of yours."""
    job = begin(place)
    (job.folder / "logs").mkdir()
    (job.folder / "logs/run.txt").symlink_to(place / "key")
    with pytest.raises(BadInput, match="is a link, and a run writes there"):
        resume(job)


def test_the_harness_is_what_measures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The script that wrk runs counts; the self-test does not, nor do docs and reports."""
    monkeypatch.setattr("runners.resources.code", lambda: tmp_path)
    hashes = []
    for name in ("loads/wrk.lua", "trial/trial.py", "selftest/cases.py", "tools/install.py", "loads/notes.md"):
        file = tmp_path / "runners" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        identity.harness_hash.cache_clear()
        hashes.append(identity.harness_hash())
    identity.harness_hash.cache_clear()
    assert len(set(hashes)) == 2
    assert hashes[1:] == hashes[1:2] * 4


def test_nothing_is_left_of_a_run_whose_head_cannot_be_written(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interruption in that moment leaves no folder that is no run."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("runners.records.folder.write_run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        begin(place)
    assert list((place / "own/out").iterdir()) == []
