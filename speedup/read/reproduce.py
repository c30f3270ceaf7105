"""`speedup reproduce`: measures a published run again, and says of each verdict whether it shows again."""

from __future__ import annotations

import argparse
import os

from speedup.arguments import path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from reports.forms.recipe import Recipe
    from speedup.comparing.reproducing import Again

CONTRADICTED = 1
SCHEMA = "speedup.reproduction/1"
EXAMPLES = """\
examples:
  speedup reproduce report.html                     print every source and command that it would use, and stop
  speedup reproduce report.html --repo . --yes      verify the commit's hashes, build it, measure, and compare

exit codes: 0 no verdict is contradicted; 1 one is; 2 bad input, or the repository does not hold what was measured;
            4 the machine is not fit; 130 interrupted
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    parser.add_argument("source", type=path, metavar="REPORT|RUN", help="report.html of a run, or its folder")
    parser.add_argument("--repo", type=path, metavar="DIR", help="repository that holds the measured commit")
    parser.add_argument("--yes", action="store_true", help="build and run what that commit of --repo holds")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--results", type=path, default="results", metavar="DIR", help="where the run folder goes (default: results)"
    )
    parser.add_argument(
        "--network",
        choices=("auto", "namespace", "host"),
        default="auto",
        help="a network namespace for each trial, or the host's network (default: auto, a namespace if permitted)",
    )


def act(arguments: argparse.Namespace) -> int:
    """Print what would run; with --yes, run it and say what was reproduced."""
    from reports.forms.recipe import read_recipe
    from reports.view.words import clean
    from runners.errors import BadInput
    from speedup.comparing.reproducing import check, would_run

    recipe = read_recipe(arguments.source)
    check(recipe)
    if not arguments.yes:
        print("\n".join(clean(line, keep="") for line in would_run(recipe)))
        print("nothing was run; to do so: --repo DIR --yes")
        return 0
    if arguments.repo is None:
        raise BadInput("--yes needs --repo DIR: only what your own repository holds is ever run")
    found, run = _again(recipe, arguments)
    _show(found, run, arguments)
    return CONTRADICTED if any(each.outcome == "contradicted" for each in found) else 0


def _again(recipe: Recipe, arguments: argparse.Namespace) -> tuple[tuple[Again, ...], Path]:
    from runners.run.alone import alone_on_machine
    from speedup.comparing.reproducing import checkout, compared, measure_again, other_tools, plan_again
    from speedup.messages import log

    with alone_on_machine(), checkout(recipe, arguments.repo) as matrix:
        plan = plan_again(recipe, matrix)
        for line in other_tools(recipe, plan):
            log.warning(line)
        run = measure_again(plan, arguments)
    return compared(recipe, run), run


def _show(found: tuple[Again, ...], run: Path, arguments: argparse.Namespace) -> None:
    import json
    from dataclasses import asdict

    from reports.view.words import clean
    from speedup.comparing.reproducing import sentence

    if arguments.json:
        data = {
            "schema": SCHEMA,
            "sentence": sentence(found),
            "verdicts": [asdict(each) for each in found],
            "run": os.path.relpath(run),
        }
        print(json.dumps(data, indent=1))
        return
    print("\n".join((*(clean(each.text, keep="") for each in found), sentence(found), os.path.relpath(run))))
