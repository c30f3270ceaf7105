"""`speedup import`: puts what other programs printed or published into a run folder, to be read beside others."""

from __future__ import annotations

import argparse
import os

from speedup.arguments import path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from runners.foreign.importing import Imported, Told

FORMATS = ("techempower", "the-benchmarker", "httparena", "bombardier", "k6", "oha", "hey", "h2load", "wrk")
MODES = ("persistent", "non-persistent", "pipelined")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("files", nargs="+", type=path, metavar="FILE", help="results or output of other programs")
    parser.add_argument("--format", choices=FORMATS, help="what the files are (default: recognized by their content)")
    parser.add_argument(
        "--results", type=path, default="results", metavar="DIR", help="where the run folder goes (default: results)"
    )
    parser.add_argument("--machine", metavar="TITLE", help="the machine that was measured (default: the file's name)")
    parser.add_argument("--date", type=date, help="when it was measured, in UTC, such as 2026-11-24")
    parser.add_argument("--url", help="where the numbers come from")
    said = parser.add_argument_group("what files may not say", "for all of them; what a file says itself is kept")
    said.add_argument(
        "--server",
        metavar="ROW",
        help="the server, as a table names it: epoll, or asynchttp.boehm@4 (default: FILE's name)",
    )
    said.add_argument("--connections", type=positive, metavar="N", help="how many connections were open")
    said.add_argument("--mode", choices=MODES, help="how connections were used; overrides what the file says")
    said.add_argument(
        "--pipeline-depth", type=positive, metavar="N", help="how many requests each connection had under way"
    )
    said.add_argument("--rate", type=rate, metavar="PER_S", help="the rate that was offered, of an open loop")


def positive(text: str) -> int:
    """Return a whole number from 1, for argparse."""
    if not text.isdecimal() or not 0 < int(text[:10]) < 10**9:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 1")
    return int(text)


def rate(text: str) -> float:
    """Return requests per second, for argparse."""
    from runners.foreign.sample import parsed

    found = parsed(text)
    if not found:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of requests per second")
    return found


def date(text: str) -> str:
    """Return a date, or a time in UTC, for argparse."""
    import datetime as dt

    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"'{text}' is not a date such as 2026-11-24") from error
    if len(text) == len("2026-11-24"):
        return text
    return f"{found.replace(tzinfo=found.tzinfo or dt.UTC).astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"


def act(arguments: argparse.Namespace) -> int:
    """Read the files, write the run folder, and print its path."""
    import datetime as dt

    from runners.foreign.importing import write_imported

    told = _told(arguments)
    imported = [_imported(file, arguments.format) for file in arguments.files]
    folder = write_imported(arguments.results, imported, told, dt.datetime.now(dt.UTC))
    print(os.path.relpath(folder))
    return 0


def _imported(file: Path, wanted: str | None) -> Imported:
    from runners.foreign.importing import Imported
    from runners.foreign.reading import FORMATS as KNOWN
    from runners.foreign.reading import read_foreign, samples_in
    from runners.units import plural
    from speedup.messages import log

    foreign = read_foreign(file)
    kind, samples = samples_in(foreign, wanted)
    log.info(f"{file}: {KNOWN[kind].title}, {plural(len(samples), 'number')}")
    return Imported(foreign, kind, samples)


def _told(arguments: argparse.Namespace) -> Told:
    from runners.errors import BadInput
    from runners.foreign.importing import Told
    from runners.matrix.cells import parse_row

    server, variant, threads = None, None, None
    if arguments.server is not None:
        try:
            row = parse_row(arguments.server)
        except ValueError as error:
            raise BadInput(f"--server {arguments.server}: {error}") from error
        server, variant = row.server, row.variant
        threads = row.threads if "@" in arguments.server else None
    return Told(
        server=server,
        variant=variant,
        threads=threads,
        connections=arguments.connections,
        mode=arguments.mode,
        pipeline_depth=arguments.pipeline_depth,
        rate_per_s=arguments.rate,
        machine=arguments.machine,
        date=arguments.date,
        url=arguments.url,
    )
