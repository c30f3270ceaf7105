"""Servers that are named on the command line, with `--server`: started once, asked, and measured without a file."""

from __future__ import annotations

from speedup.learning import add_question, answer, expected, wanted_of, where

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from runners.matrix.starter.learned import Learned
    from runners.matrix.starter.writing import Row

LONGEST_TITLE_CHARS = 60


def add_servers(parser: argparse.ArgumentParser) -> None:
    """Add the options to a command."""
    group = parser.add_argument_group(
        "measure without a matrix", "the servers are started once, to see what they answer"
    )
    group.add_argument(
        "--server",
        action="append",
        default=[],
        metavar="COMMAND",
        help="command that starts a server in this folder, such as './server --port={port}'; the first is the baseline",
    )
    add_question(group)


def check_resumable(arguments: argparse.Namespace) -> None:
    """Raise BadInput if a run is to be resumed with other servers than its own."""
    from runners.errors import BadInput

    if arguments.resume and arguments.server:
        raise BadInput("--resume measures the servers of that run; leave out --server")


def text_of(arguments: argparse.Namespace) -> str | None:
    """Return a matrix for the servers that are named; None if none is. BadInput if one cannot be measured."""
    from runners.errors import BadInput

    if not arguments.server:
        named = [f"--{name}" for name in ("path", "status", "timeout") if getattr(arguments, name) is not None]
        if named:
            raise BadInput(f"{named[0]} belongs to --server COMMAND; of a matrix, its requests and servers say it")
        return None
    if arguments.matrix is not None:
        raise BadInput("give --matrix FILE or --server COMMAND, not both")
    return _text(arguments)


def _text(arguments: argparse.Namespace) -> str:
    from pathlib import Path

    from runners.matrix.starter.learned import together
    from runners.matrix.starter.writing import Row, Starter, starter_matrix
    from runners.server.learning.command import names_of, read_command
    from runners.server.learning.learner import learn_command
    from speedup.messages import log

    commands = [read_command(text, "--server") for text in arguments.server]
    found, rows = [], []
    for name, command, text in zip(names_of(commands), commands, arguments.server, strict=True):
        launch, learned = learn_command(command, Path(), wanted_of(arguments))
        log.info(f"{name} {where(launch, learned)}; {answer(learned)}")
        found.append(learned)
        rows.append(Row(name, text if len(text) <= LONGEST_TITLE_CHARS else name, launch))
    _check_comparable(rows, found)
    shared = together(found)
    log.info(expected(shared))
    return starter_matrix(Starter(tuple(rows), shared, ruler=False))


def _check_comparable(rows: Iterable[Row], found: Sequence[Learned]) -> None:
    """Raise BadInput if the servers cannot be asked alike; warn if they answer different things."""
    from runners.errors import BadInput
    from runners.matrix.starter.learned import together
    from speedup.messages import log

    statuses = {row.name: learned.status for row, learned in zip(rows, found, strict=True)}
    if len(set(statuses.values())) > 1:
        told = ", ".join(f"{name} {status}" for name, status in statuses.items())
        raise BadInput(f"the servers answer with different statuses ({told}); say which is right: --status N")
    if not together(found).modes:
        told = ", ".join(f"{row.name} {' and '.join(each.modes)}" for row, each in zip(rows, found, strict=True))
        raise BadInput(f"the servers share no connection mode ({told}); measure them in runs of their own")
    if len({each.expect for each in found}) > 1:
        log.warning("the servers answer different things, so their numbers compare different work")
