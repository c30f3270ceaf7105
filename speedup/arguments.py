"""Arguments that several commands take, and how their values are read. Imports nothing slow: `--help` waits for it."""

from __future__ import annotations

import argparse

from runners.units import parse_duration_s

TYPE_CHECKING = False  # typing itself takes as long to import as all of this
if TYPE_CHECKING:
    from pathlib import Path


def add_matrix(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the matrix."""
    parser.add_argument(
        "--matrix", type=path, metavar="FILE", help="matrix to read (default: ./matrix.toml, else the packaged one)"
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the option for output that programs read."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_globs(parser: argparse.ArgumentParser, option: str, meaning: str) -> None:
    """Add an option that takes a glob and may be given several times."""
    parser.add_argument(option, action="append", default=[], metavar="GLOB", help=meaning)


def path(text: str) -> Path:
    """Return a path, for argparse."""
    from pathlib import Path

    return Path(text)


def address(text: str) -> str:
    """Return the address of a page on the web, for argparse."""
    if not text.startswith(("https://", "http://")) or any(character.isspace() for character in text):
        raise argparse.ArgumentTypeError(f"'{text}' is not an absolute address; it begins with https://")
    return text


def count(text: str) -> int:
    """Return a number of machines, at least 1, for argparse."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of machines")
    return int(text)


def status(text: str) -> int:
    """Return an HTTP status, for argparse."""
    if not text.isdigit() or not 200 <= int(text) <= 599:
        raise argparse.ArgumentTypeError(f"'{text}' is not a status from 200 to 599")
    return int(text)


def duration(text: str) -> float:
    """Return a duration in seconds, for argparse."""
    try:
        return parse_duration_s(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
