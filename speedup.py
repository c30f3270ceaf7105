"""The command line of http-speedup: is this HTTP server really faster?"""

from __future__ import annotations

import argparse
import difflib
import gc
import json
import os
import re
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from runners import planning, running
from runners.cells import Selection
from runners.errors import BadInput, Interrupted, NothingSelected, SpeedupError
from runners.fleet.session import TOOLS as FLEET_TOOLS
from runners.fleet.session import FleetWishes, parse_address
from runners.folder import REPORT_FILE, RUN_FILE, read_run
from runners.matrix import json_schema
from runners.progress import reporter
from runners.reading import parse_matrix
from runners.records import Run
from runners.tools import TOOL_DATA
from runners.units import parse_duration_s
from runners.version import VERSION

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
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"http-speedup {VERSION}")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
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
    _add_wishes(plan)
    plan.add_argument("--json", action="store_true", help="as JSON")
    plan.set_defaults(action=do_plan)


def _add_run(commands: Any) -> None:
    run = commands.add_parser("run", help="measure, and write the report, again and again as it goes")
    _add_wishes(run)
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
    run.set_defaults(action=do_run)


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
    worker.set_defaults(action=do_worker)


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
    report.set_defaults(action=do_report)


def _add_doctor(commands: Any) -> None:
    doctor = commands.add_parser("doctor", help="show the tools: found where, which version, what is missing")
    doctor.add_argument("--matrix", type=Path, metavar="FILE", help="default: ./matrix.toml, else the packaged one")
    doctor.add_argument("--install", action="store_true", help="bring what is missing, as far as that is allowed")
    doctor.add_argument("--for", dest="purpose", action="append", choices=["server", "load", "tests"], default=[])
    doctor.add_argument("--json", action="store_true", help="as JSON")
    doctor.set_defaults(action=do_doctor)


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
    check.set_defaults(action=do_check)


def _add_selftest(commands: Any) -> None:
    selftest = commands.add_parser("selftest", help="inject faults of known truth, and see whether each is named")
    selftest.add_argument("--only", action="append", default=[], metavar="GLOB", help="only cases like 'port*'")
    selftest.add_argument("--keep", type=Path, metavar="DIR", help="keep the logs of all trials here")
    selftest.add_argument("--json", action="store_true", help="as JSON")
    selftest.set_defaults(action=do_selftest)


def _add_init(commands: Any) -> None:
    init = commands.add_parser("init", help="write a matrix.toml for a server of your own")
    init.add_argument("folder", nargs="?", type=Path, default=Path(), metavar="DIR", help="where; default: here")
    init.add_argument("--name", help="the server's name; default: the folder's")
    init.add_argument("--run", metavar="COMMAND", help="how it is started, like './server --port={port}'")
    init.add_argument("--body", default="Hello World", metavar="TEXT", help="the exact body that it answers")
    init.add_argument("--path", default="/", help="the path that is requested")
    init.set_defaults(action=do_init)


def _add_schema(commands: Any) -> None:
    schema = commands.add_parser("schema", help="print the JSON Schema of matrix.toml")
    schema.set_defaults(action=do_schema)


def _add_wishes(parser: argparse.ArgumentParser) -> None:
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


def _wishes(arguments: argparse.Namespace) -> planning.Wishes:
    return planning.Wishes(
        matrix=arguments.matrix,
        preset=arguments.preset,
        machine=arguments.machine,
        load=arguments.load,
        selection=Selection(tuple(arguments.only), tuple(arguments.skip), tuple(arguments.group)),
        seed=arguments.seed,
        duet=tuple(arguments.duet) if arguments.duet else None,
        budget_s=arguments.budget,
        clients=getattr(arguments, "expect_workers", None) or 0,
    )


def _fleet_wishes(arguments: argparse.Namespace, plan: planning.Plan, run: Run | None = None) -> FleetWishes | None:
    """Return the fleet that is asked for, or that a run to resume was loaded by; None where there is none."""
    if not plan.clients:
        if arguments.bind:
            raise BadInput("--bind is for load from other machines; say how many: --expect-workers N")
        return None
    before = run.fleet if run else None
    if arguments.expect_workers and arguments.expect_workers != plan.clients:
        raise BadInput(f"this run was loaded by {plan.clients} client machines; resume it with as many")
    if arguments.bind is None and before is None:
        raise BadInput("say where the client machines reach this one: --bind ADDRESS")
    address = parse_address(arguments.bind) if arguments.bind else (before.bind, before.port) if before else ("", 0)
    remotes = plan.matrix.client[: plan.clients]
    versions = {name: plan.tools[name].version for name in FLEET_TOOLS}
    tools = {name: version for name, version in versions.items() if version}
    return FleetWishes(
        plan.clients, *address, arguments.token_file, arguments.workers_wait, remotes, tools, plan.locustfile
    )


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


def do_plan(arguments: argparse.Namespace) -> int:
    """List what would be measured."""
    from runners.listing import plan_json, print_plan  # noqa: PLC0415 - not needed by other commands

    plan = planning.make_plan(_wishes(arguments))
    if arguments.json:
        print(json.dumps(plan_json(plan), indent=1))
    else:
        print_plan(plan)
    return 0


def do_run(arguments: argparse.Namespace) -> int:
    """Measure what is asked for, or what a run folder lacks; print the report's path last."""
    talk = reporter()
    with running.alone_on_machine():
        job = _resumed(arguments) if arguments.resume else _new(arguments, talk.say)
        job = replace(job, tune=arguments.tune, skip_gates=arguments.skip_gates)
        talk.say(running.summary(job))
        try:
            trials = running.execute(job, talk, RareReport())
        except Interrupted:
            if (job.folder / RUN_FILE).exists():  # else it was building, or asking: there is nothing to report yet
                write_report(job.folder)
            raise
        report = write_report(job.folder)
    talk.say(running.conclusion(job, trials))
    print(os.path.relpath(report))
    return running.exit_code(job, trials)


def _new(arguments: argparse.Namespace, say: Callable[[str], None]) -> running.Job:
    wishes = _wishes(arguments)
    if arguments.install:
        planning.install_missing(wishes, say)
    plan = planning.make_plan(wishes)
    return running.new_job(plan, arguments.results, arguments.network, _fleet_wishes(arguments, plan))


def _resumed(arguments: argparse.Namespace) -> running.Job:
    """Plan again from what the run folder says, never from what the matrix says today."""
    run = read_run(arguments.resume)
    if run.kind != "measured":
        raise BadInput(f"{arguments.resume} holds published numbers; there is nothing to resume")
    matrix = parse_matrix(run.matrix, str(arguments.resume / "run.json"), TOOL_DATA)
    wishes = planning.resuming(run)
    path = arguments.resume / run.matrix_path
    plan = planning.plan_matrix(matrix, run.matrix, path, wishes)
    return running.resumed_job(plan, arguments.resume, arguments.network, _fleet_wishes(arguments, plan, run))


class RareReport:
    """Writes the report after a block, but so rarely that it takes at most a twentieth of the time."""

    def __init__(self) -> None:
        self.due = time.monotonic()

    def __call__(self, folder: Path) -> None:
        """Write the report if enough time has passed since the last one."""
        began = time.monotonic()
        if began >= self.due:
            write_report(folder)
            self.due = time.monotonic() + 20 * (time.monotonic() - began)


def write_report(folder: Path) -> Path:
    """Write report.html into a run folder, in a process of its own: plotting would make the harness a heavy one."""
    written = subprocess.run(
        [sys.executable, __file__, "report", str(folder)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if written.returncode:
        raise SpeedupError(f"the report could not be written: {written.stderr.strip()}")
    return folder / REPORT_FILE


def do_report(arguments: argparse.Namespace) -> int:
    """Write the report of recorded runs again, or an index of many; print its path."""
    from reports.indexing import write_index  # noqa: PLC0415 - not needed by other commands
    from reports.writing import form_of, render_as, write_as  # noqa: PLC0415

    if arguments.index:
        if arguments.format or arguments.output:
            raise BadInput("--index writes DIR/index.html: leave out --format and --output")
        print(os.path.relpath(write_index(arguments.index, lambda line: print(f"speedup: {line}", file=sys.stderr))))
        return 0
    gc.disable()  # all that is read is needed until the end, so looking for garbage would only take time
    form = form_of(arguments.format, arguments.output)
    if arguments.output == Path("-"):
        print(render_as(arguments.runs, form), end="")
    else:
        print(os.path.relpath(write_as(arguments.runs, form, arguments.output)))
    return 0


def do_doctor(arguments: argparse.Namespace) -> int:
    """Show the tools and the machine."""
    from runners.doctor import doctor_report  # noqa: PLC0415 - not needed by other commands

    tools = planning.tools_of(arguments.matrix)
    return doctor_report(tools, purposes=arguments.purpose, install=arguments.install, as_json=arguments.json)


def do_check(arguments: argparse.Namespace) -> int:
    """Run the honesty gates; 0 only where every server passes all that its class demands."""
    from runners import checking  # noqa: PLC0415 - not needed by other commands

    urls = [word for word in arguments.servers if checking.is_url(word)]
    names = tuple(checking.cell_glob(word) for word in arguments.servers if not checking.is_url(word))
    found = [checking.check_url(url, arguments.class_, arguments.body, remote=arguments.allow_remote) for url in urls]
    if names or arguments.group or not urls:
        wishes = planning.Wishes(arguments.matrix, selection=Selection(names, group=tuple(arguments.group)))
        plan = planning.make_plan(wishes)
        found += checking.check_servers(plan, lambda line: print(line, file=sys.stderr))
    if not found:
        raise NothingSelected("none of these servers can be started here; speedup plan says why")
    if arguments.json:
        print(json.dumps(checking.as_json(found), indent=1))
    else:
        checking.print_tables(found)
    return 1 if any(honesty.failed for honesty in found) else 0


def do_selftest(arguments: argparse.Namespace) -> int:
    """Run the self-test; 0 only where every fault was named and the healthy server was clean."""
    from runners.selftest import session  # noqa: PLC0415 - not needed by other commands

    began = time.monotonic()
    with running.alone_on_machine():
        results = session.run_selftest(arguments.only, arguments.keep, lambda line: print(line, file=sys.stderr))
    seconds = time.monotonic() - began
    if arguments.json:
        print(json.dumps(session.as_json(results, seconds), indent=1))
    else:
        session.print_table(results, seconds)
    return 0 if session.passed(results) else 1


def do_init(arguments: argparse.Namespace) -> int:
    """Write a first matrix.toml, and say what to do next."""
    from runners import starter  # noqa: PLC0415 - not needed by other commands

    name = arguments.name or starter.default_name(arguments.folder)
    wishes = starter.Starter(name, arguments.run, arguments.body, arguments.path)
    for made in starter.write_starter(arguments.folder, wishes):
        print(os.path.relpath(made))
    first = f"fill in how '{name}' is started in {starter.MATRIX}" if arguments.run is None else "look at it"
    print(f"next: {first}, then in that folder: speedup plan, speedup run", file=sys.stderr)
    return 0


def do_worker(arguments: argparse.Namespace) -> int:
    """Be a client machine of a fleet until ended."""
    from runners.fleet import joining  # noqa: PLC0415 - not needed by other commands

    host, port = parse_address(arguments.master)
    wishes = joining.WorkerWishes(
        host, port, arguments.token_file, arguments.name, tuple(arguments.target), arguments.install,
        arguments.locustfile,
    )  # fmt: skip
    joining.work(wishes, lambda line: print(line, file=sys.stderr, flush=True))
    return 0


def do_schema(_arguments: argparse.Namespace) -> int:
    """Print the schema that editors use."""
    print(json_schema(), end="")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; every error is shown once, here."""
    arguments = build_parser().parse_args(argv)
    try:
        code = int(arguments.action(arguments))
        sys.stdout.flush()  # here, where a reader that is gone is no error
    except SpeedupError as error:
        return _show(error, error.exit_code, debug=arguments.debug)
    except KeyboardInterrupt as error:
        return _show(error, Interrupted.exit_code, debug=arguments.debug)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _show(error: BaseException, code: int, *, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
    print(f"speedup: {str(error) or 'interrupted'}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
