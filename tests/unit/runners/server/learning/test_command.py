"""Start commands as people type them."""

from __future__ import annotations

import re

import pytest

from runners.errors import BadInput
from runners.matrix.starter.learned import Launch
from runners.server.learning.command import names_of, read_command, takes_port


def test_a_command_is_split_as_a_shell_would() -> None:
    """Quotes keep words together."""
    assert read_command("./hello --text='a b'", "--run") == Launch(("./hello", "--text=a b"))


def test_variables_in_front_of_a_command_are_its_environment() -> None:
    """As in a shell; only those in front."""
    launch = read_command("PORT={port} MODE='a b' ./hello X=1", "--run")
    assert launch == Launch(("./hello", "X=1"), {"PORT": "{port}", "MODE": "a b"})
    assert takes_port(launch)
    assert not takes_port(read_command("./hello", "--run"))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("./hello 'oops", '--run "./hello \'oops": No closing quotation'),
        ("", "is no command"),
        ("PORT=1", "is no command"),
        ("cd x && ./hello", "'&&' needs a shell"),
        ("./hello > log", "'>' needs a shell"),
        ("./hello 2>&1", "'2>&1' needs a shell"),
    ],
)
def test_what_is_no_command_is_refused(text: str, complaint: str) -> None:
    """With what to do about it."""
    with pytest.raises(BadInput, match=re.escape(complaint)):
        read_command(text, "--run")


def test_a_shell_that_is_asked_for_gets_its_words() -> None:
    """Whoever writes it wants it."""
    assert read_command("sh -c 'cd x && ./hello'", "--run").run == ("sh", "-c", "cd x && ./hello")


def test_a_semicolon_inside_an_argument_is_no_shell_s() -> None:
    """Such as nginx's."""
    assert read_command("nginx -g 'daemon off;'", "--run").run == ("nginx", "-g", "daemon off;")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("./Server.bin --port={port}", "server"),
        ("node dist/main.js", "main"),
        ("python3 -m http.server", "http"),
        ("uvicorn main:app --port {port}", "uvicorn"),
        ("taskset -c 0 ./x", "x"),
        ("sh -c 'cd x && ./hello'", "cd"),
        ("node", "node"),
        ("./-", "server"),
    ],
)
def test_a_server_is_named_after_its_program(text: str, name: str) -> None:
    """Not after the interpreter."""
    assert names_of([read_command(text, "--run")]) == (name,)


def test_servers_of_the_same_name_are_numbered() -> None:
    """Two builds of one program are what people compare."""
    commands = [read_command(text, "--server") for text in ("./a/server", "./b/server", "./other", "./c/server")]
    assert names_of(commands) == ("server", "server-2", "other", "server-3")
