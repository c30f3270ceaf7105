"""Reading matrix.toml: every error at once, each with its place and a suggestion."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runners.errors import BadInput
from runners.matrix.reading import parse_matrix, read_matrix
from runners.tools.find import TOOL_DATA
from tests.support import ROOT

TEXT = """\
[suite]
title = "T"

[preset.quick]
warmup = "300ms"
duration = "1s"

[machine.local]
threads = [1, 2]
connections = [64]

[server.epoll]
run = ["{out}"]

[server.epoll.variant.edge-first]
"""


def errors(text: str) -> str:
    """Return the errors in a text."""
    with pytest.raises(BadInput) as caught:
        parse_matrix(text, "m.toml")
    assert caught.value.exit_code == 2
    return str(caught.value)


def one(text: str) -> list[str]:
    """Return the lines about the only error in a text."""
    said = errors(text)
    assert said.endswith("1 error in m.toml; nothing was run"), said
    return said.splitlines()[:3]


def test_the_project_s_matrix_is_right() -> None:
    """The file that people start from has no errors."""
    matrix, text = read_matrix(ROOT / "matrix.toml", TOOL_DATA)
    assert matrix.suite.title == "Nim HTTP Speedup"
    assert text == (ROOT / "matrix.toml").read_text(encoding="utf-8")


def test_a_small_matrix_gets_sensible_defaults() -> None:
    """Modes, blocks, body and path are optional."""
    matrix = parse_matrix(TEXT)
    assert matrix.suite.modes == ("persistent", "non-persistent")
    assert matrix.preset["quick"].blocks.max == 6
    assert (matrix.suite.body, matrix.suite.path) == ("Hello World", "/")


def test_broken_toml_is_shown_with_line_column_and_caret() -> None:
    """The line is below the message, the caret under the column."""
    assert errors(TEXT + "x = = 1\n").splitlines() == [
        "m.toml:16:5: Invalid value",
        "    x = = 1",
        "        ^",
    ]


def test_an_unknown_key_is_shown_with_a_suggestion() -> None:
    """The suggestion is a key that the table knows."""
    assert one(TEXT + "falgs = []\n") == [
        "m.toml:16:1: unknown key 'falgs' - did you mean 'flags'?",
        "    falgs = []",
        "    ^",
    ]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("[suit]\n", "suite"),
        ("[preset.slow]\nwarmup = '1s'\nduration = '1s'\nblock = { min = 1 }\n", "blocks"),
        ("[preset.slow]\nwarmup = '1s'\nduration = '1s'\nblocks = { most = 1, mim = 1 }\n", "min"),
        ("[machine.m]\nthreads = [1]\nconnections = [1]\nload = { thread = 1 }\n", "threads"),
        ("[server.x]\nrun = ['x']\nklass = 'realistic'\n", "class"),
        ("[[exclude]]\ncells = '*'\nreasons = ''\n", "reason"),
        ("[[table]]\ntitle = 't'\nmode = 'persistent'\nrows = ['epoll']\npublish = 'x'\n", "published"),
        ("[[table]]\ntitle = 't'\nmode = 'persistent'\nrows = ['epoll']\ngroup = 'documnt'\n", "document"),
        ("[[table]]\ntitle = 't'\nmode = 'persistent'\nrows = [{ row = 'epoll', nota = 'x' }]\n", "note"),
    ],
)
def test_a_suggestion_is_given_in_every_table(written: str, meant: str) -> None:
    """However deeply the misspelt key is nested."""
    assert f"did you mean '{meant}'?" in errors(TEXT + written)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("run = 'x'", "'run' must be a list"),
        ("run = ['x', 1]", "'run, item 2' must be text in quotes"),
        ("run = ['x']\nthreads = 2", "'threads' must be a list"),
        ("run = ['x']\nthreads = []", "'threads' must not be empty"),
        ("run = ['x']\nthreads = [0]", "'threads, item 1' must be at least 1"),
        ("run = ['x']\nthreads = [1, 1.5]", "'threads, item 2' must be a whole number"),
        ("run = ['x']\nthreads = [true]", "'threads, item 1' must be a whole number"),
        ("run = ['x']\nenv = 'A=1'", "'env' must be a table"),
        ("run = ['x']\ntitle = 3", "'title' must be text in quotes"),
        ("run = ['x']\nclass = 'fast'", "'fast' is not one of 'application', 'realistic', 'stripped' or 'historic'"),
        ("run = ['x']\nneeds = ['go']\nat_least = { go = 1.26 }", "'go' must be text in quotes"),
        ("title = 'no command'", 'set "run" (the start command) or "unavailable"'),
    ],
)
def test_a_wrong_type_is_reported_in_plain_words(written: str, said: str) -> None:
    """Not in those of the validating library."""
    assert said in one(f"{TEXT}[server.wrong]\n{written}\n")[0]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"300ms"', "3", "m.toml:5:1: write a number with its unit (us, ms, s, m, h), like '10s'"),
        (
            '"1s"',
            '"150ms"',
            "m.toml:6:1: load must last at least 200ms: wrk checks its clock every 100 ms",
        ),
        (
            "[server.epoll]",
            '[preset.quick.duet]\nwarmup = "0s"\nduration = "100ms"\n[server.epoll]',
            "m.toml:14:1: load must last at least 200ms: wrk checks its clock every 100 ms",
        ),
        (
            '"1s"',
            '"0s"',
            "m.toml:6:1: load must last at least 200ms: wrk checks its clock every 100 ms",
        ),
        ('title = "T"', "", "m.toml:1:2: 'title' is missing"),
        (
            "[server.epoll]",
            "[server.epoll]\nat_least = { go = '1' }",
            "the server does not need 'go'",
        ),
        ('"T"', '"T"\npreset = "quik"', "m.toml:3:1: unknown preset 'quik' - did you mean 'quick'?"),
        ('"T"', '"T"\ngroups = ["documnt"]', "m.toml:3:11: unknown group 'documnt' - did you mean 'document'?"),
        ('"T"', '"T"\npath = "x"', "m.toml:3:1: a path begins with / - did you mean '/x'?"),
        ('"T"', '"T"\npath = "/a b"', "m.toml:3:1: ' ' cannot stand in a request line - did you mean '/a%20b'?"),
        ('"T"', '"T"\npath = "/\\t"', "m.toml:3:1: '\\t' cannot stand in a request line - did you mean '/%09'?"),
        (
            '"T"',
            '"T"\npath = "/ä?x=1 2"',
            "m.toml:3:1: 'ä' cannot stand in a request line - did you mean '/%C3%A4?x=1%202'?",
        ),
        ('"T"', '"T"\npath = "/#top"', "m.toml:3:1: '#' cannot stand in a request line - did you mean '/%23top'?"),
        ("[server.epoll]", "[server.Epoll]", "m.toml:12:9: 'Epoll' is not a valid name; use a-z, 0-9, - and _"),
    ],
)
def test_a_wrong_value_is_reported_with_its_place(old: str, new: str, said: str) -> None:
    """File, line and column come first, so that editors can jump there."""
    assert said in errors(TEXT.replace(old, new, 1))


def test_several_errors_are_reported_at_once_in_the_order_of_the_file() -> None:
    """You need not run the same command once per error."""
    text = TEXT.replace('"300ms"', "300").replace("[64]", '["64"]').replace('["{out}"]', '"{out}"') + "flaks = 1\n"
    places = [line.partition(": ")[0] for line in errors(text).splitlines() if line.startswith("m.toml:")]
    assert places == ["m.toml:5:1", "m.toml:10:16", "m.toml:13:1", "m.toml:16:1"]
    assert errors(text).endswith("4 errors in m.toml; nothing was run")


def test_a_key_under_its_old_name_is_shown_with_the_new_one() -> None:
    """The settings of the load generator used to be named after wrk."""
    said = one(TEXT + "[machine.xeon]\nthreads = [1]\nconnections = [480]\nwrk = { threads = 24 }\n")[0]
    assert said == "m.toml:19:1: unknown key 'wrk' - did you mean 'load'?"


def test_generator_threads_that_do_not_divide_the_connections_are_refused() -> None:
    """Wrk would silently open fewer connections than the table says."""
    said = one(TEXT + "[machine.xeon]\nthreads = [1]\nconnections = [480, 800]\nload = { threads = 24 }\n")[0]
    assert said == (
        "m.toml:16:10: 800 connections cannot be divided evenly among 24 threads of the load generator:"
        " wrk would open only 792"
    )


def test_fewer_connections_than_threads_of_the_generator_are_refused() -> None:
    """Wrk would not start."""
    said = one(TEXT + "[machine.xeon]\nthreads = [1]\nconnections = [8]\nload = { threads = 24 }\n")[0]
    assert said == (
        "m.toml:16:10: 8 connections are too few for 24 threads of the load generator: each thread needs at least one"
    )


@pytest.mark.parametrize("path", ["/", "/a%20b", "/a?b=c&d=[1]", "//", "/~user/{id}"])
def test_a_path_may_be_anything_that_can_be_sent(path: str) -> None:
    """Including queries and what is encoded already."""
    assert parse_matrix(TEXT.replace('"T"', f'"T"\npath = "{path}"')).suite.path == path


def test_a_minimum_of_blocks_above_the_maximum_is_refused() -> None:
    """It could never be met."""
    said = one(TEXT + "[preset.odd]\nwarmup = '0s'\nduration = '1s'\nblocks = { min = 7, max = 6 }\n")
    assert "'max' (6) is below 'min' (7)" in said[0]


def test_a_cpu_range_that_ends_before_it_starts_is_refused() -> None:
    """It would contain no CPU at all."""
    said = one(TEXT + "[machine.m]\nthreads = [1]\nconnections = [1]\ncpus = { server = '0,3-1', client = '4' }\n")
    assert said[0] == "m.toml:19:10: '3-1' ends before it starts"


def rows(*entries: str) -> str:
    """Return a matrix whose table has these rows."""
    return (
        f'{TEXT}[[table]]\ntitle = "t"\nmode = "persistent"\nrows = [\n' + "".join(f"  {x},\n" for x in entries) + "]\n"
    )


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ('"epol"', "m.toml:20:3: unknown server 'epol' - did you mean 'epoll'?"),
        ('"zzz"', "m.toml:20:3: unknown server 'zzz' - known: epoll"),
        ('"epoll.edge-fist"', "m.toml:20:3: unknown variant of epoll 'edge-fist' - did you mean 'edge-first'?"),
        ('{ row = "epoll.x@2" }', "m.toml:20:3: unknown variant of epoll 'x' - known: edge-first"),
        ('"epoll@0"', "m.toml:20:3: 'epoll@0' is not a row; write server, server.variant or server.variant@threads"),
        ("3", "m.toml:20:3: 'rows, item 1' must be text in quotes"),
        ('{ title = "x" }', "m.toml:20:3: 'row' is missing"),
        ('{ heading = "x", row = "epoll" }', "m.toml:20:20: unknown key 'row'"),
    ],
)
def test_a_wrong_row_is_reported_once(entry: str, said: str) -> None:
    """Not once for each form that a row may have."""
    assert one(rows(entry))[0] == said


def test_a_wrong_row_is_found_among_right_ones() -> None:
    """Among headings and valid rows."""
    text = rows('{ heading = "h" }', '"epoll@2"', '{ row = "epoll.edge-first", title = "x" }', '"nginx"')
    assert one(text)[0].startswith("m.toml:23:3: unknown server 'nginx'")


def test_unknown_tools_of_servers_and_variants_are_reported() -> None:
    """A server cannot need what is not described anywhere."""
    said = errors(
        f'{TEXT}needs = ["libgc"]\n[server.b]\nrun = ["b"]\nneeds = ["nim", "nimm"]\n[tool.nim]\ncommands = ["nim"]\n'
    )
    assert "m.toml:16:10: unknown tool 'libgc' - known: nim" in said
    assert "m.toml:19:17: unknown tool 'nimm' - did you mean 'nim'?" in said


def test_the_project_s_tools_need_not_be_described() -> None:
    """A matrix need not describe nim; if it does, its own description is used."""
    matrix = parse_matrix(TEXT + '[tool.nim]\ncommands = ["my-nim"]\n', defaults=TOOL_DATA)
    assert matrix.tool["nim"].commands == ("my-nim",)
    assert "wrk" in matrix.tool


def test_tools_that_are_not_a_table_are_an_error_like_others() -> None:
    """Merging in the project's tools does not fail on it."""
    with pytest.raises(BadInput, match="'tool' must be a table"):
        parse_matrix("tool = 3\n" + TEXT, defaults=TOOL_DATA)


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    """The option that names another file is in the message."""
    with pytest.raises(BadInput, match="No such file or directory; name a matrix with --matrix FILE"):
        read_matrix(tmp_path / "none.toml")


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    """TOML is UTF-8."""
    file = tmp_path / "m.toml"
    file.write_bytes(b'[suite]\ntitle = "\xff"\n')
    with pytest.raises(BadInput, match=r"not UTF-8 text \(byte 17\)"):
        read_matrix(file)


def test_an_empty_file_is_told_what_every_matrix_has() -> None:
    """The four tables that are required."""
    said = errors("")
    assert all(f"'{key}' is missing" in said for key in ("suite", "preset", "machine", "server"))


@settings(max_examples=40)
@given(st.data())
def test_any_damage_is_either_harmless_or_reported_with_its_place(data: st.DataObject) -> None:
    """Whatever is removed or inserted gives a message with a place, never a traceback."""
    lines = rows('"epoll@2"', '{ heading = "h" }').splitlines(keepends=True)
    index = data.draw(st.integers(0, len(lines) - 1))
    lines[index] = data.draw(
        st.sampled_from(["", "x = 1\n", "[x]\n", "[[suite]]\n", '"', "}\n", "threads = 1\n", "\x00", "rows = 1\n"])
        | st.text(max_size=12)
    )
    said = _said("".join(lines))
    if said is not None:
        name, line, column, *_ = said.split(":")
        assert name == "m.toml"
        assert 1 <= int(line) <= len("".join(lines).split("\n")) + 1
        assert int(column) >= 1


def _said(text: str) -> str | None:
    """Return the errors in a text, None if there are none."""
    try:
        parse_matrix(text, "m.toml")
    except BadInput as error:
        return str(error)
    return None
