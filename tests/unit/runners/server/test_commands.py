"""Command lines with placeholders: words stay words, whatever is in them."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from runners.server.commands import Words, fill, fill_text


def words(**changes: object) -> Words:
    """Return what placeholders stand for."""
    values: dict[str, object] = {
        "dir": Path("/src"), "out": Path("/cache/program"), "work": Path("/work"), "config": Path("/work/config"),
        "host": "127.0.0.1", "port": 8080, "threads": 2, "flags": ("-a", "-b c"),
    }  # fmt: skip
    return Words(**{**values, **changes})  # type: ignore[arg-type]


def test_placeholders_are_filled_wherever_they_stand_in_a_word() -> None:
    """Several in one word as well."""
    command = ("{out}", "--listen={host}:{port}", "-t{threads}", "{dir}/a.nim", "-o:{work}/x", "{config}")
    assert fill(command, words()) == (
        "/cache/program", "--listen=127.0.0.1:8080", "-t2", "/src/a.nim", "-o:/work/x", "/work/config",
    )  # fmt: skip


def test_flags_become_as_many_words_as_there_are() -> None:
    """A flag with a space stays one word; no flags are no word."""
    assert fill(("cc", "{flags}", "x"), words()) == ("cc", "-a", "-b c", "x")
    assert fill(("cc", "{flags}", "x"), words(flags=())) == ("cc", "x")


def test_flags_may_contain_placeholders_too() -> None:
    """A variant that is built with another header names it by the server's folder."""
    assert fill(("cc", "{flags}"), words(flags=("-I{dir}/fast",))) == ("cc", "-I/src/fast")


def test_other_braces_stay_as_they_are() -> None:
    """JSON, shell and Python snippets are not touched."""
    text = '{"a": {}} {unknown} {0} {{port}} ${port}'
    assert fill_text(text, words()) == '{"a": {}} {unknown} {0} {8080} $8080'


def test_what_is_filled_in_is_not_filled_again() -> None:
    """A folder named {port} stays that folder."""
    assert fill_text("{dir}", words(dir=Path("/{port}"))) == "/{port}"


@given(st.lists(st.text().filter(lambda word: "{" not in word)))
def test_words_without_placeholders_never_change(command: list[str]) -> None:
    """Quotes, semicolons, dollars and newlines mean nothing: there is no shell."""
    assert fill(command, words()) == tuple(command)
