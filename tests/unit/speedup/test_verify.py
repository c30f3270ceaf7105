"""`speedup verify`: a whole folder passes; whatever is damaged is named with its place, and is 2."""

from __future__ import annotations

from pathlib import Path

import pytest

from runners.records.folder import append_trials, to_json
from runners.records.lines import opened, sealed
from speedup import entry
from tests.support import ROOT
from tests.support.example_run import write_example
from tests.unit.runners.records.test_folder import duet


@pytest.fixture(name="made")
def folder(tmp_path: Path) -> Path:
    """Return a whole run folder."""
    return write_example(tmp_path / "run", 1)


def said(capsys: pytest.CaptureFixture[str], code: int, *runs: Path) -> list[str]:
    """Return what is printed on folders, with this exit code."""
    assert entry.main(["verify", *map(str, runs)]) == code
    return capsys.readouterr().out.splitlines()


def test_a_whole_folder_has_no_fault(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line for each folder, published ones of version 1 too."""
    count = len((made / "trials.jsonl").read_bytes().splitlines())
    published = sorted((ROOT / "published").glob("2015-*"))
    first, *others = said(capsys, 0, made, *published)
    assert first == f"{made}: {count} lines, {count} of them whole, no fault"
    assert [line.partition(":")[0] for line in others] == list(map(str, published))


def test_each_bad_line_is_named(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A flipped bit, a latency that is none, a cell that was never planned."""
    file = made / "trials.jsonl"
    one, two, three, *_ = file.read_bytes().splitlines(keepends=True)
    latency = opened(two).replace(b'"latency":', b'"latency":"AAAA","x":').strip().decode()
    other = to_json(duet()[0]).replace('"pair":["a#1","b#2"]', '"pair":null')
    file.write_bytes(one.replace(b"ok", b"oj", 1) + sealed(latency) + three + sealed(other))
    found = said(capsys, 2, made)
    assert found[0] == f"{file}:1: its checksum does not match"
    assert found[1].startswith(f"{file}:2: latency: not a latency histogram")
    assert found[2] == f"{file}:4: cell: a#1 is not in run.json"
    assert found[3] == f"{made}: 4 lines, 3 of them whole, 3 faults"


def test_what_a_kill_leaves_is_no_damage(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Half a duet and half a line are said, but count nowhere anyway."""
    file = made / "trials.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(lines[0])
    append_trials(made, duet()[:1])
    cell = opened(lines[0]).split(b'"cell":"')[1].split(b'"')[0]
    half = opened(file.read_bytes().splitlines(keepends=True)[1]).replace(b'"cell":"a#1"', b'"cell":"%s"' % cell)
    file.write_bytes(lines[0] + sealed(half.strip().decode()) + lines[1][:50])
    assert said(capsys, 0, made) == [
        f"{file}:2: half a duet, which a kill left; it is set aside",
        f"{file}:3: it does not end; it is ignored",
        f"{made}: 3 lines, 1 of them whole, no fault",
    ]


def test_an_edited_head_is_named(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It has a checksum as well."""
    head = made / "run.json"
    head.write_text(head.read_text(encoding="utf-8").replace('"machine": "', '"machine": "x', 1), encoding="utf-8")
    assert said(capsys, 2, made)[0] == f"{head}: its checksum does not match"


def test_what_is_no_run_folder_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And the others are read all the same."""
    published = ROOT / "published/2015-xeon-e5-2680"
    first, second = said(capsys, 2, tmp_path, published)
    assert first == f"{tmp_path} is not a run folder: run.json: No such file or directory"
    assert second.endswith("no fault")
