"""`speedup schema`: prints the schema of matrix.toml, for editors, or that of a report as JSON, for programs."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("--report", action="store_true", help="the schema of `report --format json` instead")


def act(arguments: argparse.Namespace) -> int:
    """Print the schema."""
    if arguments.report:
        from reports.forms.answers import json_schema
    else:
        from runners.matrix.schema import json_schema

    print(json_schema(), end="")
    return 0
