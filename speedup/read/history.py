"""`speedup history`: many comparisons and runs over time as one page, or as JSON."""

from __future__ import annotations

import os

from speedup.arguments import path

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path

    from reports.changes.history import Entry
    from reports.forms.history import History

FILE = "speedup-history.jsonl"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument(
        "source",
        metavar="DIR|FILE|BRANCH",
        help="folder with run folders; file that `compare --append` wrote; or branch that holds such a file, as"
        f" BRANCH or BRANCH:FILE (default: {FILE})",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of writing a page")
    parser.add_argument(
        "--output", type=path, default="history.html", metavar="FILE", help="the page (default: history.html)"
    )


def act(arguments: argparse.Namespace) -> int:
    """Write the page and print its path, or print JSON."""
    from reports.forms.history import render_history, render_history_json
    from runners.errors import BadInput
    from runners.records.files import replace_file
    from speedup.messages import log

    found = read(arguments.source)
    for each in found.left_out:
        log.warning(f"{found.source}: {each}: left out")
    if not found.entries:
        raise BadInput(f"{found.source} holds no comparison and no run")
    if arguments.json:
        print(render_history_json(found), end="")
    else:
        replace_file(arguments.output, render_history(found))
        print(os.path.relpath(arguments.output))
    return 0


def read(source: str) -> History:
    """Return the history of a folder, a file or a branch; BadInput if it is none of them."""
    from pathlib import Path

    from reports.forms.history import history, read_lines
    from runners.errors import BadInput

    place = Path(source)
    if place.is_dir():
        left_out: list[str] = []
        entries = tuple(_of_runs(place, left_out))
        return history(source, entries, left_out)
    if place.is_file():
        try:
            return read_lines(source, place.read_text(encoding="utf-8", errors="replace").splitlines())
        except OSError as error:
            raise BadInput(f"cannot read {source}: {error.strerror}") from error
    return read_lines(source, _of_branch(source))


def _of_branch(source: str) -> list[str]:
    from pathlib import Path

    from runners.errors import BadInput
    from runners.server.revisions.checkouts import find_repository, find_revision, run_git

    branch, _, file = source.partition(":")
    repository = find_repository(Path())
    revision = find_revision(repository, branch)
    done = run_git(repository.top, ("cat-file", "blob", f"{revision.commit}:{file or FILE}"))
    if done.returncode:
        raise BadInput(f"{branch} holds no file {file or FILE}; name another one as {branch}:FILE")
    return done.stdout.splitlines()


def _of_runs(place: Path, left_out: list[str]) -> Iterator[Entry]:
    """Yield an entry for each run folder below a folder; what cannot be read is named."""
    from reports.changes.change import change_of, is_comparison
    from reports.changes.change_words import sentences
    from reports.changes.history import entry_of_change, entry_of_run
    from reports.changes.recorded import recorded
    from runners.errors import BadInput
    from runners.records.folder import RUN_FILE, read_folder

    for file in sorted(place.rglob(RUN_FILE)):
        try:
            folder = read_folder(file.parent)
        except BadInput as error:
            left_out.append(str(error))
            continue
        if folder.run.kind != "measured":
            continue
        if is_comparison(folder.run):
            change = change_of([folder])
            yield entry_of_change(change, folder.run, sentences(change))
        else:
            yield entry_of_run(recorded(folder))
