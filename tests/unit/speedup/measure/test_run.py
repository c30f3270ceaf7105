"""What a run does beside measuring."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from speedup.measure import run

FOLDER = Path("results/x")


def test_the_report_takes_at_most_a_twentieth_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of a second in which a report takes two: the first is written late, and so is each that follows."""
    now, written = [0.0], []

    def write_report(_folder: Path) -> None:
        written.append(now[0])
        now[0] += 2

    monkeypatch.setattr(run, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(run, "write_report", write_report)
    write_rarely = run.RareReport()
    while now[0] < 200:
        now[0] += 1
        write_rarely(FOLDER)

    assert written == [30, 72, 114, 156, 198]
    assert 2 * len(written) <= now[0] / 20
