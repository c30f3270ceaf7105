"""The lock of a run: one run at a time, and a machine on which there is no place for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from runners.errors import BadInput, UnfitMachine
from runners.run.alone import alone_in, alone_on_machine


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


def test_two_harnesses_with_caches_of_their_own_do_not_meet_in_one_folder(tmp_path: Path) -> None:
    """The folder itself is locked, so nothing is left in it, and its owner does not matter."""
    with alone_in(tmp_path), pytest.raises(UnfitMachine, match="another run is measuring into"), alone_in(tmp_path):
        pass
    with alone_in(tmp_path):
        assert list(tmp_path.iterdir()) == []


def test_what_is_no_folder_cannot_be_locked(tmp_path: Path) -> None:
    """One sentence for a wrong word after --resume."""
    with pytest.raises(BadInput, match="is not a run folder: No such file or directory"), alone_in(tmp_path / "x"):
        pass


def test_a_lock_that_cannot_be_opened_is_the_machine_s_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may have left it; a folder of its name stands for that."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "http-speedup").mkdir()
    (tmp_path / "http-speedup/run.lock").symlink_to("/proc/nothing")
    with pytest.raises(UnfitMachine, match=r"cannot open .*run\.lock: No such file or directory"), alone_on_machine():
        pass
