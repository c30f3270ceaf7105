"""`speedup init`: learns about a server by starting and asking it, and writes a matrix.toml that fits."""

from __future__ import annotations

import os

from speedup.arguments import path
from speedup.learning import add_question, answer, expected, wanted_of, where

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from runners.matrix.starter.writing import Starter


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument(
        "folder", nargs="?", type=path, default=".", metavar="DIR", help="the server's folder (default: this one)"
    )
    parser.add_argument("--name", help="the server's name (default: the folder's)")
    parser.add_argument(
        "--run",
        metavar="COMMAND",
        help="command that starts it there, such as 'node server.js' or './server --port={port}'; it is started once",
    )
    parser.add_argument("--url", help="ask a server that runs already; its start command is left for you to fill in")
    parser.add_argument("--allow-remote", action="store_true", help="also ask a URL on another machine")
    parser.add_argument(
        "--body",
        metavar="TEXT",
        help="exact body of its answer (default: what its answers have in common; if it is not asked, Hello World)",
    )
    add_question(parser)


def act(arguments: argparse.Namespace) -> int:
    """Learn, write the files, print their paths, and say what to do next."""
    from runners.errors import BadInput
    from runners.matrix.starter import writing as starter
    from speedup.messages import log

    if arguments.run is not None and arguments.url is not None:
        raise BadInput("give --run, which starts the server, or --url, where it runs already, not both")
    if arguments.url is not None and arguments.path is not None:
        raise BadInput(f"write the path into --url: {arguments.url} is what is asked")
    starter.check_new(arguments.folder)
    name = arguments.name or starter.default_name(arguments.folder)
    starter.check_name(name)
    found, lines = _found(arguments, name)
    made = starter.write_starter(arguments.folder, found)
    for line in lines:
        log.info(line)
    if found.why_no_ruler is not None:
        log.info(f"the ruler '{starter.RULER}' is left out: {found.why_no_ruler}")
    for each in made:
        print(os.path.relpath(each))
    log.info(_next(found, arguments.folder))
    return 0


def _found(arguments: argparse.Namespace, name: str) -> tuple[Starter, Sequence[str]]:
    """Return what to write, and what was learned, in lines."""
    from runners.matrix.starter.writing import Row, Starter, unlearned
    from runners.server.address import read_address
    from runners.server.learning.command import read_command
    from runners.server.learning.learner import learn_address, learn_command

    wanted = wanted_of(arguments, arguments.body)
    if arguments.run is not None:
        command = read_command(arguments.run, "--run")
        launch, learned = learn_command(command, _existing(arguments.folder), wanted)
        lines = [f"{name} {where(launch, learned)}", answer(learned), expected(learned)]
        return Starter((Row(name, name, launch),), learned), lines
    if arguments.url is not None:
        learned = learn_address(read_address(arguments.url, remote=arguments.allow_remote), wanted)
        return Starter((Row(name, name, None),), learned), [answer(learned), expected(learned)]
    body = "Hello World" if arguments.body is None else arguments.body
    return Starter((Row(name, name, None),), unlearned(wanted.path, body)), []


def _existing(folder: Path) -> Path:
    """Return the folder; BadInput if it is none, since the server is started there."""
    from runners.errors import BadInput

    if not folder.is_dir():
        raise BadInput(f"{folder} is not a folder; name the one in which --run starts the server")
    return folder


def _next(found: Starter, folder: Path) -> str:
    """Return what to do next."""
    from runners.matrix.starter.writing import MATRIX

    inside = "" if folder.resolve() == folder.cwd() else " in that folder:"
    (row,) = found.rows
    if row.launch is None:
        return f"next: fill in the command that starts '{row.name}' in {MATRIX}, then{inside} speedup plan, speedup run"
    return f"next:{inside} speedup plan, speedup run (or first a quick try: speedup run --preset smoke)"
