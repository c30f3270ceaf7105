"""User namespaces, as an ordinary user enters them: wholly or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runners.system import network

SOMEBODY = 54321


def as_somebody() -> tuple[bool, bool, bool]:
    """Try it as an ordinary user, in a process of its own.

    Return whether it was granted, whether the user namespace is another one afterwards, and whether the user is not.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(SOMEBODY)
            os.setuid(SOMEBODY)
        user, before = os.geteuid(), Path("/proc/self/ns/user").stat().st_ino
        granted = network.enter_user_namespace()
        moved = Path("/proc/self/ns/user").stat().st_ino != before
        os.write(writing, bytes([granted, moved, os.geteuid() == user]))
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    found = os.read(reading, 3)
    os.close(reading)
    return bool(found[0]), bool(found[1]), bool(found[2])


def test_a_user_namespace_is_entered_as_the_same_user_or_not_at_all() -> None:
    """Whether this system grants it or not."""
    granted, moved, same = as_somebody()
    assert granted == moved
    assert same


def test_one_that_can_only_be_half_made_is_not_entered(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where its ids may not be mapped: there would be no way back, and all files would be nobody's."""

    def refuse(_path: Path, _text: str, **_: object) -> int:
        raise PermissionError

    monkeypatch.setattr(Path, "write_text", refuse)
    assert as_somebody() == (False, False, True)
