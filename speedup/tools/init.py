"""`speedup init`: writes a first matrix.toml for a server of your own."""

from __future__ import annotations

import os

from speedup.arguments import path

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument(
        "folder", nargs="?", type=path, default=".", metavar="DIR", help="folder to write into (default: this one)"
    )
    parser.add_argument("--name", help="the server's name (default: the folder's)")
    parser.add_argument("--run", metavar="COMMAND", help="command that starts it, such as './server --port={port}'")
    parser.add_argument(
        "--body", default="Hello World", metavar="TEXT", help="exact body of its answer (default: Hello World)"
    )
    parser.add_argument("--path", default="/", help="path to request (default: /)")


def act(arguments: argparse.Namespace) -> int:
    """Write the files, print their paths, and say what to do next."""
    from runners.matrix import starter
    from speedup.messages import log

    name = arguments.name or starter.default_name(arguments.folder)
    options = starter.Starter(name, arguments.run, arguments.body, arguments.path)
    for made in starter.write_starter(arguments.folder, options):
        print(os.path.relpath(made))
    first = f"fill in the command that starts '{name}' in {starter.MATRIX}" if arguments.run is None else "look at it"
    log.info(f"next: {first}, then in that folder: speedup plan, speedup run")
    return 0
