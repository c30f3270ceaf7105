"""Namespaces are tried in a child first, and one that is half made is none."""

from __future__ import annotations

import os

import pytest

from runners.system.enclosure import namespaces
from runners.system.enclosure.namespaces import CLONE_NEWUSER, enter_as_same_user, in_child


def first_tried() -> namespaces.Means | None:
    """Return the means as if nothing had been tried yet."""
    return namespaces._means.__wrapped__("")


def test_what_is_tried_in_a_child_changes_nothing_here() -> None:
    """Neither its working folder nor an error."""
    before = os.nice(0)
    assert in_child(lambda: os.nice(1) > before)
    assert not in_child(lambda: False)
    assert not in_child(lambda: bool(1 // 0))
    assert os.nice(0) == before


def test_a_namespace_is_only_used_if_a_process_runs_in_it() -> None:
    """As root at once, as a user inside a user namespace, or not at all."""
    assert first_tried() in {"own rights", "user namespace", None}
    assert namespaces.means() == first_tried()


def test_where_nothing_is_permitted_none_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in most containers."""
    monkeypatch.setattr(namespaces, "unshare", lambda _: False)
    assert first_tried() is None


def test_a_pid_namespace_without_its_own_proc_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers mask parts of /proc; a server could not find itself under its own pid."""
    monkeypatch.setattr(namespaces, "mount_own_proc", lambda: False)
    assert first_tried() is None


def test_a_user_namespace_without_rights_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """AppArmor grants such on some systems: it can be entered, and then nothing can be done in it."""
    real = namespaces.unshare
    monkeypatch.setattr(namespaces, "unshare", lambda flags: flags == CLONE_NEWUSER and real(flags))
    assert first_tried() is None


@pytest.mark.parametrize(
    "maps", [[], [0, 1000, 1], [65534, 0, 1], [0, 0, 4294967295]], ids=["none", "another", "nobody", "all"]
)
def test_a_user_namespace_with_other_maps_than_asked_for_is_half_made(
    maps: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written to them is read back before anything relies on it."""
    monkeypatch.setattr(namespaces, "_maps", lambda _: maps)
    assert not in_child(enter_as_same_user)
