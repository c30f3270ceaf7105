"""`speedup compare`: whether a change made a server faster, of commands, revisions or recorded runs; a gate for CI."""

from __future__ import annotations

import argparse
import os

from speedup.arguments import duration, path
from speedup.learning import add_question

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from reports.changes.slowdowns import Bound
    from reports.forms.change import Told

BUDGET_S = 60.0
TRIES = 10
EXAMPLES = """\
examples:
  speedup compare './old --port={port}' './new --port={port}'
  speedup compare --rev main --rev HEAD --build 'make' --run './server --port={port}'
  speedup compare --rev main --only my-server        the matrix's server, against the working tree
  speedup compare './old' './new' --fail-slower 2% --fail-slower p99:10%
  speedup compare './server --port={port}' --prove 2% --mode persistent --budget 20s
  git bisect run speedup compare --rev v1.0 --fail-slower 2% --bisect-codes
  speedup compare results/20260101T120000Z-local     show an answer again
  speedup compare results/A results/B                two runs of different times: weaker, and says so

exit codes: 0 answered; 1 a slowdown beyond a bound of --fail-slower, and nothing else; 2 bad input, or a side that does
            not build or start; 4 the machine is not fit; 130 interrupted
            with --bisect-codes: 125 not resolved, or a side that does not build or start; 128 any other failure
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    parser.add_argument(
        "sides",
        nargs="*",
        metavar="COMMAND|RUN",
        help="two commands that start the old and the new server in this folder, such as './server --port={port}';"
        " run folders of an earlier comparison, to show its answer again; or two run folders of any kind",
    )
    parser.add_argument(
        "--budget", type=duration, metavar="TIME", default=BUDGET_S, help="how much load to spend (default: 60s)"
    )
    _add_revisions(parser)
    _add_gate(parser)
    _add_proof(parser)
    parser.add_argument(
        "--append", type=path, metavar="FILE", help="also append the answer to FILE as a line for speedup history"
    )
    parser.add_argument("--json", action="store_true", help="print JSON (see compare.schema.json)")
    parser.add_argument(
        "--format", choices=("txt", "md"), default="txt", help="a table, or Markdown for a pull request (default: txt)"
    )
    add_measuring(parser)


def add_measuring(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how two servers are asked and measured."""
    parser.add_argument("--mode", choices=("persistent", "non-persistent"), help="measure only this connection mode")
    parser.add_argument(
        "--different-answers", action="store_true", help="compare servers that answer different things all the same"
    )
    parser.add_argument(
        "--results", type=path, default="results", metavar="DIR", help="where run folders go (default: results)"
    )
    parser.add_argument("--install", action="store_true", help="install missing tools first, if permitted")
    parser.add_argument(
        "--network",
        choices=("auto", "namespace", "host"),
        default="auto",
        help="a network namespace for each trial, or the host's network (default: auto, a namespace if permitted)",
    )
    parser.add_argument("--seed", type=int, metavar="N", help="seed of the random order (default: a new one)")
    parser.add_argument(
        "--warmup",
        type=warm_up,
        metavar="TIME",
        default="auto",
        help="load before each measured time (default: auto, until the cost of a request is steady)",
    )
    add_question(parser)


def warm_up(text: str) -> str:
    """Return the length of a warm-up as a matrix has it; ArgumentTypeError says how to write one."""
    if text != "auto":
        duration(text)
    return text


def _add_revisions(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "compare revisions", "each is built in a clean checkout in the cache; this working tree is never touched"
    )
    group.add_argument(
        "--rev",
        action="append",
        default=[],
        metavar="REV",
        help="revision of this repository; twice: old and new, once: against the working tree",
    )
    add_recipe(group)


def add_recipe(group: argparse._ArgumentGroup) -> None:
    """Add the options that say how a checkout is built and started."""
    group.add_argument(
        "--build",
        metavar="COMMAND",
        help="command that builds a checkout, such as 'make'; {out} is where it may write the program",
    )
    group.add_argument(
        "--run", metavar="COMMAND", help="command that starts the server in a checkout, such as './server'"
    )
    group.add_argument(
        "--matrix", type=path, metavar="FILE", help="matrix with the server, in the repository (default: matrix.toml)"
    )
    group.add_argument("--only", metavar="NAME", help="the matrix's server or variant, if it has several")


def _add_gate(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("gate")
    group.add_argument(
        "--fail-slower",
        action="append",
        default=[],
        type=bound,
        metavar="[FIGURE:]SHARE",
        help="exit with 1 if the new server is slower than this for sure: 2%% is CPU per request, others are rate:5%%,"
        " p50:10%%, p99:10%% and memory:5%%",
    )
    group.add_argument(
        "--bisect-codes", action="store_true", help="exit codes for `git bisect run` (see below); needs --fail-slower"
    )


def _add_proof(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("proof", "what a comparison of this budget catches on your own server")
    group.add_argument(
        "--prove",
        metavar="SHARE",
        help="compare one command with itself, and with itself slowed by so much, such as 2%%, and count",
    )
    group.add_argument("--tries", type=_tries, metavar="N", default=TRIES, help="of each (default: 10)")


def _tries(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of tries")
    return int(text)


def bound(text: str) -> Bound:
    """Return a bound of the gate, for argparse."""
    from reports.changes.slowdowns import parse_bound

    try:
        return parse_bound(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text}: {error}") from error


def act(arguments: argparse.Namespace) -> int:
    """Compare, print the answer, and return what the gate says; 1 is a slowdown and nothing else."""
    from speedup.comparing.endings import Ended, failure_code, gate_code
    from speedup.comparing.showing import show

    try:
        if arguments.prove:
            return _prove(arguments)
        told = _told(arguments)
        if arguments.append:
            _append(told, arguments.append)
        show(told, "json" if arguments.json else arguments.format)
    except (KeyboardInterrupt, BrokenPipeError, ModuleNotFoundError):
        raise
    except Exception as error:
        raise Ended(_words(error), failure_code(error, bisecting=arguments.bisect_codes)) from error
    return gate_code(_outcome(told), bisecting=arguments.bisect_codes)


def _words(error: Exception) -> str:
    """Return what to tell of a failure: a fault of ours must not look like a slowdown either."""
    from runners.errors import SpeedupError

    return str(error) if isinstance(error, SpeedupError) else f"unexpected {error!r}; --debug shows where"


def _prove(arguments: argparse.Namespace) -> int:
    """Print how often a slowdown was caught."""
    import json

    from runners.run.alone import alone_on_machine
    from speedup.comparing.proving import data_of, prove

    with alone_on_machine():
        proof = prove(arguments)
    print(json.dumps(data_of(proof), indent=1) if arguments.json else proof.sentence)
    return 0


def _append(told: Told, file: Path) -> None:
    """Append the answer to a history; only what was measured in one comparison belongs there."""
    from pathlib import Path

    from reports.changes.history import entry_of_change
    from runners.errors import BadInput
    from runners.records.folder import read_run
    from speedup.comparing.appending import append
    from speedup.messages import log

    if told.change is None:
        log.info(f"nothing was measured, so nothing is appended to {file}")
    elif told.change.apart:
        raise BadInput("--append is for comparisons; speedup history reads recorded runs from their folder")
    else:
        append(entry_of_change(told.change, read_run(Path(told.runs[0])), told.sentence), file)


def _outcome(told: Told) -> str | None:
    from reports.changes.slowdowns import verdict

    return verdict(told.judged) if told.judged else None


def _told(arguments: argparse.Namespace) -> Told:
    """Return the answer: from run folders, from two revisions, or from two commands."""
    from pathlib import Path

    from runners.records.folder import RUN_FILE
    from runners.run.alone import alone_on_machine

    check(arguments)
    recorded = [Path(text) for text in arguments.sides if (Path(text) / RUN_FILE).exists()]
    if recorded:
        return _recorded(recorded, arguments)
    with alone_on_machine():
        if arguments.rev:
            from speedup.comparing.revisions import compare_revisions

            return compare_revisions(arguments)
        return _of_commands(arguments)


def check(arguments: argparse.Namespace) -> None:
    """Raise BadInput if the arguments do not name two sides, or do not go together."""
    from runners.errors import BadInput

    if arguments.bisect_codes and not arguments.fail_slower:
        raise BadInput("--bisect-codes needs a bound that says what is bad: --fail-slower 2%")
    if arguments.rev and arguments.sides:
        raise BadInput("give two commands, or --rev, not both; with --rev, --run COMMAND starts the server")
    if arguments.rev:
        return
    stray = [name for name in ("build", "run", "matrix", "only") if getattr(arguments, name) is not None]
    if stray:
        raise BadInput(f"--{stray[0]} belongs to --rev REV; two commands need nothing else")
    if len(arguments.sides) != 2 and not _is_run(arguments.sides):
        raise BadInput(
            "name two commands, as in speedup compare './old --port={port}' './new --port={port}',"
            " or a revision: --rev main"
        )


def _is_run(sides: Sequence[str]) -> bool:
    from pathlib import Path

    return len(sides) == 1 and Path(sides[0]).is_dir()


def _of_commands(arguments: argparse.Namespace) -> Told:
    """Start, ask and measure two servers that are named by their commands."""
    from pathlib import Path

    from speedup.comparing.measuring import measure
    from speedup.comparing.sides import commands, labels, learn, rows_for

    launches = commands(arguments.sides, "compare")
    rows = rows_for(labels(launches), launches, (Path(), Path()))
    sides, learned = learn(rows, arguments)
    return answered([measure(sides, learned, arguments, arguments.budget)], arguments)


def _recorded(folders: Sequence[Path], arguments: argparse.Namespace) -> Told:
    """Return the answer that run folders hold: those of one comparison, or two runs of different times."""
    from reports.changes.change import is_comparison
    from runners.errors import BadInput
    from runners.records.folder import read_run

    if len(folders) < len(arguments.sides):
        raise BadInput("give two commands, or run folders, not both")
    if len(folders) == 2 and not any(is_comparison(read_run(folder)) for folder in folders):
        from speedup.comparing.recorded import compare_runs

        return compare_runs(folders[0], folders[1], arguments)
    return answered(folders, arguments)


def answered(folders: Sequence[Path], arguments: argparse.Namespace, notes: tuple[str, ...] = ()) -> Told:
    """Return the answer that has been measured."""
    from reports.changes.change import change_of
    from reports.changes.slowdowns import judged
    from reports.forms.change import Told
    from runners.records.folder import REPORT_FILE, read_folder

    measured = [read_folder(folder) for folder in folders]
    change = change_of(measured)
    notes = (*notes, *dict.fromkeys(note for each in measured for note in each.run.notes))
    runs = tuple(os.path.relpath(folder) for folder in folders)
    bounds = tuple(dict.fromkeys(arguments.fail_slower))
    report = os.path.relpath(folders[-1] / REPORT_FILE)
    return Told(change.old, change.new, change, judged(change, bounds), notes, runs, report)
