"""`speedup export`: where numbers go, and what it says if they cannot."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from speedup.entry import main
from speedup.read.export import FORMATS
from tests.support.example_run import write_example, write_folder
from tests.support.small_run import small_run


@pytest.fixture(name="run", scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run folder."""
    return write_example(tmp_path_factory.mktemp("results") / "run", blocks=2, threads=(1,))


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"parquet", "hgrm"}))
def test_an_export_is_printed(run: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing else is, so that it can be piped."""
    assert main(["export", str(run), "--format", name]) == 0
    printed, said = capsys.readouterr()
    assert "asynchttp" in printed
    assert said == ""


@pytest.mark.parametrize("of", ["rows", "duets", "trials"])
def test_a_file_s_name_tells_its_format(run: Path, of: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And its path is printed."""
    file = tmp_path / f"{of}.jsonl"
    assert main(["export", str(run), "--of", of, "--output", str(file)]) == 0
    assert capsys.readouterr().out.strip().endswith(f"{of}.jsonl")
    assert {json.loads(line)["run"] for line in file.read_text(encoding="utf-8").splitlines()} == {"run"}


def test_both_figures_of_github_action_benchmark_can_be_had(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One of them gets better upwards, the other downwards."""
    units = []
    for figure in ("requests_per_s", "server_cpu_us_per_request"):
        main(["export", str(run), "--format", "github-action-benchmark", "--figure", figure])
        units.append({entry["unit"] for entry in json.loads(capsys.readouterr().out)})
    assert units == [{"requests/s"}, {"us/request"}]


def test_histograms_go_into_a_folder(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file for each cell."""
    assert main(["export", str(run), "--format", "hgrm", "--output", str(tmp_path / "hgrm")]) == 0
    assert "epoll-t1-c64-persistent.hgrm" in {file.name for file in (tmp_path / "hgrm").iterdir()}
    assert main(["export", str(run), "--format", "hgrm"]) == 2
    assert "--output FOLDER" in capsys.readouterr().err


def test_a_run_without_histograms_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty folder would look like a success."""
    made = small_run({"a": 1.0})
    folder = write_folder(tmp_path / "run", made.run, made.trials, {})
    assert main(["export", str(folder), "--format", "hgrm", "--output", str(tmp_path / "hgrm")]) == 2
    assert "no trial that counts has a latency histogram" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name a format: --format csv|jsonl|parquet|"),
        (["--format", "csv", "--output", "nowhere/rows.csv"], "there is no folder nowhere"),
        (["--format", "csv", "--output", "."], "it is a folder"),
        (["--format", "bmf", "--of", "trials"], "--of is for csv, jsonl, parquet; bmf holds Bencher Metric Format"),
        (["--format", "csv", "--figure", "requests_per_s"], "--figure is for github-action-benchmark"),
    ],
)
def test_what_cannot_be_written_is_one_message(
    run: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With exit code 2."""
    assert main(["export", str(run), *words]) == 2
    assert message in capsys.readouterr().err


def test_runs_of_the_same_name_are_refused(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their records could not be told apart; "." is a folder with a name, too."""
    monkeypatch.chdir(run)
    assert main(["export", ".", str(run), "--format", "csv"]) == 2
    assert "2 of the runs are called run" in capsys.readouterr().err
    assert main(["export", ".", "--format", "jsonl"]) == 0
    assert '{"run":"run",' in capsys.readouterr().out


def test_a_redacted_export_names_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As in a report."""
    made = small_run({"a": 1.0})
    run = made.run.__class__(**{**vars(made.run), "machine_title": "/home/alice/bench", "facts": {"hostname": "box7"}})
    folder = write_folder(tmp_path / "run", run, made.trials, {})
    main(["export", str(folder), "--format", "csv", "--redact"])
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert row["machine_title"] == "~/bench"


def test_a_folder_that_is_none_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With exit code 2."""
    assert main(["export", str(tmp_path), "--format", "csv"]) == 2
    assert "is not a run folder" in capsys.readouterr().err
