"""Measures a published run again: only what a repository that the user names holds at its commit, hashes verified."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING

from reports.changes.reproduced import DIRECTIONS, Outcome, outcome_of
from reports.forms.recipe import Recipe, Said, recipe_of
from reports.forms.summary import summarize
from reports.view.view import view_run
from runners.errors import BadInput
from runners.file_hash import file_hash
from runners.matrix.cells import Program, Selection, programs, variant_name
from runners.matrix.reading import parse_matrix
from runners.plan import planning
from runners.records.folder import read_folder
from runners.server.revisions.checkouts import check_out, find_repository, find_revision, run_git
from runners.server.sources import read_sources
from runners.tools.find import TOOL_DATA, writable_cache

if TYPE_CHECKING:
    import argparse

    from runners.plan.planning import Plan

DIRTY = "-dirty"
MOST_NAMED = 5


@dataclass(frozen=True)
class Again:
    """A verdict, what it is now, and whether it was reproduced."""

    before: Said
    now: Said | None
    outcome: Outcome

    @property
    def text(self) -> str:
        """Return it in a line, with both intervals."""
        return (
            f"{self.outcome}: {', '.join(filter(None, self.before.place))}: {words(self.before)}; now {words(self.now)}"
        )


def words(said: Said | None) -> str:
    """Return a verdict with its interval."""
    if said is None:
        return "not measured"
    interval = f"{said.low:.3f} to {said.high:.3f}" if said.low is not None and said.high is not None else "no interval"
    return f"{said.verdict or 'no verdict'} ({interval})"


def check(recipe: Recipe) -> None:
    """Raise BadInput if a recipe is of a kind that cannot be measured again."""
    if recipe.kind == "comparison":
        raise BadInput("this is a comparison of two servers: measure it again with speedup compare")
    if recipe.kind == "fleet":
        raise BadInput("this run was loaded from other machines: measure it again with speedup run --expect-workers")
    if not recipe.cells:
        raise BadInput("this run has no cells, so there is nothing to reproduce")


def would_run(recipe: Recipe) -> Iterator[str]:
    """Yield every source and command that a reproduction would use, cleaned of nothing: to be printed only."""
    yield f"commit: {recipe.commit or 'not recorded'}"
    yield f"preset {recipe.preset}, machine {recipe.machine}, load {recipe.load}, seed {recipe.seed}"
    yield from (f"tool: {tool.name} {tool.version or 'of unknown version'}" for tool in recipe.tools)
    for program in _programs(recipe):
        if program.build:
            yield f"build {variant_name(program.server, program.variant)}: {shlex.join(program.build)}"
        env = "".join(f"{name}={shlex.quote(text)} " for name, text in program.env.items())
        yield f"run {variant_name(program.server, program.variant)}: {env}{shlex.join(program.run)}"
    for source in recipe.sources:
        yield from (f"source: {source.dir}/{name} {sha256}" for name, sha256 in source.files.items())
    yield f"cells: {len(recipe.cells)}; verdicts to reproduce: {len(resolved(recipe))}"


def _programs(recipe: Recipe) -> Iterator[Program]:
    """Yield the programs of the cells, as the recorded matrix describes them."""
    matrix = parse_matrix(recipe.matrix, "the recorded matrix", TOOL_DATA, recorded=True)
    named = {slug.partition("/")[0] for slug in recipe.cells}
    yield from (program for program, _ in programs(matrix) if program.name in named)


def resolved(recipe: Recipe) -> tuple[Said, ...]:
    """Return the verdicts that say something."""
    return tuple(said for said in recipe.verdicts if said.verdict in DIRECTIONS)


@contextmanager
def checkout(recipe: Recipe, repository: Path) -> Iterator[Path]:
    """Check out the run's commit of a repository; yield its matrix. BadInput if anything is not what was measured."""
    commit = recipe.commit.removesuffix(DIRTY)
    if not commit:
        raise BadInput("the run does not say which commit it measured, so there is nothing to verify")
    found = find_repository(repository)
    folder = writable_cache() / "reproduce"
    rmtree(folder, ignore_errors=True)
    try:
        check_out(found, find_revision(found, commit), folder)
        file = matrix_file(recipe, folder)
        verify(recipe, file)
        yield file
    finally:
        rmtree(folder, ignore_errors=True)


def matrix_file(recipe: Recipe, folder: Path) -> Path:
    """Return the file of a checkout that is the recorded matrix to the last byte; BadInput if there is none."""
    listed = run_git(folder, ("ls-files", "-z", "*.toml")).stdout
    for name in filter(None, listed.split("\0")):
        file = folder / name
        if not file.is_symlink() and file.read_bytes() == recipe.matrix.encode("utf-8", "surrogateescape"):
            return file
    raise BadInput(f"no file of commit {recipe.commit} is the matrix that was measured; is this the right repository?")


def verify(recipe: Recipe, file: Path) -> None:
    """Raise BadInput if a source or another file of the checkout is not what was measured."""
    wrong = [*_wrong_sources(recipe, file), *_wrong_files(recipe, file.parent)]
    if wrong:
        more = f" and {len(wrong) - MOST_NAMED} more" if len(wrong) > MOST_NAMED else ""
        raise BadInput(
            f"commit {recipe.commit} is not what was measured: {', '.join(wrong[:MOST_NAMED])}{more}; nothing was built"
        )


def _wrong_sources(recipe: Recipe, file: Path) -> Iterator[str]:
    known = {source.dir for source in recipe.sources}
    yield from (f"{folder} (of which no hashes are recorded)" for folder in _folders(recipe) if folder not in known)
    for source in recipe.sources:
        if not (file.parent / source.dir).resolve().is_relative_to(file.parent.resolve()):
            yield f"{source.dir} (which lies outside the matrix's folder)"
            continue
        there = read_sources(file.parent / source.dir, {file})
        wanted = {name: sha256 for name, sha256 in source.files.items() if name not in source.data}
        for name in sorted(wanted.keys() | there.keys()):
            if wanted.get(name) != there.get(name) and name not in source.data:
                yield f"{source.dir}/{name} {_how(name, wanted, there)}"


def _folders(recipe: Recipe) -> dict[str, None]:
    return dict.fromkeys(program.dir for program in _programs(recipe))


def _how(name: str, wanted: dict[str, str], there: dict[str, str]) -> str:
    if name not in there:
        return "is missing"
    return "differs" if name in wanted else "was not there"


def _wrong_files(recipe: Recipe, root: Path) -> Iterator[str]:
    """Yield other files of the checkout that differ; programs of the machine are told as tools."""
    for name, sha256 in recipe.files.items():
        file = root / name
        inside = not Path(name).is_absolute() and file.resolve().is_relative_to(root.resolve())
        if inside and file.is_file() and file_hash(file) != sha256:
            yield f"{name} differs"


def other_tools(recipe: Recipe, plan: Plan) -> Iterator[str]:
    """Yield which tools have other versions here."""
    for tool in recipe.tools:
        here = plan.tools.get(tool.name)
        if here is not None and here.version != tool.version:
            yield f"{tool.name} was {tool.version or 'unknown'} and is {here.version or 'missing'}"


def plan_again(recipe: Recipe, file: Path) -> Plan:
    """Return the plan that measures the same cells again."""
    return planning.make_plan(
        planning.Options(
            matrix=file, preset=recipe.preset, machine=recipe.machine, load=recipe.load,
            selection=Selection(only=recipe.cells), seed=recipe.seed, duet=recipe.duet, budget_s=recipe.budget_s,
        )
    )  # fmt: skip


def measure_again(plan: Plan, arguments: argparse.Namespace) -> Path:
    """Build and measure a plan, and write its report; return the run folder."""
    from runners.run.job import Wishes, new_job
    from runners.run.running import execute
    from speedup.comparing.measuring import report
    from speedup.progress import reporter

    job = new_job(plan, arguments.results, Wishes(arguments.network))
    execute(job, reporter(), lambda _: None)
    report(job.folder)
    return job.folder


def compared(recipe: Recipe, run: Path) -> tuple[Again, ...]:
    """Return each verdict that said something, with what it is now."""
    now = {said.place: said for said in recipe_of(summarize(view_run(read_folder(run)))).verdicts}
    return tuple(again(before, now.get(before.place)) for before in resolved(recipe))


def again(before: Said, now: Said | None) -> Again:
    """Return whether a verdict was reproduced; one of another figure says nothing about it."""
    if now is None or now.figure != before.figure or before.verdict is None:
        return Again(before, now, "not resolved")
    outcome = outcome_of(before.verdict, (before.low, before.high), now.verdict, (now.low, now.high))
    return Again(before, now, outcome)


def sentence(found: tuple[Again, ...]) -> str:
    """Return how many verdicts were reproduced."""
    counts = Counter(each.outcome for each in found)
    return (
        f"Of {len(found)} verdicts, {counts['reproduced']} were reproduced, {counts['contradicted']} contradicted and"
        f" {counts['not resolved']} not resolved."
    )
