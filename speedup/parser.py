"""What the command line takes: commands, options, help, and a suggestion for a misspelt word."""

from __future__ import annotations

import argparse
import difflib
import re
from pathlib import Path
from typing import Any, NoReturn

from runners.units import parse_duration_s
from runners.version import VERSION

TITLE = "The command line of http-speedup: is this HTTP server really faster?"
EXAMPLES = """\
examples:
  speedup plan                                  what would be measured, and for how long
  speedup run --only 'epoll*' --preset thorough measure a part of it, well enough to publish
  speedup run --resume results/20260101T120000Z-local
  speedup report results/20260101T120000Z-local write the report again
  speedup report results/* --format md --output pr.md  the same for a pull request
  speedup init . --run './server --port={port}' a matrix.toml for a server of your own

exit codes: 0 all measured; 1 some cells failed or invalid; 2 bad input; 3 nothing selected;
            4 the machine is not fit; 130 interrupted
"""


class Parser(argparse.ArgumentParser):
    """An argument parser that suggests what a misspelt word may have meant."""

    def error(self, message: str) -> NoReturn:
        """Print the message with a suggestion and exit with 2."""
        words = [word.partition("=")[0] for word in _misspelt(message)]
        known = sorted(_names(self))
        near = [match for word in words for match in difflib.get_close_matches(word, known, n=1)]
        hint = f" - did you mean {near[0]}?" if near else ""
        self.exit(2, f"{self.prog}: {message}{hint}\n{self.prog}: see {self.prog} --help\n")


def _misspelt(message: str) -> list[str]:
    """Return the words that argparse does not know, from its message."""
    if choice := re.search(r"invalid choice: '([^']*)'", message):
        return [choice[1]]
    _, found, rest = message.partition("unrecognized arguments: ")
    return rest.split() if found else []


def _names(parser: argparse.ArgumentParser) -> set[str]:
    """Return the options and commands of a parser and of its commands."""
    names = {option for action in parser._actions for option in action.option_strings}  # noqa: SLF001 - no other way
    for action in parser._actions:  # noqa: SLF001
        for name, child in action.choices.items() if isinstance(action.choices, dict) else ():
            names |= {name, *_names(child)}
    return names


def build_parser() -> Parser:
    """Return the parser of all subcommands."""
    parser = Parser(
        prog="speedup",
        description=TITLE,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"http-speedup {VERSION}")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    _add_plan(commands)
    _add_run(commands)
    _add_report(commands)
    _add_doctor(commands)
    _add_check(commands)
    _add_selftest(commands)
    _add_worker(commands)
    _add_init(commands)
    _add_schema(commands)
    return parser


def _add_plan(commands: Any) -> None:
    plan = commands.add_parser("plan", help="list the cells, their families, and the time they will take")
    _add_options(plan)
    plan.add_argument("--json", action="store_true", help="as JSON")


def _add_run(commands: Any) -> None:
    run = commands.add_parser("run", help="measure, and write the report, again and again as it goes")
    _add_options(run)
    run.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="where run folders go")
    run.add_argument("--resume", type=Path, metavar="DIR", help="measure only what this run folder still lacks")
    run.add_argument("--install", action="store_true", help="install missing tools first, as far as that is allowed")
    networks = ("auto", "namespace", "host")
    run.add_argument(
        "--network", choices=networks, default="auto", help="a fresh network for each trial, or the host's"
    )
    run.add_argument(
        "--skip-gates", action="store_true", help="do not ask servers whether they are honest; the report says so"
    )
    run.add_argument(
        "--tune", action="store_true", help="steady the CPU's frequency for the run (root); put back after"
    )
    _add_fleet(run)


def _add_fleet(run: argparse.ArgumentParser) -> None:
    fleet = run.add_argument_group("load from other machines", "each of them runs: speedup worker")
    fleet.add_argument("--expect-workers", type=_count, metavar="N", help="how many client machines load the server")
    fleet.add_argument("--bind", metavar="ADDRESS[:PORT]", help="where they reach this machine; default port: 5557")
    fleet.add_argument("--workers-wait", type=_duration, metavar="TIME", default=120.0,
                       help="how long to wait for them; default: 120s")  # fmt: skip
    fleet.add_argument("--token-file", type=Path, metavar="FILE", default=Path("fleet.token"),
                       help="what proves them; made where it is missing; default: fleet.token")  # fmt: skip


def _add_worker(commands: Any) -> None:
    worker = commands.add_parser("worker", help="load a server from this machine, as another one's `run` says")
    worker.add_argument("--master", required=True, metavar="HOST[:PORT]", help="the machine that runs the server")
    worker.add_argument("--token-file", type=Path, metavar="FILE", default=Path("fleet.token"),
                        help="the token that `run` made; default: fleet.token")  # fmt: skip
    worker.add_argument("--name", help="this machine's name in the report; default: its host name")
    worker.add_argument("--target", action="append", default=[], metavar="HOST",
                        help="also load this host; default: only the master's")  # fmt: skip
    worker.add_argument("--locustfile", type=Path, metavar="FILE",
                        help="this machine's copy of the locustfile that the matrix names")  # fmt: skip
    worker.add_argument("--install", action="store_true", help="bring wrk and Locust first, as far as that is allowed")


def _add_report(commands: Any) -> None:
    report = commands.add_parser("report", help="write the report of run folders again, or an index of many reports")
    wanted = report.add_mutually_exclusive_group(required=True)
    wanted.add_argument(
        "runs", nargs="*", type=Path, default=[], metavar="RUN", help="run folders; the report goes into the first"
    )
    wanted.add_argument("--index", type=Path, metavar="DIR", help="write DIR/index.html of all reports below DIR")
    report.add_argument(
        "--format",
        choices=["html", "md", "txt"],
        help="a page, Markdown for a pull request, or text; default: what FILE's name says, else html",
    )
    report.add_argument("--output", type=Path, metavar="FILE", help="where to, - prints it; default: in the first RUN")


def _add_doctor(commands: Any) -> None:
    doctor = commands.add_parser("doctor", help="show the tools: found where, which version, what is missing")
    doctor.add_argument("--matrix", type=Path, metavar="FILE", help="default: ./matrix.toml, else the packaged one")
    doctor.add_argument("--install", action="store_true", help="bring what is missing, as far as that is allowed")
    doctor.add_argument("--for", dest="purpose", action="append", choices=["server", "load", "tests"], default=[])
    doctor.add_argument("--json", action="store_true", help="as JSON")


def _add_check(commands: Any) -> None:
    check = commands.add_parser("check", help="ask servers from outside whether they are honest, before timing them")
    check.add_argument("servers", nargs="*", metavar="SERVER|URL", help="like 'epoll*', or http://127.0.0.1:8080/")
    check.add_argument("--matrix", type=Path, metavar="FILE", help="default: ./matrix.toml, else the packaged one")
    check.add_argument("--group", action="append", default=[], metavar="GLOB", help="servers of these groups")
    check.add_argument("--class", dest="class_", choices=["realistic", "stripped"], default="realistic",
                       help="what a URL's server claims to be")  # fmt: skip
    check.add_argument("--body", default="Hello World", metavar="TEXT", help="the exact body that a URL answers")
    check.add_argument("--allow-remote", action="store_true", help="also ask a URL that is not on this machine")
    check.add_argument("--json", action="store_true", help="as JSON")


def _add_selftest(commands: Any) -> None:
    selftest = commands.add_parser("selftest", help="inject faults of known truth, and see whether each is named")
    selftest.add_argument("--only", action="append", default=[], metavar="GLOB", help="only cases like 'port*'")
    selftest.add_argument("--keep", type=Path, metavar="DIR", help="keep the logs of all trials here")
    selftest.add_argument("--json", action="store_true", help="as JSON")


def _add_init(commands: Any) -> None:
    init = commands.add_parser("init", help="write a matrix.toml for a server of your own")
    init.add_argument("folder", nargs="?", type=Path, default=Path(), metavar="DIR", help="where; default: here")
    init.add_argument("--name", help="the server's name; default: the folder's")
    init.add_argument("--run", metavar="COMMAND", help="how it is started, like './server --port={port}'")
    init.add_argument("--body", default="Hello World", metavar="TEXT", help="the exact body that it answers")
    init.add_argument("--path", default="/", help="the path that is requested")


def _add_schema(commands: Any) -> None:
    commands.add_parser("schema", help="print the JSON Schema of matrix.toml")


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--matrix", type=Path, metavar="FILE", help="default: ./matrix.toml, else the packaged one")
    parser.add_argument("--preset", metavar="NAME", help="how long to measure (quick, thorough, ...)")
    parser.add_argument("--machine", metavar="NAME", help="machine profile, instead of the one that matches")
    parser.add_argument("--load", metavar="KIND", help="load generator: wrk (default where it is), locust")
    parser.add_argument("--only", action="append", default=[], metavar="GLOB", help="only cells like 'epoll*/t2/*'")
    parser.add_argument("--skip", action="append", default=[], metavar="GLOB", help="leave out cells like this")
    parser.add_argument("--group", action="append", default=[], metavar="GLOB", help="only servers of these groups")
    parser.add_argument(
        "--duet", nargs=2, metavar=("A", "B"), help="only this: A and B at the same moment, their CPU cost compared"
    )
    parser.add_argument("--budget", type=_duration, metavar="TIME", help="stop after so much load, like 10m")
    parser.add_argument("--seed", type=int, metavar="N", help="seed of the random order; default: a new one")


def _count(text: str) -> int:
    """Return a number from 1, for argparse."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of machines")
    return int(text)


def _duration(text: str) -> float:
    """Return a duration in seconds, for argparse."""
    try:
        return parse_duration_s(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
