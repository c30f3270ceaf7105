"""What a matrix refers to but does not have: each with its place and what may have been meant."""

from __future__ import annotations

import pytest

from runners.errors import BadInput
from runners.matrix.placeholders import KNOWN
from runners.matrix.reading import parse_matrix

TEXT = """\
[suite]
title = "T"
[preset.quick]
warmup = "0s"
duration = "1s"
[machine.local]
threads = [1, 2]
connections = [64]
"""


def errors(text: str) -> list[str]:
    """Return the first line of each error in a matrix with these lines, which begin at line 9."""
    try:
        parse_matrix(TEXT + text, "m.toml")
    except BadInput as error:
        return [line for line in str(error).splitlines() if line.startswith("m.toml:")]
    return []


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('run = ["x", "--port={prot}"]', "10:13: unknown placeholder '{prot}' - did you mean '{port}'?"),
        ('run = ["x", "{treads}"]', "10:13: unknown placeholder '{treads}' - did you mean '{threads}'?"),
        ('run = ["x"]\nbuild = ["cc", "{uot}"]', "11:16: unknown placeholder '{uot}' - did you mean '{out}'?"),
        ('run = ["x"]\nenv = { PORT = "{prot}" }', "11:9: unknown placeholder '{prot}' - did you mean '{port}'?"),
        (
            'run = ["x"]\nbuild = ["cc", "{flags}"]\nflags = ["-I{dri}"]',
            "12:10: unknown placeholder '{dri}' - did you mean '{dir}'?",
        ),
        (
            'run = ["x"]\nvariant.v.env = { A = "{wrok}" }',
            "11:19: unknown placeholder '{wrok}' - did you mean '{work}'?",
        ),
        (
            'run = ["x", "{zzz}"]',
            f"10:13: unknown placeholder '{{zzz}}' - known: {', '.join(KNOWN)}",
        ),
    ],
    ids=["run", "threads", "build", "env", "flags", "variant", "nothing near"],
)
def test_a_misspelt_placeholder_is_reported_where_it_stands(lines: str, said: str) -> None:
    """It would reach the server as it is, and the server would fail for a reason that is hard to see."""
    assert errors(f"[server.a]\n{lines}\n") == [f"m.toml:{said}"]


@pytest.mark.parametrize(
    "word",
    [
        '{"a": 1}', "{}", "{0}", "{{name}}", "{{.Name}}", "${HOME}", "${name}", "{ print }", "{print $1}", "{a,b}",
        "{Name}", "{a-b}", "{port}{host}",
    ],
)  # fmt: skip
def test_braces_that_belong_to_others_are_allowed(word: str) -> None:
    """JSON, templates, shells and awk have braces, too."""
    assert errors(f"[server.a]\nrun = ['x', '{word}']\n") == []


def test_a_misspelt_placeholder_is_reported_only_where_it_was_written() -> None:
    """Not once more for each server that inherits it."""
    text = '[server.a]\nrun = ["{uot}"]\n[server.b]\nlike = "a"\n[server.c]\nlike = "b"\n'
    assert errors(text) == ["m.toml:10:8: unknown placeholder '{uot}' - did you mean '{out}'?"]


@pytest.mark.parametrize(
    ("lines", "place"),
    [
        ('run = ["x"]\nbuild = ["cc", "-O{flags}"]', "11:16"),
        ('run = ["x"]\nenv = { CFLAGS = "{flags}" }', "11:9"),
        ('run = ["x"]\nbuild = ["cc", "{flags}"]\nflags = ["{flags}"]', "12:10"),
    ],
    ids=["part of an argument", "env", "flags"],
)
def test_flags_are_arguments_of_their_own(lines: str, place: str) -> None:
    """Elsewhere nothing replaces them."""
    assert errors(f"[server.a]\n{lines}\n") == [
        f"m.toml:{place}: {{flags}} must be an argument of its own in a command"
    ]


def test_a_command_that_names_a_config_file_needs_its_template() -> None:
    """The server would look for a file that nobody writes."""
    text = '[server.a]\nrun = ["x", "-c", "{config}"]\n'
    assert errors(text) == ["m.toml:10:1: the start command contains {config}, but 'config' is not set"]
    assert errors(text + 'config = "x.conf"\n') == []


def test_each_placeholder_of_a_word_is_reported() -> None:
    """One of them may be right."""
    said = errors('[server.a]\nrun = ["{hots}:{prot}:{port}"]\n')
    assert [line.partition(" - ")[2] for line in said] == ["did you mean '{host}'?", "did you mean '{port}'?"]
