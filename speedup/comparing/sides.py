"""The two sides of a comparison: learned from their start commands, and asked alike if they answer the same."""

from __future__ import annotations

from speedup.learning import answer, expected, wanted_of, where

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import TypeVar

    from runners.matrix.requests.request import Request
    from runners.matrix.starter.learned import Launch, Learned
    from runners.matrix.starter.writing import Row
    from runners.server.learning.learner import Wanted

    T = TypeVar("T")


def commands(texts: Sequence[str], option: str) -> tuple[Launch, Launch]:
    """Return how an old and a new server start."""
    from runners.server.learning.command import read_command

    old, new = (read_command(text, option) for text in texts)
    return old, new


def labels(launches: Sequence[Launch]) -> tuple[str, str]:
    """Return what to call both sides: their programs' names, or "old" and "new" if those are alike."""
    from runners.matrix.starter.comparison import NEW, OLD
    from runners.server.learning.command import names_of

    old, new = (names_of([launch])[0] for launch in launches)
    return (OLD, NEW) if old == new else (old, new)


def learn(rows: Sequence[Row], arguments: argparse.Namespace) -> tuple[tuple[Row, Row], Learned]:
    """Start both sides once; return how they start, and what they have in common. DoesNotStart or BadInput if not."""
    from dataclasses import replace

    from runners.matrix.starter.learned import together
    from speedup.messages import log

    wanted, found = wanted_of(arguments), []
    for row in rows:
        launch, learned = _learned(row, wanted)
        log.info(f"{row.title} {where(launch, learned)}; {answer(learned)}")
        found.append((replace(row, launch=launch), learned))
    (old, first), (new, second) = found
    check_same(old.title, first, new.title, second, agreed=arguments.different_answers)
    shared = _kept(together([first, second]), arguments.mode, (old.title, first), (new.title, second))
    log.info(expected(shared))
    return (old, new), shared


def hear(
    rows: Sequence[Row], requests: Sequence[Request], arguments: argparse.Namespace
) -> tuple[tuple[Row, Row], Learned]:
    """Do the same with requests of a matrix, which says what each answer must be; both must answer them alike."""
    from dataclasses import replace

    from runners.matrix.starter.learned import together
    from runners.server.learning.learner import learn_requests
    from runners.units import plural
    from speedup.messages import log

    timeout_s, found = wanted_of(arguments).timeout_s, []
    for row in rows:
        launch, heard = _started(row, lambda launch, folder: learn_requests(launch, folder, requests, timeout_s))
        log.info(f"{row.title} {where(launch, heard[0])}; right answers to {plural(len(requests), 'request')}")
        found.append((replace(row, launch=launch), heard))
    (old, first), (new, second) = found
    for one, other in zip(first, second, strict=True):
        check_same(old.title, one, new.title, other, agreed=arguments.different_answers)
    sides = ((old.title, together(first)), (new.title, together(second)))
    return (old, new), _kept(together([*first, *second]), arguments.mode, *sides)


def _learned(row: Row, wanted: Wanted) -> tuple[Launch, Learned]:
    from runners.server.learning.learner import learn_command

    return _started(row, lambda launch, folder: learn_command(launch, folder, wanted))


def _started(row: Row, ask: Callable[[Launch, Path], T]) -> T:
    """Return what a side that is started answers; DoesNotStart, with its name, if it does not do so."""
    from pathlib import Path

    from runners.errors import BadInput
    from speedup.comparing.endings import DoesNotStart

    if row.launch is None:
        raise BadInput(f"{row.title} has no start command")
    try:
        return ask(row.launch, Path(row.dir))
    except BadInput as error:
        raise DoesNotStart(f"{row.title}: {error}") from error


def check_same(old: str, first: Learned, new: str, second: Learned, *, agreed: bool) -> None:
    """Raise BadInput, with both answers, if two servers answer different things, unless that was agreed to."""
    from runners.errors import BadInput

    both = f"\n  {old}: {answer(first)}\n  {new}: {answer(second)}\n"
    if first.status != second.status:
        raise BadInput(f"the two answer with different statuses, so they cannot be asked alike:{both}name --status N")
    if agreed or answers_alike(first, second):
        return
    raise BadInput(
        f"the two answer different things, so their numbers would compare different work:{both}"
        "if that is meant, add --different-answers"
    )


def answers_alike(one: Learned, other: Learned) -> bool:
    """Return whether what each answers is what the other's answers have in common."""
    pairs = ((one, other), (other, one))
    return all(mine.expect.fault(its.status, body) is None for mine, its in pairs for body in its.bodies)


def _kept(shared: Learned, wanted: str | None, *sides: tuple[str, Learned]) -> Learned:
    """Return what is shared, in the mode that is wanted if one is; BadInput if the two share none."""
    from dataclasses import replace

    from runners.errors import BadInput

    modes = tuple(mode for mode in shared.modes if wanted in (None, mode))
    if not modes:
        told = ", ".join(f"{name} keeps {' and '.join(learned.modes)}" for name, learned in sides)
        raise BadInput(f"no {wanted or 'connection'} mode in common ({told})")
    return replace(shared, modes=modes)


def rows_for(names: Sequence[str], launches: Sequence[Launch], folders: Sequence[Path]) -> tuple[Row, Row]:
    """Return the servers of the matrix, before they were started."""
    from runners.matrix.starter.comparison import NEW, OLD
    from runners.matrix.starter.writing import Row

    old, new = (
        Row(side, name, launch, dir=str(folder))
        for side, name, launch, folder in zip((OLD, NEW), names, launches, folders, strict=True)
    )
    return old, new
