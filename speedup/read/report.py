"""`speedup report`: writes the report of run folders again, in any form, or an index of many reports."""

from __future__ import annotations

import os

from speedup.arguments import address, path

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    wanted = parser.add_mutually_exclusive_group(required=True)
    wanted.add_argument(
        "runs",
        nargs="*",
        type=path,
        default=[],
        metavar="RUN",
        help="run folders; the report goes into the first",
    )
    wanted.add_argument(
        "--index", type=path, metavar="DIR", help="write DIR/index.html, which lists all reports below DIR"
    )
    parser.add_argument(
        "--format",
        choices=("html", "md", "txt", "json", "svg", "png"),
        help="a page, Markdown for a pull request, text, data, or one table as a picture (default: as FILE's name ends,"
        " else html)",
    )
    parser.add_argument(
        "--table",
        metavar="NAME",
        default="",
        help="the table of a picture or a badge, by its title (default: the first with an answer)",
    )
    parser.add_argument("--dark", action="store_true", help="a picture with light words on dark paper")
    parser.add_argument(
        "--badge",
        type=path,
        metavar="FILE",
        help="instead of a report, write a badge for shields.io's endpoint; only of a row whose verdict is resolved",
    )
    parser.add_argument("--row", metavar="NAME", default="", help="the badge's row (default: the best of its table)")
    parser.add_argument(
        "--url",
        type=address,
        help="where the page will stand, for links to it; writes a picture beside it for those who show one",
    )
    parser.add_argument(
        "--redact",
        action="store_true",
        help="leave out host names, users, home paths, addresses, ssh targets and the environment's values: use it for"
        " everything that you publish",
    )
    parser.add_argument(
        "--output", type=path, metavar="FILE", help="where to write it, or - to print it (default: in the first RUN)"
    )


def act(arguments: argparse.Namespace) -> int:
    """Write the report, or the index; print its path."""
    if arguments.index:
        print(os.path.relpath(_index(arguments)))
        return 0
    import gc

    from reports.forms.writing import Wanted, content_of, form_of, read_all, write_as

    gc.disable()  # all that is read is needed until the end, so looking for garbage would only take time
    form = "badge" if arguments.badge else form_of(arguments.format, arguments.output)
    wanted = Wanted(arguments.table, arguments.row, arguments.dark, arguments.url or "")
    _check_options(arguments, form)
    if str(arguments.output) == "-":
        _print(content_of(read_all(arguments.runs), form, wanted, redact=arguments.redact))
    else:
        file = write_as(
            arguments.runs, form, arguments.badge or arguments.output, redact=arguments.redact, wanted=wanted
        )
        print(os.path.relpath(file))
    return 0


def _print(content: str | bytes) -> None:
    import sys

    sys.stdout.flush()
    sys.stdout.buffer.write(content if isinstance(content, bytes) else content.encode("utf-8", "replace"))
    sys.stdout.flush()


def _check_options(arguments: argparse.Namespace, form: str) -> None:
    """Raise BadInput for options that this form does not know."""
    from runners.errors import BadInput

    if arguments.badge and (arguments.format or arguments.output or arguments.dark or arguments.url):
        raise BadInput("--badge writes nothing but FILE: leave out --format, --output, --dark and --url")
    if arguments.dark and form not in ("svg", "png"):
        raise BadInput("--dark is for pictures: add --format svg or --format png")
    if arguments.table and form not in ("svg", "png", "badge"):
        raise BadInput("--table is for pictures and badges: add --format svg, --format png or --badge FILE")
    if arguments.row and form != "badge":
        raise BadInput("--row is for a badge: add --badge FILE")
    if arguments.url and form != "html":
        raise BadInput("--url is for a page: leave out --url, or --format")


def _index(arguments: argparse.Namespace) -> Path:
    from reports.forms.index import write_index
    from runners.errors import BadInput
    from speedup.messages import log

    others = (arguments.format, arguments.output, arguments.redact, arguments.badge, arguments.url, arguments.table)
    if any((*others, arguments.dark, arguments.row)):
        raise BadInput(
            "--index always writes DIR/index.html: leave out --format, --output and --redact, and what one report takes"
        )
    return write_index(arguments.index, log.warning)
