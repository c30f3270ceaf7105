"""A run folder of others' numbers: marked imported, with its source; what nobody told is null."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path

import pytest

from runners.errors import BadInput
from runners.foreign.importing import Imported, Told, run_of, trials_of, write_imported
from runners.foreign.reading import foreign, samples_in
from runners.records.folder import read_folder
from runners.records.trial import Trial
from tests.support.foreign_files import FILES, WRK

NOTHING = Told()
NOW = dt.datetime(2026, 11, 28, 12, 0, tzinfo=dt.UTC)


def imported(*names: str) -> list[Imported]:
    """Return files of ours as they are imported."""
    files = [foreign(name, FILES[name][1]) for name in names]
    return [Imported(file, *samples_in(file)) for file in files]


def only(name: str, told: Told = NOTHING) -> Trial:
    """Return the trial of a file with one measurement."""
    (trial,) = trials_of(imported(name), told)
    return trial


def test_a_folder_reads_back_as_it_was_written(tmp_path: Path) -> None:
    """With every line whole."""
    files = imported(*FILES)
    folder = read_folder(write_imported(tmp_path / "results", files, Told(), NOW))
    assert folder.run == run_of(files, Told())
    assert folder.trials == tuple(trials_of(files, Told()))


def test_a_run_says_where_its_numbers_come_from() -> None:
    """The file, its format, its hash, and what the user told."""
    run = run_of(imported("wrk.txt"), Told(url="https://example.org", date="2020-02-02", machine="Box 7"))
    assert (run.kind, run.machine, run.machine_title, run.started_at) == ("imported", "box-7", "Box 7", "2020-02-02")
    assert run.source is not None
    assert (run.source.title, run.source.url) == ("wrk.txt: wrk's or wrk2's output", "https://example.org")
    assert run.files == {"wrk.txt": hashlib.sha256(WRK.encode()).hexdigest()}


def test_a_date_in_the_file_is_the_run_s() -> None:
    """Unless there are several files, which need not be of one day."""
    assert run_of(imported("results.json"), Told()).started_at == "2025-06-15T15:06:40Z"
    assert run_of(imported("results.json", "data.json"), Told()).started_at is None


def test_what_nobody_told_is_null() -> None:
    """Threads of the server, its CPU time, its memory, the validity checks."""
    trial = only("oha.txt")
    unknown = (trial.threads, trial.connections, trial.server_cpu_us_per_request, trial.rss_bytes, trial.bytes_read)
    assert unknown == (None,) * 5
    assert (trial.offered_per_s, trial.started_at, trial.evidence, trial.latency) == (None,) * 4


def test_a_server_without_a_name_gets_that_of_its_file_or_the_user_s() -> None:
    """As a table's row names it."""
    assert (only("wrk.txt").server, only("wrk.txt").cell) == ("wrk", "imported/wrk/c64/persistent/wrk")
    told = only("wrk.txt", Told(server="epoll", variant="edge", threads=4))
    assert (told.server, told.variant, told.threads) == ("epoll", "edge", 4)
    assert told.cell == "imported/epoll.edge/t4/c64/persistent/wrk"


def test_what_a_file_says_of_its_servers_is_kept() -> None:
    """The user's words are for files that do not say it."""
    assert {trial.server for trial in trials_of(imported("results.json"), Told(server="mine"))} == {"alpha", "beta"}


def test_the_usual_mode_is_an_assumption_that_is_noted() -> None:
    """Unless the user or the file tells."""
    assert only("wrk.txt").mode == "persistent"
    assert "does not say whether connections were reused" in run_of(imported("wrk.txt"), Told()).notes[0]
    assert run_of(imported("wrk.txt"), Told(mode="non-persistent")).notes == ()
    assert run_of(imported("raw.txt"), Told()).notes == ()


def test_errors_make_a_number_invalid_as_they_do_in_our_own_trials() -> None:
    """By check V1, where the program counted them."""
    trial = only("hey.txt")
    assert (trial.verdict, trial.reason) == (
        "invalid",
        "V1 no errors: 1 read error, 4 timeouts, 10 answers with a status of an error",
    )
    assert [(check.id, check.outcome) for check in only("wrk.txt").checks] == [("V1", "pass")]


def test_a_measurement_without_a_rate_failed() -> None:
    """It is shown, not dropped."""
    text = WRK.replace("Requests/sec:  40000.00", "Requests/sec:      0.00").encode()
    file = foreign("wrk.txt", text)
    (trial,) = trials_of([Imported(file, *samples_in(file))], Told())
    assert (trial.verdict, trial.reason) == ("failed", "no request was answered")


def test_an_open_loop_is_paced() -> None:
    """As the file or the user tells; a rate that is not known is null."""
    assert (only("wrk2.txt").design, only("wrk2.txt").offered_per_s) == ("paced", None)
    assert (only("k6-arrivals.txt").design, only("k6-arrivals.txt").offered_per_s) == ("paced", 10_000.0)
    assert (only("oha.txt").design, only("oha.txt").offered_per_s) == (None, None)
    assert (only("oha.txt", Told(rate_per_s=500.0)).design) == "paced"


def test_repetitions_of_a_cell_all_count() -> None:
    """Each is in a family of its own, since they were not measured in turn."""
    files = [foreign("epoll.txt", WRK.encode())] * 3
    trials = list(trials_of([Imported(file, *samples_in(file)) for file in files], Told()))
    assert [(trial.cell, trial.family) for trial in trials] == [
        ("imported/epoll/c64/persistent/wrk", None),
        ("imported/epoll/c64/persistent/wrk", "repetition 2"),
        ("imported/epoll/c64/persistent/wrk", "repetition 3"),
    ]


def test_the_file_itself_is_kept_in_the_logs(tmp_path: Path) -> None:
    """And the command line that it shows leads there."""
    path = write_imported(tmp_path, imported("wrk.txt"), Told(), NOW)
    (trial,) = read_folder(path).trials
    (command,) = trial.commands
    assert command.argv == ("wrk", "-t", "4", "-c", "64", "http://127.0.0.1:8080/")
    assert (path / str(command.log)).read_text(encoding="utf-8") == WRK


def test_a_second_import_of_the_same_second_gets_a_folder_of_its_own(tmp_path: Path) -> None:
    """Nothing is overwritten."""
    names = [write_imported(tmp_path, imported("wrk.txt"), Told(), NOW).name for _ in range(2)]
    assert names == ["20261128T120000Z-wrk", "20261128T120000Z-wrk-2"]


def test_results_that_cannot_be_written_to_are_one_message(tmp_path: Path) -> None:
    """A file is in the way."""
    (tmp_path / "results").write_text("", encoding="utf-8")
    with pytest.raises(BadInput, match="cannot create a run folder"):
        write_imported(tmp_path / "results", imported("wrk.txt"), Told(), NOW)
