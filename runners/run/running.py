"""Runs a plan: tools, builds, blocks of trials, each recorded before the next begins; resumes what was cut short."""

from __future__ import annotations

import datetime as dt
import fcntl
import hashlib
import logging
import os
import platform
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Literal

from runners.errors import BadInput, Interrupted, NothingSelected, UnfitMachine
from runners.loads import LOADS
from runners.loads.fleet.master.session import FleetOptions, fleet
from runners.matrix.cells import Cell
from runners.plan import order
from runners.plan.order import TOGETHER
from runners.plan.pace import Pace
from runners.plan.planning import Plan, layouts
from runners.plan.scheduling import Bounds, Schedule
from runners.records import folder
from runners.records.run import FleetInfo, Published, Run, ToolInfo
from runners.records.trial import Trial
from runners.resources import command_line
from runners.revision import commit_of
from runners.run import latency
from runners.run.preparing import prepare
from runners.run.reporter import Reporter
from runners.server.process import Programs
from runners.system.network import Kind, enter_user_namespace
from runners.system.processes import end_leftovers, sweep
from runners.system.tuning import Change, tuned
from runners.tools import find as tools
from runners.trial.trial import PACED_LOAD, Rig, blanks, measure
from runners.version import VERSION

log = logging.getLogger(__name__)

NetworkWish = Literal["auto", "namespace", "host"]
AfterBlock = Callable[[Path], object]


@dataclass(frozen=True)
class Job:
    """A run to execute: its plan, its folder, its head, and the trials that are recorded already."""

    plan: Plan
    folder: Path
    run: Run
    network: NetworkWish = "auto"
    recorded: tuple[Trial, ...] = ()
    tune: bool = False
    skip_gates: bool = False
    fleet: FleetOptions | None = None


def new_job(plan: Plan, results: Path, network: NetworkWish = "auto", options: FleetOptions | None = None) -> Job:
    """Make the run folder and return the job; nothing is measured yet."""
    began = dt.datetime.now(dt.UTC)
    path = _new_folder(results, f"{began:%Y%m%dT%H%M%SZ}-{plan.machine}")
    machine = plan.matrix.machine[plan.machine]
    blocks = plan.preset.blocks
    run = Run(
        kind="measured",
        machine=plan.machine,
        machine_title=machine.title,
        started_at=began.isoformat(timespec="seconds"),
        matrix=plan.text,
        matrix_path=os.path.relpath(plan.path, path),
        preset=plan.preset_name,
        warmup_s=plan.preset.warmup,
        duration_s=machine.wrk.duration or plan.preset.duration,
        blocks=blocks.max,
        blocks_min=blocks.min,
        duet_blocks_min=plan.preset.duet_blocks.min,
        duet_duration_s=plan.preset.duet.duration if plan.preset.duet else None,
        precision=blocks.precision,
        budget_s=plan.budget_s,
        baselines=dict(plan.baselines),
        seed=plan.seed,
        version=VERSION,
        arguments=tuple(sys.argv[1:]),
        facts=_facts(plan),
        tools=_tool_infos(plan),
        published=_published(plan),
        notes=_notes(plan),
        fleet=FleetInfo(options.clients, options.bind, options.port) if options else None,
    )
    return Job(plan, path, run, network, fleet=options)


def _facts(plan: Plan) -> dict[str, str]:
    """Return the machine's facts, and at which commit the matrix and the servers beside it are, where that is known."""
    commit = commit_of(plan.path.resolve().parent)
    return {**plan.facts, **({"commit": commit} if commit else {})}


def resumed_job(plan: Plan, path: Path, network: NetworkWish = "auto", options: FleetOptions | None = None) -> Job:
    """Return the job that finishes a run folder; BadInput where its cells can no longer be measured as they were."""
    run = folder.read_run(path)
    now = {cell.id for cell in plan.measurable}
    ids = {cell for blocks in run.order.values() for block in blocks for item in block for cell in item.split(TOGETHER)}
    changed = sorted({cell.split("#")[0] for cell in ids if cell not in now})
    if changed:
        raise BadInput(
            f"{path}: sources, tools or settings changed since this run began, so it cannot be completed"
            f" ({', '.join(changed[:4])}{', ...' if len(changed) > 4 else ''}); start a new run"
        )
    if _versions(run.tools) != _versions(_tool_infos(plan)):
        raise BadInput(f"{path}: a tool's version changed since this run began; start a new run")
    return Job(plan, path, run, network, folder.read_trials(path), fleet=options)


def exit_code(job: Job, trials: Sequence[Trial]) -> int:
    """Return 0 where every cell has a valid number, 1 where some have none, 3 where nothing could be measured."""
    planned = {cell.id for cell in job.plan.measurable if cell.program.class_ != "historic"}  # those never are valid
    valid = {trial.cell for trial in trials if trial.verdict == "ok"}
    if planned - valid or any(trial.verdict == "failed" for trial in trials):
        return 1
    return 0 if trials else NothingSelected.exit_code


def _versions(infos: Sequence[ToolInfo]) -> dict[str, str | None]:
    return {info.name: info.version for info in infos}


def execute(job: Job, reporter: Reporter, after_block: AfterBlock) -> tuple[Trial, ...]:
    """Build, measure and record all that the job lacks; return every trial of the run.

    Interrupted, with the trial under way recorded as `not run`, where a person or a signal stops it.
    """
    with _signals() as interruption:
        swept = sweep()
        if swept:
            log.info(f"ended {len(swept)} processes that a killed run had left behind")
        run, programs = prepare(job.plan, job.run, job.folder, skip_gates=job.skip_gates)
        job = replace(job, run=run)
        try:
            with tuned(job.plan.host.cache, log.info, wanted=job.tune) as changes:
                rig = _rig(job, programs, reporter, interruption)
                with _loaded_from(job, rig) as (job, rig):
                    return _measure_all(_noting(job, changes), rig, reporter, after_block)
        except Interrupted as error:
            resume = f"{command_line()} run --resume {os.path.relpath(job.folder)}"
            raise Interrupted(f"{error}; to go on: {resume}") from error
        finally:
            reporter.end()
            end_leftovers()


@contextmanager
def _loaded_from(job: Job, rig: Rig) -> Iterator[tuple[Job, Rig]]:
    """Hold the fleet together for the run, if one loads it, and record who it is."""
    if job.fleet is None:
        yield job, rig
        return
    options, file = job.fleet, job.folder / folder.LOGS / "fleet.txt"
    with fleet(options, rig.programs.env, file, log.info, rig.tick) as ready:
        info = FleetInfo(options.clients, options.bind, options.port, tuple(map(dict, ready.clients)))
        job = replace(job, run=replace(job.run, fleet=info))
        folder.write_run(job.folder, job.run)

        def tick() -> None:
            rig.tick()
            ready.tend()

        yield job, replace(rig, host=options.bind, fleet=ready.socket, tick=tick)


def _noting(job: Job, changes: Sequence[Change]) -> Job:
    """Record which machine settings were changed for the run."""
    if not changes:
        return job
    notes = (f"{change.file} was {change.before!r}, set to {change.after!r} for the run" for change in changes)
    run = replace(job.run, notes=(*job.run.notes, *notes))
    folder.write_run(job.folder, run)
    return replace(job, run=run)


def _measure_all(job: Job, rig: Rig, reporter: Reporter, after_block: AfterBlock) -> tuple[Trial, ...]:
    """Measure block after block until the schedule says that it is enough."""
    schedule = _schedule(job)
    cells = {cell.id: cell for cell in job.plan.measurable}
    trials, paced = latency.apart(job.recorded)
    pace = Pace(schedule, trials)
    reporter.begin(pace)
    while slots := schedule.following(trials, spent_s(trials)):
        for slot in slots:
            records = _measured([cells[cell] for cell in slot.cells], slot, rig)
            for record in records:
                folder.append_trial(job.folder, record)
            trials += records
            pace.add(slot)
            reporter.trial(slot, records)
        after_block(job.folder)
    folder.write_run(job.folder, replace(job.run, ended_by=schedule.ended_by(trials)))
    return latency.measure_goals(job.plan.goals, job.run, [*trials, *paced], rig, lambda: after_block(job.folder))


def _schedule(job: Job) -> Schedule:
    cells = {cell.id: cell for cell in job.plan.measurable}
    block_s = {family: sum(_item_s(item, cells) for item in blocks[0]) for family, blocks in job.run.order.items()}
    run, budget_s = job.run, job.plan.closed_budget_s
    bounds = Bounds(run.blocks_min, run.precision, budget_s, least_duets=run.duet_blocks_min)
    return Schedule(run.order, run.baselines, bounds, run.seed or 0, block_s)


def _item_s(item: str, cells: Mapping[str, Cell]) -> float:
    """Return how long one item of a block should take, in seconds: a trial, or a duet."""
    names = item.split(TOGETHER)
    cell = cells[names[0]]
    return order.trial_s(cell if len(names) == 1 else cell.in_duet)


def spent_s(trials: Sequence[Trial]) -> float:
    """Return the seconds of measured load so far; the two sides of a duet count once."""
    return sum((trial.duration_us or 0) / 1e6 for trial in trials if trial.role != "second")


def _measured(cells: Sequence[Cell], slot: order.Slot, rig: Rig) -> tuple[Trial, ...]:
    """Measure; an interruption is recorded as `not run` before it goes on."""
    try:
        return measure(cells, slot, rig)
    except Interrupted as error:
        for blank in blanks(cells, slot):
            folder.append_trial(rig.folder, replace(blank, reason=str(error)))
        raise


def _rig(job: Job, programs: Programs, reporter: Reporter, interruption: Interruption) -> Rig:
    def tick() -> None:
        interruption.check()
        reporter.tick()

    return Rig(
        folder=job.folder,
        programs=programs,
        layouts=layouts(job.plan),
        network="host" if job.fleet else _network(job.network),  # clients elsewhere cannot see a network of its own
        limits=job.plan.matrix.validity,
        ceiling_per_s=job.plan.matrix.machine[job.plan.machine].ceiling,
        tick=tick,
    )


def _network(wish: NetworkWish) -> Kind:
    """Return where trials happen: in networks of their own wherever that is allowed."""
    if wish == "host":
        return "host"
    if enter_user_namespace():
        return "namespace"
    if wish == "namespace":
        raise UnfitMachine("network namespaces are not allowed here; run as root, or with --network host")
    return "host"


def _tool_infos(plan: Plan) -> tuple[ToolInfo, ...]:
    """Return the tools that the measured cells use, with the hash of the load generator's program."""
    used = (
        {LOADS[plan.load].tool}
        | ({LOADS[PACED_LOAD].tool} if plan.goals else set())
        | {name for cell in plan.measurable for name in cell.program.needs}
    )
    return tuple(
        ToolInfo(name, plan.tools[name].version, plan.tools[name].path, _hash(plan.tools[name].path))
        for name in sorted(used)
    )


def _hash(path: str | None) -> str | None:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest() if path else None
    except OSError:
        return None


def _published(plan: Plan) -> tuple[Published, ...]:
    """Read the published runs that the matrix names, to be kept inside the run."""
    folders = [folder.read_folder(plan.root / name) for name in plan.matrix.suite.published]
    return tuple(Published(item.run, item.trials) for item in folders)


def _notes(plan: Plan) -> tuple[str, ...]:
    """Return what a reader must know before any number."""
    notes = [plan.unpaced] if plan.unpaced else []
    if plan.locustfile:
        file = plan.locustfile
        notes.append(f"Load came from the users of {file.path} (SHA-256 {file.sha256}), who ask what they want.")
    if plan.load == "locust" and not plan.clients and not plan.tools["wrk"].found:
        notes.append(
            "Load came from Locust (Python), because wrk is missing: these numbers are bounded by the client, not by"
            f" the servers. {plan.tools['wrk'].remedy}"
        )
    if platform.system() != "Linux":
        notes.append("This is not Linux: CPU and connection counters are unknown here.")
    return tuple(notes)


def _new_folder(results: Path, name: str) -> Path:
    """Make a folder that does not exist yet."""
    for number in range(1, 100):
        path = results / (name if number == 1 else f"{name}-{number}")
        with suppress(FileExistsError):
            path.mkdir(parents=True)
            return path
    raise BadInput(f"cannot make a run folder in {results}")


@contextmanager
def alone_on_machine() -> Iterator[None]:
    """Hold this user's lock, UnfitMachine where another run has it: two runs at once would measure each other."""
    lock = tools.cache_folder() / "run.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UnfitMachine(
                f"another run is under way (it holds {lock}); two runs at once would measure each other"
            ) from error
        yield


class Interruption:
    """Turns Ctrl-C, TERM and HUP into Interrupted, at once and, should Python swallow that, at the next check.

    What a signal handler raises is lost where Python runs a callback of its own, such as those around a fork.
    """

    def __init__(self) -> None:
        self.reason: str | None = None

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        """Remember the signal and raise."""
        self.reason = f"interrupted ({signal.Signals(number).name})"
        self.check()

    def check(self) -> None:
        """Raise Interrupted if a signal came."""
        if self.reason is not None:
            raise Interrupted(self.reason)


@contextmanager
def _signals() -> Iterator[Interruption]:
    """Heed the signals that end a run, so that everything is stopped and recorded."""
    interruption = Interruption()
    heeded = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    previous = {number: signal.signal(number, interruption) for number in heeded}
    try:
        yield interruption
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
