"""Builds a checkout: by a command, or as the matrix in it says."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import tomli

from runners.errors import BadInput
from runners.matrix.cells import Program, expand, programs, variant_name
from runners.matrix.model import MODES, Mode
from runners.matrix.reading import read_matrix, read_requests
from runners.matrix.starter.comparison import Described, tables_of
from runners.matrix.starter.learned import Launch, Learned
from runners.matrix.starter.writing import Row, unlearned
from runners.server import builds
from runners.server.learning.command import read_command
from runners.server.revisions.checkouts import Repository, Revision
from runners.server.revisions.sameness import Built, same_program
from runners.system.machine import choose_profile, machine_facts
from runners.tools.find import TOOL_DATA, find_tools, this_host
from speedup.comparing.endings import DoesNotStart
from speedup.messages import log

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from runners.matrix.model import Matrix

TAIL_LINES = 15
OUT = "{out}"
WRITTEN = "./.speedup-out"  # what {out} stands for in a checkout


@dataclass(frozen=True)
class Recipe:
    """How each checkout is built and started: by commands in `prefix`, or by the matrix there, as `only` says."""

    prefix: str
    build: Launch | None = None
    run: Launch | None = None
    matrix: Path | None = None
    only: str | None = None


@dataclass(frozen=True)
class Side:
    """A checkout that is built: how it starts, what it is made of, and what the matrix says to ask it.

    `path` is what is asked if nothing is `described`; `modes` are those of the matrix. `known` is what is known of a
    server that need not be asked.
    """

    row: Row
    built: Built
    path: str | None = None
    modes: tuple[Mode, ...] = MODES
    described: Described | None = None
    known: Learned | None = None


def recipe_of(arguments: argparse.Namespace, repository: Repository) -> Recipe:
    """Return how to build and start the checkouts; BadInput if that is not said."""
    if arguments.run is not None:
        if arguments.matrix or arguments.only:
            raise BadInput("give --run COMMAND, or a matrix with --only NAME, not both")
        build = read_command(arguments.build, "--build") if arguments.build else None
        run = read_command(arguments.run, "--run")
        if _has_output(run) and not (build and _has_output(build)):
            raise BadInput(
                "{out} in --run is what --build writes: name it there, too, as in --build 'go build -o {out} .'"
            )
        return Recipe(repository.prefix, build and _writing_there(build), _writing_there(run))
    if arguments.build:
        raise BadInput("--build needs --run: the command that starts what it built, such as --run './server'")
    file = (arguments.matrix or Path("matrix.toml")).resolve()
    if not file.is_file():
        raise BadInput(
            f"there is no {file.name} here; say how to build and start the server:"
            " --build 'make' --run './server --port={port}'"
        )
    if not file.is_relative_to(repository.top.resolve()):
        raise BadInput(f"{file} lies outside the repository, so no revision holds it; name one inside")
    return Recipe(repository.prefix, matrix=file.relative_to(repository.top.resolve()), only=arguments.only)


def _has_output(launch: Launch) -> bool:
    return any(OUT in word for word in launch.run)


def _writing_there(launch: Launch) -> Launch:
    """Return a command with the place of the built program, as a matrix has it, filled in."""
    return replace(launch, run=tuple(word.replace(OUT, WRITTEN) for word in launch.run))


def build_side(recipe: Recipe, revision: Revision, checkout: Path, log_file: Path) -> Side:
    """Build a checkout; DoesNotStart, with the last lines of the build, if that fails."""
    tracked = _tracked(checkout)
    if recipe.matrix is not None:
        return _by_matrix(recipe, revision, checkout, tracked, log_file.parent)
    folder = checkout / recipe.prefix
    if recipe.run is None or not folder.is_dir():
        raise DoesNotStart(f"{revision.name} has no folder {recipe.prefix}")
    if recipe.build is not None:
        log.info(f"building {revision.name}")
        problem = builds.run_build(recipe.build.run, folder, {**os.environ, **recipe.build.env}, log_file)
        if problem:
            raise DoesNotStart(_failed(revision, problem, log_file.read_text("utf-8", "replace")))
    program = folder / recipe.run.run[0] if "/" in recipe.run.run[0] else None
    return Side(Row("", revision.name, recipe.run, dir=str(folder)), Built(checkout, tracked, program))


def _failed(revision: Revision, problem: str, output: str) -> str:
    lines = output.splitlines()[-TAIL_LINES:]
    tail = "".join(f"\n  {line}" for line in lines)
    return f"{revision.name} does not build: {problem}{'; its last lines:' if tail else ''}{tail}"


def _tracked(checkout: Path) -> frozenset[str]:
    done = subprocess.run(
        ["git", "-C", str(checkout), "ls-files", "-z", "--recurse-submodules"], capture_output=True, check=False
    )
    return frozenset(os.fsdecode(done.stdout).split("\0"))


def _by_matrix(recipe: Recipe, revision: Revision, checkout: Path, tracked: frozenset[str], place: Path) -> Side:
    file = checkout / (recipe.matrix or "matrix.toml")
    if not file.is_file():
        raise DoesNotStart(f"{revision.name} has no {recipe.matrix}; name one with --matrix, or use --build and --run")
    try:
        matrix, text = read_matrix(file, TOOL_DATA)
    except BadInput as error:
        raise DoesNotStart(str(error).replace(f"{checkout}/", f"{revision.name}:")) from error
    program = _chosen(matrix, recipe.only, revision)
    host = this_host()
    tools = find_tools(matrix.tool, program.needs, host)
    for name in program.needs:
        if not tools[name].found:
            raise DoesNotStart(f"{program.name} of {revision.name} needs a tool: {tools[name].fault}")
    folder = place / f"build-of-{checkout.name}"
    context = builds.build_context(file.parent, host, tools, folder, matrix.limits)
    context = replace(context, cache=place / f"out-{checkout.name}")
    output = builds.program_path(program, context) if program.build else None
    if program.build:
        log.info(f"building {program.name} of {revision.name}")
        info = builds.build_all([program], context, lambda _: None)[program.name]
        if info.status == "failed":
            raise DoesNotStart(_failed(revision, f"{program.name} failed", info.output_tail))
    row = Row("", revision.name, _launch(program, output), dir=str(file.parent / program.dir), config=program.config)
    known = None
    if program.config is not None:  # only a trial can start it, so the matrix is believed
        known = unlearned(matrix.suite.path, matrix.suite.body)
    built = Built(checkout, tracked, _runs(program, output), _made_in(output))
    places = _places(matrix, program)
    if not places:
        raise BadInput(
            f"the matrix of {revision.name} measures {program.name} in no mode: its rules exclude every cell"
        )
    asked = read_requests(matrix, file.parent)
    modes = tuple(dict.fromkeys(mode for mode, _ in places))
    names = matrix.suite.requests or tuple(matrix.mix) or tuple(matrix.request)
    described = Described(names, asked, places, tables_of(tomli.loads(text), file.parent)) if names else None
    return Side(row, built, matrix.suite.path, modes, described, known)


def _places(matrix: Matrix, program: Program) -> tuple[tuple[Mode, str], ...]:
    """Return in which modes the matrix measures which requests of a program on this machine."""
    machine = choose_profile(matrix.machine, None, machine_facts())
    planned = expand(matrix, machine, matrix.preset[matrix.suite.preset], "wrk")
    cells = [each.cell for each in planned if each.cell.program.name == program.name and each.status == "planned"]
    return tuple(dict.fromkeys((cell.mode, cell.request.name) for cell in cells))


def _runs(program: Program, output: Path | None) -> Path | None:
    """Return the built program, if that is what starts."""
    return output if program.run[0] == OUT else None


def _made_in(output: Path | None) -> tuple[Path, ...]:
    """Return where a program was built and stays, and the link that leads there."""
    return (output.parent.resolve(), output.parent) if output else ()


def _launch(program: Program, output: Path | None) -> Launch:
    """Return how a program of a matrix starts, with the place of what was built."""
    made = str(output) if output else ""
    run = tuple(word.replace(OUT, made) for word in program.run)
    env: Mapping[str, str] = {name: text.replace(OUT, made) for name, text in program.env.items()}
    return Launch(run, env, program.port)


def _chosen(matrix: Matrix, only: str | None, revision: Revision) -> Program:
    """Return the server or variant that is meant; BadInput if that is not clear."""
    known = {variant_name(each.server, each.variant): each for each, _ in programs(matrix) if each.run}
    if only is not None:
        if only not in known:
            raise DoesNotStart(f"{revision.name} has no server '{only}' in its matrix; it has {', '.join(known)}")
        return known[only]
    if len(known) != 1:
        raise BadInput(f"the matrix has {len(known)} servers ({', '.join(list(known)[:6])}); choose one: --only NAME")
    return next(iter(known.values()))


def same(old: Side, new: Side) -> bool:
    """Return whether both sides are the same program, started in the same way."""
    return _start(old) == _start(new) and same_program(old.built, new.built)


def _start(side: Side) -> object:
    """Return how a side starts, whatever path its program has."""
    launch = side.row.launch
    if launch is None:
        return side.row.config
    made = str(side.built.program) if side.built.program else OUT
    env = sorted((name, text.replace(made, OUT)) for name, text in launch.env.items())
    return [word.replace(made, OUT) for word in launch.run], env, launch.port, side.row.config
