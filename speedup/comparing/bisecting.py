"""Finds the first slower commit between two revisions: git says which one is next, duets with the good one judge it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING

from reports.changes.change import Change, change_of
from reports.changes.change_words import difference, signed
from reports.changes.culprit import Aim, Outcome, aim_of, is_look, level_of, line_of, outcome_of, together
from reports.changes.slowdowns import TITLES, slowdown_of
from reports.claims.phrases import cost_difference, inverse
from reports.view.words import clipped
from runners.errors import BadInput, UnfitMachine
from runners.records.folder import read_folder
from runners.server.revisions.bisection import Step, Told, begin, subject, tell
from runners.server.revisions.checkouts import (
    Repository,
    Revision,
    check_different,
    check_out,
    find_repository,
    find_revision,
)
from speedup.comparing.building import Recipe, Side, build_side, recipe_of, same
from speedup.comparing.endings import DoesNotStart
from speedup.comparing.measuring import Enough, Manner, measure
from speedup.comparing.revisions import PLACES, asked, moved, workshop

if TYPE_CHECKING:
    import argparse

    from runners.matrix.starter.comparison import Described
    from runners.matrix.starter.learned import Learned
    from runners.matrix.starter.writing import Row
    from runners.stats.statistics import Estimate

SUBJECT = 72  # characters of a commit's subject
SHORT = 10  # characters of a commit's hash


@dataclass(frozen=True)
class Tried:
    """A commit that was judged: what git was told, why, and its slowdown against the good revision, if measured."""

    commit: str
    subject: str
    told: Told
    why: str
    slowdown: Estimate | None = None
    runs: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Return it in a line."""
        return f"{self.commit[:SHORT]} {self.told}: {self.why} ({self.subject})"


@dataclass(frozen=True)
class Found:
    """What came out: the first slower commit, or who it may be; what was looked for, and every commit that was judged.

    `clause` says by how much the culprit is slower than the good revision.
    """

    good: str
    aim: Aim
    tried: tuple[Tried, ...]
    culprit: Tried | None = None
    suspects: tuple[str, ...] = ()
    clause: str = ""

    @property
    def sentence(self) -> str:
        """Return the answer."""
        if self.culprit:
            name = f'{self.culprit.commit[:SHORT]} "{self.culprit.subject}"'
            return f"{name} is the first slower commit: {self.clause}."
        names = ", ".join(commit[:SHORT] for commit in self.suspects)
        return f"Not resolved: the first slower commit is one of {names}; all but the last could not be judged."


@dataclass(frozen=True)
class Ground:
    """Where commits are built: in two places, each with the good revision beside them."""

    repository: Repository
    recipe: Recipe
    good: Revision
    folder: Path

    def pair(self, revision: Revision, place: int) -> tuple[Side, Side]:
        """Build a revision and, once in each place, the good one, in paths that are equally long."""
        there = self.folder / PLACES[place]
        rmtree(there, ignore_errors=True)
        old, new = (self._built(each, there / name) for each, name in ((self.good, "old"), (revision, "new")))
        return old, new

    def _built(self, revision: Revision, checkout: Path) -> Side:
        check_out(self.repository, revision, checkout)
        return build_side(self.recipe, revision, checkout, checkout.with_name(f"build-{checkout.name}.txt"))


@dataclass(frozen=True)
class Question:
    """How each commit is measured beside the good one: how both start, and what they are asked."""

    rows: tuple[Row, Row]
    learned: Learned
    described: Described | None
    arguments: argparse.Namespace

    def at(self, aim: Aim) -> Question:
        """Return it for the place alone that is looked at."""
        place = aim.place
        described = self.described and replace(self.described, places=tuple(
            each for each in self.described.places if each == (place.mode, place.request)
        ))  # fmt: skip
        modes = tuple(mode for mode in self.learned.modes if mode == place.mode)
        return replace(self, learned=replace(self.learned, modes=modes), described=described)

    def measure(self, sides: tuple[Side, Side], manner: Manner) -> Path:
        """Measure both sides of a build; return the run folder."""
        rows = moved(self.rows, sides)
        return measure(rows, self.learned, self.arguments, self.arguments.budget / 2, self.described, manner)


def bisect(arguments: argparse.Namespace, show: Callable[[str], object]) -> Found:
    """Find the first slower commit; `show` gets a line for each commit. BadInput if the bad one is not slower."""
    repository = find_repository(Path())
    good, bad = (find_revision(repository, name) for name in (arguments.good, arguments.bad))
    check_different(repository, good, bad)
    recipe = recipe_of(arguments, repository)
    with workshop() as folder:
        first = begin(repository, good, bad, folder / "git")
        ground = Ground(repository, recipe, good, folder)
        question, whole, aim, last = _first(ground, bad, arguments)
        show(last.text)
        question = question.at(aim)
        found = hunt(
            first,
            lambda commit: _judge(ground, question, aim, commit),
            lambda told, commit: tell(folder / "git", told, commit),
            show,
        )
    return _found(good, aim, whole, (last, *found[1]), found[0])


def hunt(
    step: Step, judge: Callable[[str], Tried], tell_git: Callable[[Told, str], Step], show: Callable[[str], object]
) -> tuple[Step, tuple[Tried, ...]]:
    """Judge the commits that git asks for, until it knows the first bad one, or that nobody can."""
    tried: list[Tried] = []
    while step.commit is not None:
        tried.append(judge(step.commit))
        show(tried[-1].text)
        step = tell_git(tried[-1].told, step.commit)
    return step, tuple(tried)


def _found(good: Revision, aim: Aim, whole: Change, tried: tuple[Tried, ...], end: Step) -> Found:
    culprit = next((each for each in tried if each.commit == end.culprit), None)
    clause = _clause(good, whole, aim, culprit.slowdown) if culprit and culprit.slowdown else ""
    return Found(good.name, aim, tried, culprit, end.suspects, clause)


def _clause(good: Revision, change: Change, aim: Aim, slowdown: Estimate) -> str:
    """Return by how much the culprit is slower: "it needs 31 % more CPU per request than v1 (98 % CI 29-33 %)"."""
    if aim.figure == "cpu":
        return cost_difference("it", good.name, slowdown)
    line = line_of(change, aim)
    ratio = inverse(slowdown) if line.kind.more_is_better else slowdown
    return f"{difference(replace(line, ratio=ratio))}, compared with {good.name}"


def _first(ground: Ground, bad: Revision, arguments: argparse.Namespace) -> tuple[Question, Change, Aim, Tried]:
    """Measure the bad revision in two builds; return what became slower, and how to measure it. BadInput if nothing."""
    bound = arguments.fail_slower
    figure = bound.figure if bound else "cpu"
    sides = ground.pair(bad, 0)
    if same(*sides):
        raise BadInput(f"{ground.good.name} and {bad.name} both build the same program; there is nothing to find")
    question = Question(*asked(sides, arguments), arguments)
    manner = Manner(duets_only=figure == "cpu", report=False)
    runs = [question.measure(sides, manner)]
    if aim_of(_change(runs), figure, bound):
        runs.append(question.measure(ground.pair(bad, 1), manner))
    change = _change(runs)
    aim = aim_of(change, figure, bound)
    if aim is None:
        raise BadInput(
            f"{bad.name} is not slower than {ground.good.name} for sure in {TITLES[figure]}, so there is nothing to"
            " find; speedup compare shows all figures, --fail-slower p99:10% looks for another one, --budget measures"
            " longer"
        )
    said = clipped(subject(ground.repository, bad.commit), SUBJECT)
    tried = Tried(bad.commit, said, "bad", _words(change, aim, aim.whole), aim.whole, _names(runs))
    return question, change, aim, tried


def _judge(ground: Ground, question: Question, aim: Aim, commit: str) -> Tried:
    """Build and measure a commit; one that cannot be built, started or resolved is skipped."""
    said = clipped(subject(ground.repository, commit), SUBJECT)
    revision = Revision(commit[:SHORT], commit)
    try:
        sides = ground.pair(revision, 0)
        if same(*sides):
            return Tried(commit, said, "good", f"the same program as {ground.good.name}")
        runs = [_until_resolved(question, sides, aim)]
        if _outcome(runs[0], aim) == "slower":
            runs.append(_until_resolved(question, ground.pair(revision, 1), aim))
    except (DoesNotStart, UnfitMachine) as error:
        return Tried(commit, said, "skip", str(error).splitlines()[0])
    change = _change(runs)
    slowdown = slowdown_of(line_of(change, aim), level_of(1))
    verdicts: dict[str, Told] = {"slower": "bad", "within": "good", "not resolved": "skip"}
    told = verdicts[together([_outcome(run, aim) for run in runs])]
    return Tried(commit, said, told, _words(change, aim, slowdown), slowdown, _names(runs))


def _until_resolved(question: Question, sides: tuple[Side, Side], aim: Aim) -> Path:
    def look(folder: Path) -> None:
        line = line_of(_change([folder]), aim)
        if is_look(line.ratio.count if line.ratio else 0) and _outcome(folder, aim) != "not resolved":
            raise Enough

    manner = Manner(duets_only=aim.figure == "cpu", report=False, gates=False, after_block=look)  # the ends passed them
    return question.measure(sides, manner)


def _outcome(run: Path, aim: Aim) -> Outcome:
    return outcome_of(slowdown_of(line_of(_change([run]), aim), level_of(1)), aim.limit)


def _change(runs: Sequence[Path]) -> Change:
    return change_of([read_folder(run) for run in runs])


def _names(runs: Sequence[Path]) -> tuple[str, ...]:
    return tuple(run.name for run in runs)


def _words(change: Change, aim: Aim, slowdown: Estimate | None) -> str:
    """Return a slowdown in words: "CPU per request, slowdown +30.1 %, between +29.0 % and +31.2 %"."""
    title = line_of(change, aim).title
    interval = slowdown.interval if slowdown else None
    if slowdown is None:
        return f"{title} was not measured"
    if interval is None:
        return f"{title}, slowdown {signed(slowdown.value)}, too few blocks"
    return f"{title}, slowdown {signed(slowdown.value)}, between {signed(interval.low)} and {signed(interval.high)}"
