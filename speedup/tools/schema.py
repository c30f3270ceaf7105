"""`speedup schema`: prints the schema with which editors complete and check matrix.toml."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """Add what the command takes: nothing."""


def act(_arguments: argparse.Namespace) -> int:
    """Print the schema."""
    from runners.matrix.schema import json_schema

    print(json_schema(), end="")
    return 0
