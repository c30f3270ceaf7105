"""The parser of all commands, which suggests what a misspelt word may have meant."""

from __future__ import annotations

import argparse
import re
from importlib import import_module

from runners.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

COMMANDS = {  # in the order of --help: the folder of each command's module, and what it does
    "plan": ("measure", "show which cells would be measured, and how long that takes"),
    "run": ("measure", "measure, and write the report, which is updated as the run goes on"),
    "compare": ("measure", "tell whether a change made your server faster, from commands, revisions or recorded runs"),
    "bisect": ("measure", "find the first commit between two revisions that made your server slower"),
    "report": ("read", "write the report of run folders again, or an index of many reports"),
    "export": ("read", "write the numbers of run folders for other programs: CSV, Parquet, benchstat and others"),
    "import": ("read", "put what other programs printed or published into a run folder, to read it beside yours"),
    "history": ("read", "show many comparisons and runs over time as one page"),
    "reproduce": ("read", "measure a published run again, and see whether its verdicts show again"),
    "verify": ("read", "read run folders whole, and name each line that is damaged"),
    "check": ("measure", "test from outside whether servers are honest, before timing them"),
    "selftest": ("measure", "inject known faults into trials, and see whether each is named"),
    "worker": ("measure", "load a server from this machine, for a `run` on another one"),
    "doctor": ("tools", "show which tools are installed, where, and how to get the others"),
    "init": ("tools", "start your own server once, and write a matrix.toml that fits"),
    "schema": ("tools", "print the JSON Schema of matrix.toml, of a report or of a comparison"),
    "completion": ("tools", "print a script that completes commands and options in your shell"),
}
ABORT_BISECT = 128  # `git bisect run` takes 2 for a bad revision
TITLE = "Is this HTTP server really faster? Measures servers on this machine and writes a report."
EXAMPLES = """\
examples:
  speedup plan                                   show what would be measured, and for how long
  speedup run --only 'epoll*' --preset thorough  measure a part of it, precisely enough to publish
  speedup run --resume results/20260101T120000Z-local
  speedup report results/20260101T120000Z-local  write the report again
  speedup report results/* --format md --output pr.md
  speedup run --server 'node server.js'          measure your own server without any file
  speedup compare './old --port={port}' './new --port={port}'
  speedup init --run './server --port={port}'    write a matrix.toml for it

exit codes: 0 every cell has a valid number; 1 a cell has none; 2 bad input; 3 nothing selected;
            4 the machine is not fit; 130 interrupted
"""


class Parser(argparse.ArgumentParser):
    """An argument parser that suggests what a misspelt word may have meant."""

    bad_input = 2

    def error(self, message: str) -> NoReturn:
        """Print the message with a suggestion and exit with the code for bad input."""
        near = _closest(_misspelt(message), sorted(_names(self)))
        hint = f" - did you mean {near}?" if near else ""
        self.exit(self.bad_input, f"{self.prog}: {message}{hint}\n{self.prog}: see {self.prog} --help\n")


def _misspelt(message: str) -> list[str]:
    """Return the words that argparse does not know, from its message."""
    if choice := re.search(r"invalid choice: '([^']*)'", message):
        return [choice[1]]
    _, found, rest = message.partition("unrecognized arguments: ")
    return [word.partition("=")[0] for word in rest.split()] if found else []


def _closest(words: list[str], known: list[str]) -> str | None:
    """Return what the first of the words that resembles anything may have meant."""
    import difflib

    return next((match for word in words for match in difflib.get_close_matches(word, known, n=1)), None)


def _names(parser: argparse.ArgumentParser) -> set[str]:
    """Return the options and commands of a parser and of its commands."""
    names = {option for action in parser._actions for option in action.option_strings}  # noqa: SLF001 - no other way
    for action in parser._actions:  # noqa: SLF001
        for name, child in action.choices.items() if isinstance(action.choices, dict) else ():
            names |= {name, *_names(child)}
    return names


def build_parser(argv: Sequence[str] | None = None) -> Parser:
    """Return the parser of all commands; what it parses holds the command's function as `action`.

    If `argv` is known, only the module of the command that it names is imported.
    """
    parser = Parser(
        prog="speedup", description=TITLE, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"http-speedup {VERSION}", help="print the version")
    parser.add_argument("--debug", action="store_true", help="print debug messages, and the traceback of an error")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    named = next((word for word in argv or () if not word.startswith("-")), None)
    for name, (folder, summary) in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        if argv is None or name == named:
            module = import_module(f"speedup.{folder}.{'import_' if name == 'import' else name}")  # a word of Python's
            module.add_arguments(command)
            command.set_defaults(action=module.act)
            if "--bisect-codes" in (argv or ()):
                parser.bad_input = command.bad_input = ABORT_BISECT
    return parser
