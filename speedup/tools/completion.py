"""`speedup completion`: prints the script with which a shell completes commands, options, files and folders."""

from __future__ import annotations

from speedup.arguments import path

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator


SHELLS = ("bash", "zsh", "fish")
NEEDED = "completion needs the Python package shtab: pip install 'shtab>=1.9'"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("shell", choices=SHELLS, help="the shell to print it for")


def act(arguments: argparse.Namespace) -> int:
    """Print the script."""
    from runners.errors import SpeedupError

    try:
        import shtab
    except ImportError as error:
        raise SpeedupError(NEEDED) from error
    if arguments.shell not in shtab.SUPPORTED_SHELLS:  # one before 1.9 does not know fish
        raise SpeedupError(NEEDED)
    from speedup.parser import build_parser

    parser = build_parser()
    for action in _actions(parser):
        if action.type is path:
            folder = action.metavar in {"DIR", "RUN"}
            action.complete = shtab.DIRECTORY if folder else shtab.FILE  # type: ignore[attr-defined]
    print(shtab.complete(parser, arguments.shell))
    return 0


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield the arguments of a parser and of its commands."""
    for action in parser._actions:  # noqa: SLF001 - argparse has no other way to list them
        yield action
        for child in action.choices.values() if isinstance(action.choices, dict) else ():
            yield from _actions(child)
