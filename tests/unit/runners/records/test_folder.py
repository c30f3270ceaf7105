"""The run folder: whole lines survive a kill and a full disk; what is damaged is told with its place."""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runners.errors import BadInput, DiskFull
from runners.records import folder
from runners.records.folder import append_trials, read_folder, read_run, read_trials, to_json, to_line, write_run
from runners.records.lines import sealed
from runners.records.run import BuildInfo, CellInfo, FamilyInfo, Published, Run, Source, ToolInfo
from runners.records.trial import Check, Command, Errors, Trial


def trial(cell: str = "epoll/t1/c64/persistent#1", reason: str | None = None) -> Trial:
    """Return a trial with a value in every kind of field."""
    return Trial(
        cell=cell, server="epoll", variant=None, threads=1, connections=64, mode="persistent", machine="local",
        verdict="ok", load="wrk", block=0, position=3, reason=reason, requests=10, duration_us=1_000_000,
        requests_per_s=10.0, errors=Errors(read=1), checks=(Check("V1", "no errors", "pass", "none"),),
        commands=(Command("load", ("wrk", "-c", "64"), "logs/x.txt", "0-1"),),
    )  # fmt: skip


def run() -> Run:
    """Return the head of a run with everything in it."""
    cell = CellInfo(
        id="a#1", slug="a", server="a", variant=None, title="A", language=None, class_="realistic", group="document",
        threads=1, connections=64, mode="persistent", load="wrk", family="f", status="planned",
    )  # fmt: skip
    published = Published(Run(kind="published", machine="old", source=Source("a page")), (trial(),))
    return Run(
        kind="measured", machine="local", facts={"cpu": "x"}, tools=(ToolInfo("wrk", "4.1", "/usr/bin/wrk"),),
        builds=(BuildInfo("a", "built", ("cc",), 1.5),), cells=(cell,),
        families=(FamilyInfo("f", "solo", 1, 64, "persistent", "a#1", ((("a#1",),), (("a#1",),))),), notes=("é",),
        published=(published,),
    )  # fmt: skip


def test_a_run_folder_reads_back_as_it_was_written(tmp_path: Path) -> None:
    """Head and trials, with every nested record."""
    write_run(tmp_path, run())
    append_trials(tmp_path, [trial()])
    append_trials(tmp_path, [trial(reason="naïve\nserver\u2028said \x00")])
    folder = read_folder(tmp_path)
    assert folder.run == run()
    assert folder.trials == (trial(), trial(reason="naïve\nserver\u2028said \x00"))


def test_a_trial_is_one_line_in_which_the_unknown_is_null(tmp_path: Path) -> None:
    """Never 0 or -1; behind its fields is the checksum, so the line is JSON like any other."""
    append_trials(tmp_path, [trial()])
    (line,) = (tmp_path / "trials.jsonl").read_text(encoding="utf-8").splitlines()
    record = json.loads(line)
    assert list(record) == [*(field.name for field in dataclasses.fields(Trial)), "crc32"]
    assert record["rss_bytes"] is None
    assert record["schema"] == "speedup.trial/2"


def test_a_folder_without_trials_holds_none(tmp_path: Path) -> None:
    """A run that was stopped before its first trial can be read."""
    write_run(tmp_path, run())
    assert read_folder(tmp_path).trials == ()


def test_a_torn_last_line_is_ignored(tmp_path: Path) -> None:
    """Wherever a kill has cut it."""
    line = to_line(trial())
    for length in (1, 20, len(line) - 1):
        (tmp_path / "trials.jsonl").write_bytes(line + line[:length])
        assert read_trials(tmp_path) == (trial(),)


def test_a_torn_last_line_is_cut_off_before_the_next_is_appended(tmp_path: Path) -> None:
    """Else the next one would be lost with it."""
    line = to_line(trial())
    (tmp_path / "trials.jsonl").write_bytes(line + line[:30])
    append_trials(tmp_path, [trial("b#2")])
    assert read_trials(tmp_path) == (trial(), trial("b#2"))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(whole=st.integers(0, 3), torn=st.integers(0, 200_000))
def test_a_torn_line_of_any_length_is_cut_off(tmp_path: Path, whole: int, torn: int) -> None:
    """Also one that is longer than what is read at once."""
    line = to_line(trial())
    (tmp_path / "trials.jsonl").write_bytes(line * whole + b"x" * torn)
    append_trials(tmp_path, [trial("b#2")])
    assert read_trials(tmp_path) == (*[trial()] * whole, trial("b#2"))


def test_a_damaged_line_costs_that_line_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The others count; a warning says how many are left out, where, and what to do."""
    lines = [to_line(trial(f"c#{number}")) for number in range(4)]
    lines[1] = lines[1].replace(b'"requests":10', b'"requests":11')
    lines[2] = b"no JSON at all\n"
    (tmp_path / "trials.jsonl").write_bytes(b"".join(lines))
    assert [each.cell for each in read_trials(tmp_path)] == ["c#0", "c#3"]
    (said,) = caplog.messages
    assert f"{tmp_path}/trials.jsonl: 2 damaged lines are left out (2, 3); `speedup verify`" in said


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_flipped_bit_costs_one_trial_and_never_changes_one(tmp_path: Path, data: st.DataObject) -> None:
    """Wherever it is, in a newline or in a checksum too: what is read is what was written, but for one line at most."""
    written = tuple(trial(f"c#{number}") for number in range(3))
    whole = bytearray(b"".join(map(to_line, written)))
    place = data.draw(st.integers(0, len(whole) * 8 - 1))
    whole[place // 8] ^= 1 << place % 8
    (tmp_path / "trials.jsonl").write_bytes(whole)
    found = read_trials(tmp_path)
    assert all(each in written for each in found)
    assert len(found) >= len(written) - 1


def test_lines_of_version_1_have_no_checksum_and_are_read(tmp_path: Path) -> None:
    """Old runs and published numbers stay readable; a line of version 2 without one is damaged."""
    old = dataclasses.replace(trial(), schema="speedup.trial/1")
    (tmp_path / "trials.jsonl").write_text(f"{to_json(old)}\n{to_json(trial())}\n", encoding="utf-8")
    assert read_trials(tmp_path) == (old,)


def duet(block: int = 0, position: int = 0) -> tuple[Trial, Trial]:
    """Return the two trials of a duet."""
    one = dataclasses.replace(trial("a#1"), pair=("a#1", "b#2"), role="first", block=block, position=position)
    return one, dataclasses.replace(one, cell="b#2", role="second")


def test_half_a_duet_is_set_aside(tmp_path: Path) -> None:
    """A kill may leave the first line of two, and damage either: the duet counts whole or not at all."""
    first, second = duet()
    again = duet(position=1)
    append_trials(tmp_path, [first])
    assert read_trials(tmp_path) == ()
    append_trials(tmp_path, again)
    append_trials(tmp_path, [second])
    append_trials(tmp_path, [trial()])
    assert read_trials(tmp_path) == (*again, trial())


def test_a_line_of_another_version_is_bad_input_with_the_field(tmp_path: Path) -> None:
    """It is as it was written, so nothing is damaged; but what it says is not ours to guess."""
    (tmp_path / "trials.jsonl").write_bytes(sealed(to_json(trial()).replace('"ok"', '"great"')))
    with pytest.raises(BadInput, match=r"trials\.jsonl:1: verdict: "):
        read_trials(tmp_path)


def test_what_is_no_text_is_recorded_all_the_same(tmp_path: Path) -> None:
    """Names of files may be any bytes, which Python holds as halves of surrogates; no trial is lost for one."""
    append_trials(tmp_path, [trial(reason="cannot start \udcff")])
    assert read_trials(tmp_path) == (trial(reason="cannot start ?"),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"run\.json: Invalid JSON"),
        ('{"kind": "measured"', r"run\.json: Invalid JSON"),
        ('{"kind": "measured"}', r"run\.json: machine: Field required"),
        ('{"kind": "guessed", "machine": "m"}', r"run\.json: kind: Input should be 'measured', 'published' or"),
        ('{"kind": "measured", "machine": "m", "cells": [{"id": "a"}]}', r"run\.json: cells\.0\.slug: Field required"),
    ],
)
def test_a_bad_head_is_bad_input_with_the_place(tmp_path: Path, text: str, said: str) -> None:
    """The file and the field are named."""
    (tmp_path / "run.json").write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=said) as caught:
        read_run(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_a_folder_without_a_head_is_no_run_folder(tmp_path: Path) -> None:
    """Neither is one that does not exist."""
    with pytest.raises(BadInput, match=r"is not a run folder: run\.json: No such file"):
        read_run(tmp_path)
    with pytest.raises(BadInput, match="is not a run folder"):
        read_run(tmp_path / "none")


FILL = """
import sys
from pathlib import Path
from runners.errors import DiskFull
from runners.records.folder import append_trials, read_trials
path = Path(sys.argv[1])
trial = read_trials(path)[0]
try:
    while True:
        append_trials(path, [trial])
except DiskFull as error:
    print(error)
"""


def test_a_full_disk_keeps_whole_lines_and_says_how_to_go_on(tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk; what does not fit is cut off again."""
    append_trials(tmp_path, [trial()])
    size = (tmp_path / "trials.jsonl").stat().st_size

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size * 7 // 2, size * 7 // 2))

    said = subprocess.run(
        [sys.executable, "-c", FILL, str(tmp_path)],
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert f"cannot append to {tmp_path}/trials.jsonl: File too large; free some space, then: " in said
    assert said.strip().endswith(f"run --resume {tmp_path}")
    assert (tmp_path / "trials.jsonl").stat().st_size == size * 3
    assert read_trials(tmp_path) == (trial(),) * 3
    append_trials(tmp_path, [trial("b#2")])
    assert len(read_trials(tmp_path)) == 4


def test_what_broke_on_a_full_disk_is_not_laid_on_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its outputs found no room, so the generator seemed to print nothing: the run ends, and is resumed with space."""
    broken = dataclasses.replace(trial(), verdict="failed", reason="wrk printed no result")
    append_trials(tmp_path, [broken])
    monkeypatch.setattr(folder, "free_bytes", lambda _path: 4096)
    append_trials(tmp_path, [trial("b#2")])
    with pytest.raises(DiskFull, match=r"No space left on device; free some space, then: .* --resume"):
        append_trials(tmp_path, [broken])
    assert read_trials(tmp_path) == (broken, trial("b#2"))


def test_a_vanished_folder_is_told_and_not_a_traceback(tmp_path: Path) -> None:
    """Somebody removed it while the run went on."""
    with pytest.raises(DiskFull, match=r"No such file or directory; free some space, then: .* --resume"):
        append_trials(tmp_path / "gone", [trial()])


def test_records_survive_a_change_of_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths are taken as they are given."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    append_trials(Path("run"), [trial()])
    assert os.listdir("run") == ["trials.jsonl"]  # noqa: PTH208 - the name is all that is asked
