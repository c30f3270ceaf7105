"""`speedup import`, and its numbers in reports beside measured ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from speedup.entry import main
from tests.support.example_run import write_folder
from tests.support.foreign_files import FILES, TECHEMPOWER, WRK
from tests.support.small_run import small_run


@pytest.fixture(name="files")
def foreign_files(tmp_path: Path) -> Path:
    """Return a folder with files of every format."""
    for name, (_, content) in FILES.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def imported(folder: Path, *words: str) -> Path:
    """Import and return the run folder."""
    before = set(folder.glob("results/*"))
    assert main(["import", *words, "--results", str(folder / "results")]) == 0
    (made,) = set(folder.glob("results/*")) - before
    return made


def report(capsys: pytest.CaptureFixture[str], form: str, *runs: Path) -> str:
    """Return a report."""
    capsys.readouterr()
    assert main(["report", *map(str, runs), "--format", form, "--output", "-"]) == 0
    return capsys.readouterr().out


def test_it_prints_the_folder_and_says_what_each_file_is(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The former for programs, the latter for people."""
    made = imported(files, str(files / "wrk.txt"), str(files / "results.json"))
    printed, said = capsys.readouterr()
    assert printed.strip().endswith(made.name)
    assert "wrk.txt: wrk's or wrk2's output, 1 number\n" in said
    assert "results.json: TechEmpower's results.json, 4 numbers\n" in said


@pytest.mark.parametrize("form", ["txt", "md", "json", "html"])
def test_every_format_can_be_shown_in_every_form(files: Path, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Alone, as a run of its own."""
    made = imported(files, *(str(files / name) for name in FILES))
    shown = report(capsys, form, made)
    assert "Imported numbers, persistent connections" in shown
    assert "alpha" in shown
    assert main(["verify", str(made)]) == 0


def test_connections_and_threads_that_nobody_wrote_down_are_not_shown_as_0(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """hey prints neither."""
    page = report(capsys, "html", imported(files, str(files / "hey.txt")))
    assert "threads not known, an unknown number of persistent connections" in page
    assert ">0</td>" not in page
    assert "0 threads" not in page


def beside(files: Path, capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    """Return the report of a measured run with an imported one beside it."""
    run = small_run({"a": 1.0, "b": 2.0})
    measured = write_folder(files / "measured", run.run, run.trials, {})
    made = imported(files, str(files / "wrk.txt"), *words)
    found: dict[str, Any] = json.loads(report(capsys, "json", measured, made))
    return found


def test_an_imported_number_stands_in_the_measured_row_s_table(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Under the same name, with the same connections and mode."""
    runs = beside(files, capsys, "--server", "b", "--machine", "Box 7", "--date", "2020-02-02")["runs"]
    (table,) = runs[0]["tables"]
    assert [(row["name"], row["published_requests_per_s"]) for row in table["rows"]] == [("a", None), ("b", 40_000.0)]
    assert table["published"] == "Box 7, 2020"
    assert [(run["kind"], run["title"]) for run in runs] == [
        ("measured", "Known truth"),
        ("imported", "Imported: wrk.txt: wrk's or wrk2's output"),
    ]


@pytest.mark.parametrize("words", [("--mode", "non-persistent"), ("--rate", "1000"), ("--server", "c")])
def test_a_number_of_something_else_stands_beside_nothing(
    files: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither of another mode, nor of an open loop, nor of another server."""
    runs = beside(files, capsys, "--server", "b", *words)["runs"]
    (table,) = runs[0]["tables"]
    assert [row["published_requests_per_s"] for row in table["rows"]] == [None, None]


def test_nothing_imported_is_ranked_or_compared(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody measured it in turn with anything."""
    (files / "other.txt").write_text(WRK.replace("40000.00", "44000.00"), encoding="utf-8")
    made = imported(files, str(files / "wrk.txt"), str(files / "other.txt"))
    (run,) = json.loads(report(capsys, "json", made))["runs"]
    (table,) = run["tables"]
    assert [(row["name"], row["place"], row["tags"]) for row in table["rows"]] == [
        ("wrk", None, ["imported"]),
        ("other", None, ["imported"]),
    ]
    verdicts = {row["comparison"]["verdict"] for row in table["rows"] if row["comparison"]}
    assert verdicts <= {None}


def test_latencies_of_an_open_loop_are_in_the_table_of_paced_trials(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the percentiles that were printed."""
    made = imported(files, str(files / "wrk2.txt"), "--rate", "2000")
    shown = report(capsys, "html", made)
    assert "Latency under a given load" in shown or "Latency at a given rate" in shown


def test_rules_find_what_contradicts_itself(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In numbers of others as in our own."""
    bad = WRK.replace("Requests/sec:  40000.00", "Requests/sec:  80000.00").replace("64 connections", "66 connections")
    (files / "bad.txt").write_text(bad, encoding="utf-8")
    shown = report(capsys, "txt", imported(files, str(files / "bad.txt")))
    found = " ".join(shown.split())
    assert "L1 rate" in found
    assert "L3 Little's law" in found
    assert "L5 connections divisible" in found


def test_rules_know_a_pipeline_s_depth(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """TechEmpower's plaintext has sixteen requests under way on each connection."""
    shown = report(capsys, "txt", imported(files, str(files / "results.json"), str(files / "raw.txt")))
    assert "no contradictions" in shown
    wrong = json.loads(json.dumps(TECHEMPOWER))
    wrong["rawData"]["plaintext"]["beta"][0]["latencyAvg"] = "39.00ms"
    (files / "wrong.json").write_text(json.dumps(wrong), encoding="utf-8")
    shown = " ".join(report(capsys, "txt", imported(files, str(files / "wrong.json"))).split())
    assert "1000000/s x 39 ms mean latency keeps 39000.0 of 256 x 16 pipelined requests busy" in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere.txt"], "cannot read nowhere.txt"),
        (["{files}/wrk.txt", "--format", "oha"], "wrk.txt is not oha's output"),
        (["{files}/wrk.txt", "--server", "a b"], "--server a b: 'a b' is not a row"),
    ],
)
def test_what_cannot_be_imported_is_one_message(
    files: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With exit code 2, and without a folder."""
    argv = [word.format(files=files) for word in words]
    assert main(["import", *argv, "--results", str(files / "results")]) == 2
    assert message in capsys.readouterr().err
    assert not (files / "results").exists()


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("2026-11-24", "2026-11-24"),
        ("2026-11-24T10:30", "2026-11-24T10:30:00Z"),
        ("2026-11-24T10:30:00+02:00", "2026-11-24T08:30:00Z"),
    ],
)
def test_a_date_is_in_utc(files: Path, said: str, kept: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As the report says beside it; where the numbers come from stands there, too."""
    made = imported(files, str(files / "wrk.txt"), "--date", said, "--url", "https://example.org/wrk")
    assert json.loads((made / "run.json").read_text(encoding="utf-8"))["started_at"] == kept
    assert "https://example.org/wrk" in report(capsys, "txt", made)


@pytest.mark.parametrize(
    "words", [["--connections", "0"], ["--pipeline-depth", "x"], ["--rate", "-1"], ["--date", "yesterday"]]
)
def test_an_option_that_is_none_is_one_message(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """From argparse, with exit code 2."""
    with pytest.raises(SystemExit) as ended:
        main(["import", "file", *words])
    assert ended.value.code == 2
    assert "is not a" in capsys.readouterr().err
