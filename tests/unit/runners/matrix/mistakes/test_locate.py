"""Finding the place of a value in TOML text, compared with a writer that knows where it put it."""

from __future__ import annotations

import itertools

import tomli
from hypothesis import given, settings
from hypothesis import strategies as st

from runners.matrix.mistakes.locate import locate

TEXT = """\
# a comment
[suite]
title = "T"

[machine.xeon]
load = { threads = 24, duration = "10s" }
threads = [1, 2,  4]

[server.epoll]
build = [
  "nim", "c", # the compiler, with a ] and a , in a comment
  "-o:{out}",
]
env.GOMAXPROCS = "1"

[server.epoll.variant."edge-first"]
flags = []

[[table]]
rows = ["a"]

[[table]]
rows = [
  { heading = "x" },

  { row = "epoll, [1]", title = "y" },
  "z",
]
"""


def test_a_key_is_found_in_its_own_table() -> None:
    """Keys of the same name in other tables are not mistaken for it."""
    assert locate(TEXT, ("machine", "xeon", "threads")) == (7, 1)


def test_a_table_is_found_at_its_name_in_the_header() -> None:
    """The column is that of the last part of the name."""
    assert locate(TEXT, ("machine", "xeon")) == (5, 10)
    assert locate(TEXT, ("server", "epoll", "variant", "edge-first")) == (16, 23)


def test_a_key_of_an_inline_table_is_found() -> None:
    """The column is inside the braces."""
    assert locate(TEXT, ("machine", "xeon", "load", "duration")) == (6, 24)


def test_a_dotted_key_is_found_at_its_last_part() -> None:
    """`a.b = 1` writes b."""
    assert locate(TEXT, ("server", "epoll", "env", "GOMAXPROCS")) == (14, 5)


def test_an_item_of_a_list_is_found_on_its_own_line_and_column() -> None:
    """Despite comments, brackets and commas in between."""
    assert locate(TEXT, ("machine", "xeon", "threads", 2)) == (7, 19)
    assert locate(TEXT, ("server", "epoll", "build", 1)) == (11, 10)
    assert locate(TEXT, ("server", "epoll", "build", 2)) == (12, 3)


def test_an_item_that_is_a_table_is_found() -> None:
    """Rows of a table are such items."""
    assert locate(TEXT, ("table", 1, "rows", 0)) == (24, 3)
    assert locate(TEXT, ("table", 1, "rows", 1)) == (26, 3)
    assert locate(TEXT, ("table", 1, "rows", 2)) == (27, 3)


def test_the_second_of_several_tables_is_not_the_first() -> None:
    """Tables of an array are counted."""
    assert locate(TEXT, ("table", 0, "rows")) == (20, 1)
    assert locate(TEXT, ("table", 1)) == (22, 3)


def test_a_missing_value_is_placed_at_the_table_that_lacks_it() -> None:
    """Or at the nearest table above that exists."""
    assert locate(TEXT, ("server", "epoll", "run")) == (9, 9)
    assert locate(TEXT, ("nothing", "at", "all")) == (1, 1)


def test_a_unicode_line_separator_does_not_end_a_line() -> None:
    """Editors and TOML count newlines only."""
    assert locate('a = "x\u2028y\x85z"\nb = 1\n', ("b",)) == (2, 1)


KEYS = st.text("abcdefghij-_", min_size=1, max_size=6)
SCALARS = st.one_of(st.integers(0, 99).map(str), st.sampled_from(["true", '"text"', '"a, [b] # c = {"', "'x'", "1.5"]))
LISTS = st.lists(SCALARS, max_size=4).map(lambda items: f"[{', '.join(items)}]")
LONG_LISTS = st.lists(SCALARS, min_size=1, max_size=3).map(
    lambda items: "[\n" + "".join(f"  {x},\n" for x in items) + "]"
)
BODIES = st.dictionaries(KEYS, st.one_of(SCALARS, LISTS, LONG_LISTS), max_size=4)
TABLES = st.dictionaries(KEYS, BODIES, min_size=1, max_size=4)
FILLERS = st.lists(st.sampled_from(["\n", "# note = [\n", "\n# x\n\n"]), min_size=40, max_size=40)


@settings(max_examples=40)
@given(tables=TABLES, fillers=FILLERS)
def test_every_value_is_found_where_it_was_written(tables: dict[str, dict[str, str]], fillers: list[str]) -> None:
    """For documents of any shape the line of each key, table and list item is the one that was written."""
    text, places = _write(tables, itertools.cycle(fillers))
    tomli.loads(text)
    for path, line in places.items():
        assert locate(text, path)[0] == line, path


def _write(
    tables: dict[str, dict[str, str]], fillers: itertools.cycle[str]
) -> tuple[str, dict[tuple[str | int, ...], int]]:
    """Return a document and the line of everything in it."""
    text, places = "", dict[tuple[str | int, ...], int]()
    for table, body in tables.items():
        text += next(fillers)
        places[table,] = text.count("\n") + 1
        text += f"[{table}]\n"
        for key, value in body.items():
            text += next(fillers)
            places[table, key] = text.count("\n") + 1
            for index, _ in enumerate(value.split("\n")[1:-1]):
                places[table, key, index] = text.count("\n") + 2 + index
            text += f"{key} = {value}\n"
    return text, places
