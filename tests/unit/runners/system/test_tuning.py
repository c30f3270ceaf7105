"""Settings are changed only on request and put back to exactly what they were."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from runners.errors import UnfitMachine
from runners.system import tuning
from runners.system.tuning import SAVED, restore, tuned, wanted_changes

GOVERNOR = "sys/devices/system/cpu/cpu{}/cpufreq/scaling_governor"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a tree that looks like a machine with two CPUs and turbo on."""
    for cpu in (0, 1):
        file = tmp_path / "root" / GOVERNOR.format(cpu)
        file.parent.mkdir(parents=True)
        file.write_text("schedutil\n", encoding="utf-8")
    turbo = tmp_path / "root/sys/devices/system/cpu/cpufreq/boost"
    turbo.parent.mkdir(parents=True)
    turbo.write_text("1\n", encoding="utf-8")
    return tmp_path / "root"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Return an empty cache."""
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


@pytest.fixture(autouse=True)
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Act as root, which these files do not need."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)


def values(root: Path) -> list[str]:
    """Return all settings."""
    return [file.read_text(encoding="utf-8").strip() for file in sorted(root.rglob("*")) if file.is_file()]


def test_settings_hold_during_the_run_and_are_put_back(root: Path, cache: Path) -> None:
    """Every setting is changed, and afterwards is what it was."""
    before = values(root)
    with tuned(cache, wanted=True, root=root) as changes:
        assert len(changes) == 3
        assert sorted(values(root)) == ["0", "performance", "performance"]
    assert values(root) == before
    assert not (cache / SAVED).exists()


def test_nothing_is_changed_without_being_asked(root: Path, cache: Path) -> None:
    """The default leaves the machine alone."""
    with tuned(cache, wanted=False, root=root) as changes:
        assert changes == ()
        assert "schedutil" in values(root)


def test_an_error_during_the_run_puts_everything_back(root: Path, cache: Path) -> None:
    """Also an interruption ends with the settings restored."""
    before = values(root)
    with pytest.raises(KeyboardInterrupt), tuned(cache, wanted=True, root=root):
        raise KeyboardInterrupt
    assert values(root) == before


def test_the_next_start_undoes_what_a_killed_run_left(root: Path, cache: Path) -> None:
    """The old values are on disk before anything is changed."""
    before = values(root)
    left = tuned(cache, wanted=True, root=root)
    left.__enter__()  # and the harness is killed here
    assert values(root) != before
    with tuned(cache, wanted=False, root=root):
        assert values(root) == before


def test_a_setting_that_is_right_already_is_left_alone(root: Path) -> None:
    """Only what differs is changed."""
    (root / GOVERNOR.format(0)).write_text("performance\n", encoding="utf-8")
    assert [change.file for change in wanted_changes(root)] == [
        GOVERNOR.format(1),
        "sys/devices/system/cpu/cpufreq/boost",
    ]


def test_a_setting_that_does_not_take_the_value_is_named(
    root: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A kernel may refuse; the others are tuned, and people are told."""
    real: Callable[[Path, str], bool] = tuning._set
    monkeypatch.setattr(tuning, "_set", lambda file, value: value != "0" and real(file, value))
    with tuned(cache, wanted=True, root=root) as changes:
        assert len(changes) == 2
    assert any("boost does not accept '0'" in line for line in caplog.messages)


def test_what_cannot_be_put_back_is_kept_and_said(root: Path, cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The saved values stay on disk for the next try."""
    save(cache, {GOVERNOR.format(7): "schedutil"})
    assert restore(cache, root) is False
    assert "restore it by hand" in caplog.messages[0]
    assert (cache / SAVED).exists()


def save(cache: Path, saved: object) -> None:
    """Leave a file as a killed run does."""
    (cache / SAVED).write_text(json.dumps(saved), encoding="utf-8")
    (cache / SAVED).chmod(0o644)


def test_what_an_earlier_run_left_to_restore_is_not_forgotten(root: Path, cache: Path) -> None:
    """A CPU that is offline keeps its setting until it is back; a run that tunes meanwhile adds its own."""
    save(cache, {GOVERNOR.format(7): "powersave"})
    with tuned(cache, wanted=True, root=root):
        saved = json.loads((cache / SAVED).read_text(encoding="utf-8"))
        assert saved[GOVERNOR.format(7)] == "powersave"
        assert saved[GOVERNOR.format(0)] == "schedutil"
    file = root / GOVERNOR.format(7)
    file.parent.mkdir(parents=True)
    file.write_text("performance\n", encoding="utf-8")
    with tuned(cache, wanted=False, root=root):
        assert file.read_text(encoding="utf-8") == "powersave"
    assert not (cache / SAVED).exists()


def test_an_original_value_is_not_replaced_by_a_tuned_one(root: Path, cache: Path) -> None:
    """A second run must not take what the first one set for what it was before."""
    save(cache, {"sys/devices/system/cpu/cpufreq/boost": "1", GOVERNOR.format(9): "powersave"})
    (root / "sys/devices/system/cpu/cpufreq/boost").write_text("0\n", encoding="utf-8")
    with tuned(cache, wanted=True, root=root):
        assert json.loads((cache / SAVED).read_text(encoding="utf-8"))["sys/devices/system/cpu/cpufreq/boost"] == "1"


@pytest.mark.parametrize(
    ("file", "value"),
    [
        ("etc/passwd", "root::0:0::/:/bin/sh"),
        ("../outside", "1"),
        ("/etc/passwd", "1"),
        ("sys/devices/system/cpu/cpu0/../../cpufreq/scaling_governor", "performance"),
        ("sys/devices/system/cpu/cpu0/x/y/cpufreq/scaling_governor", "performance"),
        (GOVERNOR.format(0), "a\nb"),
        ("proc/sys/kernel/numa_balancing", "\u0661"),
        ("proc/sys/kernel/core_pattern", "|/bin/sh"),
    ],
)
def test_nothing_else_is_written_than_our_own_settings(
    root: Path, cache: Path, file: str, value: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The file that says what to restore is no way for others to have root write files."""
    (root / "etc").mkdir()
    (root / "etc/passwd").touch()
    before = values(root)
    save(cache, {file: value})
    with tuned(cache, wanted=False, root=root):
        pass
    assert values(root) == before
    assert "which no run of ours changes" in caplog.messages[0]


def test_a_file_that_others_could_have_written_is_not_obeyed(
    root: Path, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither one that everybody may write nor a link to somewhere else."""
    save(cache, {GOVERNOR.format(0): "powersave"})
    (cache / SAVED).chmod(0o666)
    restore(cache, root)
    (cache / SAVED).rename(cache / "elsewhere.json")
    (cache / "elsewhere.json").chmod(0o644)
    (cache / SAVED).symlink_to(cache / "elsewhere.json")
    restore(cache, root)
    assert "powersave" not in values(root)
    assert len(caplog.messages) == 2


def test_only_root_may_tune(root: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An ordinary user is told so before anything happens."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(UnfitMachine, match="only root"), tuned(cache, wanted=True, root=root):
        pass
