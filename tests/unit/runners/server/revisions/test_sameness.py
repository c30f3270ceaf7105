"""Two builds are the same program only if nothing that differs can matter when it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from runners.server.revisions.sameness import Built, same_program

ELF = b"\x7fELF machine code built in %s"


def built(folder: Path, made: bytes, **tracked: str) -> Built:
    """Return a checkout whose build made a program; underscores in names of files are dots."""
    folder.mkdir(parents=True)
    names = {name.replace("_", "."): text for name, text in tracked.items()}
    for name, text in names.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "server").write_bytes(made)
    return Built(folder, frozenset(names), folder / "server")


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ({"main_c": "a"}, {"main_c": "/* comment */ a"}, True),
        ({"main_c": "a", "README_md": "x"}, {"main_c": "a", "README_md": "y"}, True),
        ({"main_c": "a", "page_html": "x"}, {"main_c": "a", "page_html": "y"}, False),
        ({"main_c": "a", "server_conf": "x"}, {"main_c": "a"}, False),
        ({"app_py": "a"}, {"app_py": "b"}, False),
    ],
    ids=["a comment", "a document", "a page", "a setting", "a script"],
)
def test_equal_programs_from_different_sources(
    tmp_path: Path,
    old: dict[str, str],
    new: dict[str, str],
    same: bool,  # noqa: FBT001 - a parameter
) -> None:
    """Only what a compiler has read is done with when the program runs."""
    sides = [
        built(tmp_path / name, ELF % str(tmp_path / name).encode(), **files)
        for name, files in (("old", old), ("new", new))
    ]
    assert same_program(*sides) is same


def test_programs_that_differ_are_not_the_same(tmp_path: Path) -> None:
    """By one byte."""
    assert not same_program(built(tmp_path / "old", ELF, main_c="a"), built(tmp_path / "new", ELF + b".", main_c="b"))


def test_what_is_no_machine_program_is_the_same_only_with_equal_sources(tmp_path: Path) -> None:
    """A script reads others when it runs."""
    script = b"#!/bin/sh\nexec python app.py"
    assert not same_program(built(tmp_path / "old", script, main_c="a"), built(tmp_path / "new", script, main_c="b"))
    assert same_program(built(tmp_path / "one", script, main_c="a"), built(tmp_path / "two", script, main_c="a"))


def test_a_program_that_was_committed_was_not_built(tmp_path: Path) -> None:
    """What its sources changed may still come into it."""
    sides = [built(tmp_path / name, ELF, main_c=name, server="") for name in ("old", "new")]
    assert not same_program(*sides)
