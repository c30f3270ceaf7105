"""Rules, rows and thread counts that nothing in the whole matrix answers to."""

from __future__ import annotations

import pytest

from runners.errors import BadInput
from runners.matrix.reading import parse_matrix

TEXT = """\
[suite]
title = "T"
modes = ["persistent"]
[preset.quick]
warmup = "0s"
duration = "1s"
[machine.local]
threads = [1, 2]
connections = [64]
[machine.xeon]
match = { cpu = "*Xeon*" }
threads = [16]
connections = [800]
[server.epoll]
run = ["x"]
[server.epoll.variant.edge]
[server.single]
run = ["x"]
threads = [1]
"""
ADDED = '[[include]]\nvariants = "single"\nthreads = [4]\nmodes = ["persistent"]\n'


def errors(text: str) -> list[str]:
    """Return the first line of each error in a matrix with these lines, which begin at line 20."""
    try:
        parse_matrix(TEXT + text, "m.toml")
    except BadInput as error:
        return [line for line in str(error).splitlines() if line.startswith("m.toml:")]
    return []


def table(row: str, mode: str = "persistent", more: str = "") -> str:
    """Return a table with one row, which stands in its fourth line."""
    return f'[[table]]\ntitle = "t"\nmode = "{mode}"\nrows = ["{row}"]\n{more}'


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("'epol/*'", "21:1: 'epol/*' matches no cell - did you mean 'epoll/*'?"),
        ("'epol'", "21:1: 'epol' matches no cell - did you mean 'epoll'?"),
        ("'epoll.egde/t1/*'", "21:1: 'epoll.egde/t1/*' matches no cell - did you mean 'epoll.edge/t1/*'?"),
        ("'epoll/t3/*'", "21:1: 'epoll/t3/*' matches no cell - a cell is epoll/t1/c64/persistent"),
        ("['epoll', 'zzz']", "21:19: 'zzz' matches no cell - a cell is epoll/t1/c64/persistent"),
    ],
    ids=["name", "only a name", "variant", "threads", "in a list"],
)
def test_an_exclude_rule_that_matches_no_cell_is_reported(written: str, said: str) -> None:
    """What it is meant to leave out would be measured."""
    assert errors(f"[[exclude]]\ncells = {written}\n") == [f"m.toml:{said}"]


@pytest.mark.parametrize("glob", ["epoll/t16/*", "*/c800/*", "*/non-persistent", "epoll.*", "epoll/t1/*#0123abcd"])
def test_an_exclude_rule_may_be_meant_for_another_machine_mode_or_source(glob: str) -> None:
    """A matrix is shared by machines, and a mode is left out for an hour."""
    assert errors(f"[[exclude]]\ncells = '{glob}'\n") == []


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("'singel'", "21:1: 'singel' matches no variant - did you mean 'single'?"),
        ("['epoll', 'zzz']", "21:22: 'zzz' matches no variant - variants are epoll, epoll.edge, single"),
    ],
    ids=["misspelt", "unknown"],
)
def test_an_include_rule_that_matches_no_variant_is_reported(written: str, said: str) -> None:
    """What it is meant to add would be missing."""
    assert errors(f"[[include]]\nvariants = {written}\nthreads = [4]\n") == [f"m.toml:{said}"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("single@4", "no machine measures 'single' with 4 threads - it is measured with 1; "),
        ("epoll@4", "no machine measures 'epoll' with 4 threads - it is measured with 1, 2, 16; "),
        ("epoll.edge@3", "no machine measures 'epoll.edge' with 3 threads - it is measured with 1, 2, 16; "),
    ],
)
def test_a_row_with_a_thread_count_that_is_never_measured_is_reported(row: str, said: str) -> None:
    """It would stay empty in every report."""
    assert errors(table(row)) == [f"m.toml:23:9: {said}an [[include]] rule adds other thread counts"]


@pytest.mark.parametrize("text", [table("epoll@16"), ADDED + table("single@4")], ids=["another machine", "added"])
def test_a_row_that_is_measured_somewhere_is_right(text: str) -> None:
    """On another machine, or by an include rule."""
    assert errors(text) == []


def test_an_include_rule_counts_for_its_modes_only() -> None:
    """A table of the other mode would stay empty."""
    assert "with 4 threads" in errors(ADDED + table("single@4", "non-persistent"))[0]


def test_a_row_may_be_there_for_its_published_number() -> None:
    """If the server could have that many threads; machines of others had more."""
    assert errors(table("epoll@8", more='published = "xeon"')) == []
    assert len(errors(table("single@8", more='published = "xeon"'))) == 1


@pytest.mark.parametrize(
    ("lines", "place", "name"),
    [
        ('[server.many]\nrun = ["x"]\nthreads = [3, 5]\n', "22:1", "many"),
        ("[server.epoll.variant.many]\nthreads = [3]\n", "21:1", "epoll.many"),
    ],
    ids=["server", "variant"],
)
def test_threads_of_which_no_machine_measures_any_are_reported(lines: str, place: str, name: str) -> None:
    """The server would silently be left out."""
    said = f"no machine profile has any of the 'threads' of '{name}' - an [[include]] rule adds other thread counts"
    assert errors(lines) == [f"m.toml:{place}: {said}"]
    assert errors(f"{lines}[[include]]\nvariants = '{name}'\nthreads = [3]\n") == []


def test_inherited_threads_are_reported_once() -> None:
    """Where they were written."""
    text = '[server.many]\nrun = ["x"]\nthreads = [3]\n[server.more]\nlike = "many"\n'
    assert [line.partition(": ")[0] for line in errors(text)] == ["m.toml:22:1"]


def test_the_matrix_of_a_run_is_read_whatever_it_could_measure() -> None:
    """Its report keeps its tables, and it can be resumed."""
    text = TEXT + table("single@4")
    assert parse_matrix(text, recorded=True).table[0].rows == ("single@4",)
