"""The lock of a run: one run at a time, and a machine on which there is no place for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from runners.errors import UnfitMachine
from runners.run.alone import alone_on_machine


def test_two_runs_at_once_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They would measure each other; once the first has ended, the next may begin."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with alone_on_machine(), pytest.raises(UnfitMachine, match="another run is under way"), alone_on_machine():
        pass
    with alone_on_machine():
        assert (tmp_path / "http-speedup/run.lock").exists()


@pytest.mark.parametrize(
    ("variable", "place", "why"),
    [
        ("XDG_CACHE_HOME", "file", "file/http-speedup: Not a directory"),
        ("HOME", "/proc", "/proc/.cache/http-speedup: No such file or directory"),
    ],
)
def test_a_cache_that_cannot_be_written_is_the_machine_s_fault(
    variable: str, place: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence that says what to set."""
    (tmp_path / "file").touch()
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv(variable, str(tmp_path / place))
    with pytest.raises(UnfitMachine) as caught, alone_on_machine():
        pass
    assert str(caught.value).startswith("cannot write to the cache ")
    assert str(caught.value).endswith(f"{why}; set XDG_CACHE_HOME to a folder of yours")
