"""The report during a run: rare, in a process of its own, and never a reason to end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from runners.errors import Interrupted
from speedup.measure import run

FOLDER = Path("results/x")


def test_the_report_takes_at_most_a_twentieth_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of a second in which a report takes two: the first is written late, and so is each that follows."""
    now, written = [0.0], []

    def write_report(_folder: Path) -> str:
        written.append(now[0])
        now[0] += 2
        return ""

    monkeypatch.setattr(run, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(run, "write_report", write_report)
    write_rarely = run.Report()
    while now[0] < 200:
        now[0] += 1
        write_rarely(FOLDER)

    assert written == [30, 72, 114, 156, 198]
    assert 2 * len(written) <= now[0] / 20


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import sys; sys.exit('speedup: cannot write x: it is a folder')", "cannot write x: it is a folder"),
        ("import sys; sys.exit(2)", "it said nothing"),
        ("import os; os.kill(os.getpid(), 9)", "its process ended with signal 9, perhaps for lack of memory"),
        ("import time; time.sleep(60)", "it took more than 0.5 s"),
    ],
)
def test_a_report_that_cannot_be_written_is_said_once_and_ends_nothing(
    program: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody made a folder of its name, memory ran out, or it hangs: the trials are there."""
    start = subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda _, **options: start([sys.executable, "-c", program], **options))
    monkeypatch.setattr(run, "REPORT_LIMIT_S", 0.5 if "sleep" in program else 60.0)
    report = run.Report()
    assert [report.write(tmp_path), report.write(tmp_path)] == [False, False]
    (warning,) = caplog.messages
    assert warning.startswith(f"the report could not be written: {said}; nothing is lost: ")
    assert warning.endswith(f"report {tmp_path}")


def test_a_report_whose_process_cannot_even_start_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine is out of processes or memory."""

    def refused(*_: object, **__: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "run", refused)
    assert run.write_report(tmp_path) == "[Errno 11] Resource temporarily unavailable"


def test_a_signal_before_anything_is_carried_out_says_how_to_resume(tmp_path: Path) -> None:
    """The folder is there from the moment a run is planned."""
    with (
        pytest.raises(Interrupted, match=r"^interrupted \(SIGINT\); to resume: .* --resume "),
        run._resumable(tmp_path),
    ):
        raise KeyboardInterrupt("interrupted (SIGINT)")
