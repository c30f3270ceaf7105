"""`speedup export`: writes the numbers of run folders in the formats of other programs."""

from __future__ import annotations

import os
import sys

from speedup.arguments import path

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from reports.exports.numbers import Numbers
    from runners.records.run import RunFolder

    Content = str | bytes | Mapping[str, str]  # the last: the text of each file in a folder

SHEETS = ("rows", "duets", "trials")
FIGURES = ("requests_per_s", "server_cpu_us_per_request")
OF_SHEETS = ("csv", "jsonl", "parquet")
OF_FIGURES = "github-action-benchmark"
FORMATS = {  # format -> what it holds
    "csv": "a header and a line per record",
    "jsonl": "an object per line",
    "parquet": "typed columns",
    "benchstat": "Go benchmark results, a line per trial",
    "bmf": "Bencher Metric Format",
    "github-action-benchmark": "an array for customBiggerIsBetter or customSmallerIsBetter",
    "hgrm": "HdrHistogram's percentiles, a file per cell",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("runs", nargs="+", type=path, metavar="RUN", help="run folders")
    parser.add_argument(
        "--format",
        choices=tuple(FORMATS),
        help="the format (default: as FILE's name ends); benchstat holds trials, bmf and github-action-benchmark rows",
    )
    parser.add_argument(
        "--of",
        choices=SHEETS,
        help="what csv, jsonl and parquet hold: the tables' rows, duets, or every trial (default: rows)",
    )
    parser.add_argument(
        "--figure",
        choices=FIGURES,
        help="of github-action-benchmark: bigger is better for the first, smaller for the second (default: the first)",
    )
    parser.add_argument(
        "--redact",
        action="store_true",
        help="leave out host names, users, home paths, addresses and the environment's values",
    )
    parser.add_argument(
        "--output",
        type=path,
        metavar="FILE",
        help="where to write it, or - to print it, which is the default; for hgrm, a folder",
    )


def act(arguments: argparse.Namespace) -> int:
    """Write the numbers; print the path of the file, or the numbers themselves."""
    from reports.forms.redaction import redacted
    from reports.forms.writing import read_all
    from runners.records.folder import read_folder

    name = _format(arguments.format, arguments.output)
    _check_options(arguments, name)
    folders = read_all(arguments.runs, read_folder)
    _check_names(folders)
    if not arguments.redact:
        content = _content(folders, name, arguments)
    else:
        with redacted(folders) as copies:
            content = _content(copies, name, arguments)
    output = None if str(arguments.output) == "-" else arguments.output
    if output is None:
        _print(content, name)
    else:
        _write(content, output)
        print(os.path.relpath(output))
    return 0


def _format(wanted: str | None, output: Path | None) -> str:
    """Return the format asked for, else the one that the file's name implies."""
    from runners.errors import BadInput

    suffix = output.suffix.removeprefix(".") if output else ""
    if wanted is None and suffix not in FORMATS:
        raise BadInput(f"name a format: --format {'|'.join(FORMATS)}")
    return wanted or suffix


def _check_options(arguments: argparse.Namespace, name: str) -> None:
    """Raise BadInput for an option that the format does nothing with."""
    from runners.errors import BadInput

    if arguments.of and name not in OF_SHEETS:
        raise BadInput(f"--of is for {', '.join(OF_SHEETS)}; {name} holds {FORMATS[name]}")
    if arguments.figure and name != OF_FIGURES:
        raise BadInput(f"--figure is for {OF_FIGURES}; {name} holds {FORMATS[name]}")


def _check_names(folders: Sequence[RunFolder]) -> None:
    """Raise BadInput if two runs have the same name: nothing would tell their records apart."""
    from collections import Counter

    from reports.exports.numbers import name_of
    from runners.errors import BadInput

    (name, times), *_ = Counter(map(name_of, folders)).most_common(1)
    if times > 1:
        raise BadInput(
            f"{times} of the runs are called {name}: rename a folder, so that their records can be told apart"
        )


def _content(folders: Sequence[RunFolder], name: str, arguments: argparse.Namespace) -> Content:
    from reports.exports.numbers import numbers_of
    from reports.forms.writing import calculated

    return calculated(folders, lambda: _rendered(numbers_of(folders), name, arguments))


def _rendered(numbers: Numbers, name: str, arguments: argparse.Namespace) -> Content:
    """Return the numbers in one of the formats, importing no other."""
    if name in OF_SHEETS:
        return _sheet(numbers, name, arguments.of or SHEETS[0])
    if name == "benchstat":
        from reports.exports.benchstat import to_benchstat

        return to_benchstat(numbers)
    if name == "bmf":
        from reports.exports.bencher import to_bmf

        return to_bmf(numbers)
    if name == "github-action-benchmark":
        from reports.exports.github_action import to_github_action

        return to_github_action(numbers, arguments.figure or "requests_per_s")
    from reports.exports.percentiles import to_hgrm

    return to_hgrm(numbers)


def _sheet(numbers: Numbers, name: str, of: str) -> Content:
    sheet = getattr(numbers, of)
    if name == "csv":
        from reports.exports.delimited import to_csv

        return to_csv(sheet)
    if name == "jsonl":
        from reports.exports.lines import to_jsonl

        return to_jsonl(sheet)
    from reports.exports.parquet import to_parquet

    return to_parquet(sheet)


def _print(content: Content, name: str) -> None:
    from runners.errors import BadInput

    if isinstance(content, bytes):
        if sys.stdout.isatty():
            raise BadInput(f"{name} is no text: write it to a file with --output FILE")
        sys.stdout.buffer.write(content)
    elif isinstance(content, str):
        print(content, end="")
    elif len(content) == 1:
        print(*content.values(), end="")
    else:
        _check_some(content)
        raise BadInput(f"{len(content)} cells have a histogram, and {name} holds one: write them with --output FOLDER")


def _write(content: Content, output: Path) -> None:
    from reports.forms.writing import check_place
    from runners.records.files import replace_file

    if isinstance(content, str | bytes):
        check_place(output)
        replace_file(output, content)
        return
    _check_some(content)
    output.mkdir(parents=True, exist_ok=True)
    for name, text in content.items():
        replace_file(output / name, text)


def _check_some(files: Mapping[str, str]) -> None:
    from runners.errors import BadInput

    if not files:
        raise BadInput("no trial that counts has a latency histogram")
