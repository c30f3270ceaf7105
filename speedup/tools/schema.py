"""`speedup schema`: prints the schema with which editors complete and check matrix.toml."""

from __future__ import annotations

from speedup.arguments import add_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from speedup.arguments import Commands


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "schema", "print the JSON Schema of matrix.toml")
    parser.set_defaults(action=act)


def act(_arguments: argparse.Namespace) -> int:
    """Print the schema."""
    from runners.matrix.schema import json_schema

    print(json_schema(), end="")
    return 0
