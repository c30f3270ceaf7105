"""`speedup report`: writes the report of run folders again, in any form, or an index of many reports."""

from __future__ import annotations

import os

from speedup.arguments import path

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
        choices=("html", "md", "txt", "json"),
        help="a page, Markdown for a pull request, text, or data (default: as FILE's name ends, else html)",
    )
    parser.add_argument(
        "--redact",
        action="store_true",
        help="leave out host names, users, home paths, addresses, ssh targets and the environment's values",
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

    from reports.forms.writing import form_of, read_all, render_as, render_redacted, write_as

    gc.disable()  # all that is read is needed until the end, so looking for garbage would only take time
    form = form_of(arguments.format, arguments.output)
    if str(arguments.output) == "-":
        render = render_redacted if arguments.redact else render_as
        print(render(read_all(arguments.runs), form), end="")
    else:
        print(os.path.relpath(write_as(arguments.runs, form, arguments.output, redact=arguments.redact)))
    return 0


def _index(arguments: argparse.Namespace) -> Path:
    from reports.forms.index import write_index
    from runners.errors import BadInput
    from speedup.messages import log

    if arguments.format or arguments.output or arguments.redact:
        raise BadInput("--index always writes DIR/index.html: leave out --format, --output and --redact")
    return write_index(arguments.index, log.warning)
