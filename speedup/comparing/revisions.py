"""Two revisions of a repository: checked out, built and compared; what differs is built and measured a second time."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from reports.changes.change import change_of
from reports.changes.slowdowns import judged
from reports.forms.change import Told
from runners.errors import BadInput
from runners.matrix.requests.mix import Mix
from runners.matrix.starter.writing import Row
from runners.records.folder import read_folder
from runners.server.revisions.checkouts import (
    Repository,
    Revision,
    check_different,
    check_out,
    find_repository,
    find_revision,
    working_tree,
)
from runners.tools.find import writable_cache
from speedup.comparing.building import Recipe, Side, build_side, recipe_of, same
from speedup.comparing.measuring import measure
from speedup.comparing.sides import hear, learn
from speedup.measure.compare import answered
from speedup.messages import log

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from runners.matrix.requests.request import Request
    from runners.matrix.starter.comparison import Described
    from runners.matrix.starter.learned import Learned

PLACES = ("first", "second-in-a-path-of-another-length")  # layout depends on paths, too
ONCE = "The first build of both resolves no difference, so there was no second one; half of the budget is left."
MOST_ASKED = 20
TWICE = (
    "Measured in two fresh builds of both, in paths of different length; a difference is called only if both show it."
)


@dataclass(frozen=True)
class Pair:
    """Two revisions of a repository, and how to build and start them."""

    repository: Repository
    old: Revision
    new: Revision
    recipe: Recipe


def compare_revisions(arguments: argparse.Namespace) -> Told:
    """Build and measure two revisions; say so if they are the same program."""
    pair = _pair(arguments)
    with workshop() as folder:
        sides = _built(pair, folder / PLACES[0])
        if same(*sides):
            return Told(pair.old.name, pair.new.name, None)
        rows, learned, described = asked(sides, arguments)
        runs = [measure(rows, learned, arguments, arguments.budget / 2, described)]
        if not _differs(runs[0], arguments):
            return answered(runs, arguments, (ONCE,))
        again = _built(pair, folder / PLACES[1])
        rows = moved(rows, again)
        runs.append(measure(rows, learned, arguments, arguments.budget / 2, described))
    return answered(runs, arguments, (TWICE,))


def _pair(arguments: argparse.Namespace) -> Pair:
    if len(arguments.rev) > 2:
        raise BadInput("name one or two revisions: --rev main --rev HEAD")
    repository = find_repository(Path())
    old = find_revision(repository, arguments.rev[0])
    new = find_revision(repository, arguments.rev[1]) if len(arguments.rev) == 2 else working_tree(repository)
    check_different(repository, old, new)
    return Pair(repository, old, new, recipe_of(arguments, repository))


@contextmanager
def workshop() -> Iterator[Path]:
    """Make a folder for the checkouts, without what a killed comparison left; only one runs at a time."""
    folder = writable_cache() / "compare"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _built(pair: Pair, place: Path) -> tuple[Side, Side]:
    """Check out and build both, in paths that are equally long."""
    for revision, name in ((pair.old, "old"), (pair.new, "new")):
        check_out(pair.repository, revision, place / name)
    old, new = (
        build_side(pair.recipe, revision, place / name, place / f"build-{name}.txt")
        for revision, name in ((pair.old, "old"), (pair.new, "new"))
    )
    return old, new


def asked(sides: tuple[Side, Side], arguments: argparse.Namespace) -> tuple[tuple[Row, Row], Learned, Described | None]:
    """Ask both sides what the new one's matrix says, unless --path says otherwise; return what they have in common."""
    old, new = sides
    rows = (replace(old.row, name="old"), replace(new.row, name="new"))
    described = new.described if arguments.path is None else None
    if new.known is not None:
        learned = new.known
    elif described is not None:
        rows, learned = hear(rows, _few(described), arguments)
    else:
        if new.path is not None and arguments.path is None:
            arguments.path = new.path
        rows, learned = learn(rows, arguments)
    modes = tuple(mode for mode in learned.modes if mode in new.modes and arguments.mode in (None, mode))
    if not modes:
        raise BadInput(f"the matrix of {new.row.title} measures only {' and '.join(new.modes)} connections")
    return rows, replace(learned, modes=modes), described and described.within(modes)


def _few(described: Described) -> tuple[Request, ...]:
    """Return the requests to ask before anything is measured; a mix from a file may have hundreds."""
    every = [
        request for asked in described.asked for request in (asked.requests if isinstance(asked, Mix) else (asked,))
    ]
    if len(every) > MOST_ASKED:
        log.info(f"only the first {MOST_ASKED} of {len(every)} requests are asked beforehand, to compare the answers")
    return tuple(every[:MOST_ASKED])


def moved(rows: tuple[Row, Row], sides: tuple[Side, Side]) -> tuple[Row, Row]:
    """Return the rows of another build, started as the first one was found to start."""
    old, new = (_as_before(row, side.row) for row, side in zip(rows, sides, strict=True))
    return old, new


def _as_before(row: Row, again: Row) -> Row:
    if row.launch is None or again.launch is None:
        return replace(row, dir=again.dir)
    launch = replace(row.launch, run=again.launch.run, env={**row.launch.env, **again.launch.env})
    return replace(row, dir=again.dir, launch=launch)


def _differs(run: Path, arguments: argparse.Namespace) -> bool:
    """Return whether the first build shows a difference, or one beyond a bound."""
    change = change_of([read_folder(run)])
    called = any(line.verdict in ("better", "worse") for line in change.lines)
    beyond = any(each.outcome == "slower" for each in judged(change, arguments.fail_slower))
    if called or beyond:
        log.info("something differs: both are built and measured once more, since layout alone can move a server")
    return called or beyond
