"""`speedup schema`: prints the schema of matrix.toml, for editors, or that of a result as JSON, for programs."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    wanted = parser.add_mutually_exclusive_group()
    wanted.add_argument("--report", action="store_true", help="the schema of `report --format json` instead")
    wanted.add_argument("--compare", action="store_true", help="the schema of `compare --json` instead")


def act(arguments: argparse.Namespace) -> int:
    """Print the schema."""
    if arguments.report:
        from reports.forms.answers import json_schema
    elif arguments.compare:
        from reports.forms.change import json_schema
    else:
        from runners.matrix.schema import json_schema

    print(json_schema(), end="")
    return 0
