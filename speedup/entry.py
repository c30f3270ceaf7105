"""The command line of http-speedup: is this HTTP server really faster?"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import os
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from runners import resources
from runners.errors import BadInput, Interrupted, NothingSelected, RunStopped, SpeedupError
from runners.loads.fleet.master.session import TOOLS as FLEET_TOOLS
from runners.loads.fleet.master.session import FleetOptions, parse_address
from runners.matrix.cells import Selection
from runners.matrix.reading import parse_matrix
from runners.matrix.schema import json_schema
from runners.plan import planning
from runners.records.folder import REPORT_FILE, RUN_FILE, read_run
from runners.records.run import Run
from runners.records.trial import Trial
from runners.run import running
from runners.run.alone import alone_on_machine
from runners.run.job import Job, exit_code, new_job, resumed_job
from runners.tools.find import TOOL_DATA
from runners.units import format_duration
from speedup.measure.plan import what
from speedup.parser import build_parser
from speedup.progress import reporter


def _options(arguments: argparse.Namespace) -> planning.Options:
    return planning.Options(
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


def _fleet_options(arguments: argparse.Namespace, plan: planning.Plan, run: Run | None = None) -> FleetOptions | None:
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
    return FleetOptions(
        plan.clients, *address, arguments.token_file, arguments.workers_wait, remotes, tools, plan.locustfile
    )


def do_plan(arguments: argparse.Namespace) -> int:
    """List what would be measured."""
    from speedup.measure.plan import plan_json, print_plan  # noqa: PLC0415 - not needed by other commands

    plan = planning.make_plan(_options(arguments))
    if arguments.json:
        print(json.dumps(plan_json(plan), indent=1))
    else:
        print_plan(plan)
    return 0


def do_run(arguments: argparse.Namespace) -> int:
    """Measure what is asked for, or what a run folder lacks; print the report's path last."""
    talk = reporter()
    logging.basicConfig(format="%(message)s", level=logging.INFO, handlers=[_Telling(talk.say)])
    with alone_on_machine():
        job = _resumed(arguments) if arguments.resume else _new(arguments, talk.say)
        job = replace(job, tune=arguments.tune, skip_gates=arguments.skip_gates)
        talk.say(summary(job))
        try:
            trials = running.execute(job, talk, RareReport())
        except RunStopped:
            if (job.folder / RUN_FILE).exists():  # else it was building, or asking: there is nothing to report yet
                write_report(job.folder)
            raise
        report = write_report(job.folder)
    talk.say(conclusion(job, trials))
    print(os.path.relpath(report))
    return exit_code(job, trials)


def summary(job: Job) -> str:
    """Return in a line what is about to be measured."""
    plan = job.plan
    return (
        f"{plan.matrix.suite.title}: {what(plan)} on machine '{plan.machine}'"
        f" with {plan.load}, preset '{plan.preset_name}': about {format_duration(plan.estimated_s)} and the builds;"
        f" run folder {os.path.relpath(job.folder)}"
    )


def conclusion(job: Job, trials: Sequence[Trial]) -> str:
    """Return in a line what became of the trials and cells."""
    counts = Counter(trial.verdict for trial in trials)
    parts = [f"{counts[verdict]} {verdict}" for verdict in ("ok", "invalid", "failed") if counts[verdict]]
    unavailable = [item for item in job.plan.cells if item.status == "unavailable"]
    missing = sorted({item.cell.program.name for item in unavailable if item.lacks})
    lacking = f"; unavailable for want of a tool: {', '.join(missing)}" if missing else ""
    return f"{len(trials)} trials: {', '.join(parts) or 'none'}{lacking}"


def _new(arguments: argparse.Namespace, say: Callable[[str], None]) -> Job:
    options = _options(arguments)
    if arguments.install:
        planning.install_missing(options, say)
    plan = planning.make_plan(options)
    return new_job(plan, arguments.results, arguments.network, _fleet_options(arguments, plan))


def _resumed(arguments: argparse.Namespace) -> Job:
    """Plan again from what the run folder says, never from what the matrix says today."""
    run = read_run(arguments.resume)
    if run.kind != "measured":
        raise BadInput(f"{arguments.resume} holds published numbers; there is nothing to resume")
    matrix = parse_matrix(run.matrix, str(arguments.resume / "run.json"), TOOL_DATA)
    options = planning.resuming(run)
    path = arguments.resume / run.matrix_path
    plan = planning.plan_matrix(matrix, run.matrix, path, options)
    return resumed_job(plan, arguments.resume, arguments.network, _fleet_options(arguments, plan, run))


class _Telling(logging.Handler):
    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__()
        self.say = say

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record above the bar."""
        self.say(record.getMessage())


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
        [sys.executable, "-m", "speedup", "report", str(folder.resolve())],
        cwd=resources.code(),
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
    from reports.forms.index import write_index  # noqa: PLC0415 - not needed by other commands
    from reports.forms.writing import form_of, render_as, write_as  # noqa: PLC0415

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
    from speedup.tools.doctor import doctor_report  # noqa: PLC0415 - not needed by other commands

    tools = planning.tools_of(arguments.matrix)
    return doctor_report(tools, purposes=arguments.purpose, install=arguments.install, as_json=arguments.json)


def do_check(arguments: argparse.Namespace) -> int:
    """Run the honesty gates; 0 only where every server passes all that its class demands."""
    from speedup.measure import check  # noqa: PLC0415 - not needed by other commands

    urls = [word for word in arguments.servers if check.is_url(word)]
    names = tuple(check.cell_glob(word) for word in arguments.servers if not check.is_url(word))
    found = [check.check_url(url, arguments.class_, arguments.body, remote=arguments.allow_remote) for url in urls]
    if names or arguments.group or not urls:
        options = planning.Options(arguments.matrix, selection=Selection(names, group=tuple(arguments.group)))
        plan = planning.make_plan(options)
        found += check.check_servers(plan, lambda line: print(line, file=sys.stderr))
    if not found:
        raise NothingSelected("none of these servers can be started here; speedup plan says why")
    if arguments.json:
        print(json.dumps(check.as_json(found), indent=1))
    else:
        check.print_tables(found)
    return 1 if any(honesty.failed for honesty in found) else 0


def do_selftest(arguments: argparse.Namespace) -> int:
    """Run the self-test; 0 only where every fault was named and the healthy server was clean."""
    from runners.selftest import session  # noqa: PLC0415 - not needed by other commands

    began = time.monotonic()
    with alone_on_machine():
        results = session.run_selftest(arguments.only, arguments.keep, lambda line: print(line, file=sys.stderr))
    seconds = time.monotonic() - began
    if arguments.json:
        print(json.dumps(session.as_json(results, seconds), indent=1))
    else:
        session.print_table(results, seconds)
    return 0 if session.passed(results) else 1


def do_init(arguments: argparse.Namespace) -> int:
    """Write a first matrix.toml, and say what to do next."""
    from runners.matrix import starter  # noqa: PLC0415 - not needed by other commands

    name = arguments.name or starter.default_name(arguments.folder)
    options = starter.Starter(name, arguments.run, arguments.body, arguments.path)
    for made in starter.write_starter(arguments.folder, options):
        print(os.path.relpath(made))
    first = f"fill in how '{name}' is started in {starter.MATRIX}" if arguments.run is None else "look at it"
    print(f"next: {first}, then in that folder: speedup plan, speedup run", file=sys.stderr)
    return 0


def do_worker(arguments: argparse.Namespace) -> int:
    """Be a client machine of a fleet until ended."""
    from runners.loads.fleet.worker import joining  # noqa: PLC0415 - not needed by other commands

    host, port = parse_address(arguments.master)
    options = joining.WorkerOptions(
        host, port, arguments.token_file, arguments.name, tuple(arguments.target), arguments.install,
        arguments.locustfile,
    )  # fmt: skip
    joining.work(options, lambda line: print(line, file=sys.stderr, flush=True))
    return 0


def do_schema(_arguments: argparse.Namespace) -> int:
    """Print the schema that editors use."""
    print(json_schema(), end="")
    return 0


ACTIONS: dict[str, Callable[[argparse.Namespace], int]] = {
    "plan": do_plan,
    "run": do_run,
    "report": do_report,
    "doctor": do_doctor,
    "check": do_check,
    "selftest": do_selftest,
    "worker": do_worker,
    "init": do_init,
    "schema": do_schema,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; every error is shown once, here."""
    arguments = build_parser().parse_args(argv)
    try:
        code = ACTIONS[arguments.command](arguments)
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
