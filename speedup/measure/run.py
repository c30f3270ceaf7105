"""`speedup run`: measures what is asked for, or what a run folder lacks, and keeps the report up to date meanwhile."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from contextlib import contextmanager

from speedup import early
from speedup.arguments import count, duration, path
from speedup.measure.options import add_options, options_of
from speedup.measure.plan import beyond, what, where
from speedup.measure.servers import check_resumable

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from runners.errors import SpeedupError
    from runners.loads.fleet.master.session import FleetOptions
    from runners.plan.planning import Plan
    from runners.records.run import Run
    from runners.records.trial import Trial
    from runners.run.job import Job, Wishes

REPORT_LIMIT_S = 300.0  # the largest report takes a minute; one that hangs must not keep the run waiting for ever
FIRST_REPORT_S = 30.0  # a report takes about 1.5 s; a run that is over sooner has one at its end only


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    add_options(parser)
    parser.add_argument(
        "--results", type=path, default="results", metavar="DIR", help="where run folders go (default: results)"
    )
    parser.add_argument("--resume", type=path, metavar="DIR", help="measure only what this run folder still lacks")
    parser.add_argument("--install", action="store_true", help="install missing tools first, if permitted")
    parser.add_argument(
        "--network",
        choices=("auto", "namespace", "host"),
        help="a network namespace for each trial, or the host's network (default: auto, a namespace if permitted)",
    )
    parser.add_argument(
        "--skip-gates", action="store_true", help="do not check first whether servers are honest; the report says so"
    )
    parser.add_argument(
        "--tune", action="store_true", help="hold the CPU frequency steady during the run (root only), then restore it"
    )
    _add_fleet(parser)


def _add_fleet(parser: argparse.ArgumentParser) -> None:
    fleet = parser.add_argument_group("load from other machines", "run `speedup worker` on each of them")
    fleet.add_argument("--expect-workers", type=count, metavar="N", help="number of machines that load the server")
    fleet.add_argument(
        "--bind", metavar="ADDRESS[:PORT]", help="address of this machine that they connect to (default port: 5557)"
    )
    fleet.add_argument(
        "--workers-wait", type=duration, metavar="TIME", default=120.0, help="how long to wait for them (default: 120s)"
    )
    fleet.add_argument(
        "--token-file",
        type=path,
        metavar="FILE",
        help="secret that admits them, created if it is missing (default: fleet.token in the cache)",
    )


def act(arguments: argparse.Namespace) -> int:
    """Measure what is asked for, or what a run folder lacks; print the report's path last."""
    from contextlib import ExitStack

    from runners.run.alone import alone_in, alone_on_machine

    check_resumable(arguments)
    with alone_on_machine(), ExitStack() as held:
        if arguments.resume:
            held.enter_context(alone_in(arguments.resume))
            held.enter_context(_resumable(arguments.resume))
            job = _resumed(arguments)
        else:
            job = _new(arguments)
            held.enter_context(_resumable(job.folder))
            held.enter_context(alone_in(job.folder))
        return _carry_out(job)


@contextmanager
def _resumable(folder: Path) -> Iterator[None]:
    """Say how to resume if a signal comes, although nothing has been carried out yet."""
    from runners.errors import Interrupted
    from runners.resources import resume_line

    try:
        yield
    except KeyboardInterrupt as error:
        raise Interrupted(f"{str(error) or 'interrupted'}; to resume: {resume_line(folder)}") from error


def _carry_out(job: Job) -> int:
    """Measure, and write the report; whatever ends the run is told in the run folder too, should nobody read stderr."""
    from runners.errors import Interrupted, SpeedupError
    from runners.records.files import remove_partials
    from runners.resources import resume_line
    from speedup.messages import kept_in, log

    remove_partials(job.folder)
    with kept_in(job.folder / "logs") as note:
        try:
            return _measure(job)
        except KeyboardInterrupt as error:
            stopped = Interrupted(f"{str(error) or 'interrupted'}; to resume: {resume_line(job.folder)}")
            note(f"speedup: {stopped}")
            raise stopped from error
        except SpeedupError as error:
            told = _with_resume_line(error, job)
            note(f"speedup: {told}")
            raise told from error
        except OSError as error:
            log.debug("the run ends", exc_info=error)
            raise SpeedupError(f"{_told(error)}; to resume: {resume_line(job.folder)}") from error


def _with_resume_line(error: SpeedupError, job: Job) -> SpeedupError:
    """Return an error that says how to resume, unless it does already or that would be of no use."""
    from runners.errors import BadInput
    from runners.resources import resume_line

    if isinstance(error, BadInput) or "--resume" in str(error):
        return error
    return type(error)(f"{error}; to resume: {resume_line(job.folder)}")


def _told(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)


def _measure(job: Job) -> int:
    from runners.errors import RunStopped
    from runners.records.folder import REPORT_FILE, TRIALS_FILE
    from runners.run.job import exit_code
    from runners.run.running import execute
    from speedup.messages import log
    from speedup.progress import reporter
    from speedup.streams import tell

    log.info(summary(job))
    early.check()
    report = Report()
    try:
        trials = execute(job, reporter(), report)
    except RunStopped:
        if (job.folder / TRIALS_FILE).exists():  # otherwise there is nothing to report yet
            report.write(job.folder)
        raise
    written = report.write(job.folder)
    log.info(conclusion(job, trials))
    if written:
        tell(os.path.relpath(job.folder / REPORT_FILE))
    return exit_code(job, trials) or (0 if written else 1)


def _new(arguments: argparse.Namespace) -> Job:
    from runners.plan import planning
    from runners.run.job import new_job

    options = options_of(arguments)
    if arguments.install:
        planning.install_missing(options)
    plan = planning.make_plan(options)
    return new_job(plan, arguments.results, _wishes(arguments), fleet_options(arguments, plan))


def _wishes(arguments: argparse.Namespace) -> Wishes:
    from runners.run.job import Wishes

    return Wishes(arguments.network, arguments.tune, arguments.skip_gates)


def _resumed(arguments: argparse.Namespace) -> Job:
    """Plan again from what the run folder holds, never from what the matrix holds today."""
    from runners.errors import BadInput
    from runners.matrix.reading import parse_matrix
    from runners.plan import planning
    from runners.records.folder import RUN_FILE, read_run
    from runners.run.job import resumed_job
    from runners.tools.find import TOOL_DATA

    folder: Path = arguments.resume
    run = read_run(folder)
    if run.kind != "measured":
        raise BadInput(f"{folder} holds published numbers, which cannot be resumed")
    matrix = parse_matrix(run.matrix, str(folder / RUN_FILE), TOOL_DATA, recorded=True)
    plan = planning.plan_matrix(matrix, run.matrix, folder / run.matrix_path, planning.resuming(run))
    return resumed_job(plan, folder, _wishes(arguments), fleet_options(arguments, plan, run))


def fleet_options(arguments: argparse.Namespace, plan: Plan, run: Run | None = None) -> FleetOptions | None:
    """Return the fleet that is asked for, or that loaded the run to resume; None without one."""
    from runners.errors import BadInput
    from runners.loads.fleet.master.session import FleetOptions, parse_address, token_file

    if not plan.clients:
        if arguments.bind:
            raise BadInput("--bind is for load from other machines; say how many there are: --expect-workers N")
        return None
    before = run.fleet if run else None
    if arguments.expect_workers and arguments.expect_workers != plan.clients:
        raise BadInput(f"this run was loaded by {plan.clients} client machines; resume it with as many")
    if arguments.bind is None and before is None:
        raise BadInput("name the address of this machine that client machines connect to: --bind ADDRESS")
    address = parse_address(arguments.bind) if arguments.bind else (before.bind, before.port) if before else ("", 0)
    remotes = plan.matrix.client[: plan.clients]
    token = arguments.token_file or token_file()
    return FleetOptions(
        plan.clients, *address, token, arguments.workers_wait, remotes, _versions(plan), plan.locustfile
    )


def _versions(plan: Plan) -> dict[str, str]:
    """Return the versions that the tools of a client must have."""
    from runners.loads.fleet.master.session import TOOLS

    versions = {name: plan.tools[name].version for name in TOOLS}
    return {name: version for name, version in versions.items() if version}


def summary(job: Job) -> str:
    """Return in a line what is about to be measured."""
    plan = job.plan
    folder = os.path.relpath(job.folder)
    return f"{plan.matrix.suite.title}: {what(plan)} {where(plan)}{beyond(plan)}; run folder {folder}"


def conclusion(job: Job, trials: Sequence[Trial]) -> str:
    """Return in a line what became of the trials and cells."""
    from runners.stats.noise import is_noisy

    counts = Counter("noisy" if is_noisy(trial) else trial.verdict for trial in trials)
    parts = [f"{counts[verdict]} {verdict}" for verdict in ("ok", "noisy", "invalid", "failed") if counts[verdict]]
    unavailable = [item for item in job.plan.cells if item.status == "unavailable"]
    missing = sorted({item.cell.program.name for item in unavailable if item.lacks})
    lacking = f"; unavailable because a tool is missing: {', '.join(missing)}" if missing else ""
    return f"{len(trials)} trials: {', '.join(parts) or 'none'}{lacking}"


class Report:
    """The report of a run under way, written so rarely that it takes at most a twentieth of the time.

    A report that cannot be written is a warning, and never ends a run.
    """

    def __init__(self) -> None:
        self.due = time.monotonic() + FIRST_REPORT_S
        self.warned = ""

    def __call__(self, folder: Path) -> None:
        """Write the report if enough time has passed since the last one."""
        began = time.monotonic()
        if began >= self.due:
            self.write(folder)
            self.due = time.monotonic() + 20 * (time.monotonic() - began)

    def write(self, folder: Path) -> bool:
        """Write the report and return whether that succeeded; say once why it did not."""
        from runners.resources import report_line
        from speedup.messages import log

        why = write_report(folder)
        if why and why != self.warned:
            log.warning(f"the report could not be written: {why}; nothing is lost: {report_line(folder)}")
        self.warned = why
        return not why


def write_report(folder: Path) -> str:
    """Write report.html into a run folder, and return why that failed, if it did.

    It has a process of its own: plotting would make the harness a heavy one. Ctrl-C in the terminal is not for it.
    """
    import subprocess

    from runners import resources
    from runners.system.processes import dies_with_parent

    try:
        written = subprocess.run(
            [sys.executable, "-m", "speedup", "report", str(folder.resolve())],
            cwd=resources.code(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=REPORT_LIMIT_S,
            process_group=0,
            preexec_fn=dies_with_parent(),
        )
    except subprocess.TimeoutExpired:
        return f"it took more than {REPORT_LIMIT_S:g} s"
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    if written.returncode < 0:
        return f"its process ended with signal {-written.returncode}, perhaps for lack of memory"
    last = written.stderr.strip().splitlines()[-1:] or ["it said nothing"]
    return last[0].removeprefix("speedup: ") if written.returncode else ""
