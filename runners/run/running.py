"""Runs a plan: builds, then blocks of trials, each recorded before the next begins; resumes an interrupted run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from runners.errors import BadInput, RunStopped, UnfitMachine
from runners.loads.fleet.master.session import fleet, token_file
from runners.matrix.cells import Cell, variant_name
from runners.plan.checking import CheckedAnswers, checkable
from runners.plan.goals import OfferedRates
from runners.plan.order import Slot, trial_s
from runners.plan.pace import Pace
from runners.plan.planning import layouts
from runners.plan.scheduling import Blocks, Bounds, Stage
from runners.records import folder
from runners.records.run import FamilyInfo, FleetInfo
from runners.records.trial import Trial
from runners.resources import resume_line
from runners.run.identity import fixed_files
from runners.run.interruption import Interruption, signals
from runners.run.job import Job, NetworkWish
from runners.run.preparing import prepare, started_programs
from runners.run.reporter import Reporter
from runners.run.watching import Guard
from runners.server.process import Programs
from runners.system.network import Kind, enter_user_namespace
from runners.system.processes import end_leftovers, sweep
from runners.system.tuning import Change, restore, tuned
from runners.trial.trial import Rig, blanks, measure

log = logging.getLogger(__name__)

AfterBlock = Callable[[Path], object]


def execute(job: Job, reporter: Reporter, after_block: AfterBlock) -> tuple[Trial, ...]:
    """Build, measure and record everything that the job lacks; return every trial of the run.

    Raise RunStopped, with the current trial recorded as `not run`, if the user, a signal or an absent client stops it.
    """
    with signals() as interruption:
        swept = sweep()
        if swept:
            log.info(f"stopped {len(swept)} processes that a killed run had left behind")
        restore(job.plan.host.cache)  # at once: builds and gates may take a while, or be interrupted
        try:
            run, programs = prepare(job.plan, job.run, job.folder)
            fixed = (*fixed_files(job.plan), *started_programs(job.plan, programs))
            guard = Guard(job.folder, job.plan.root, run, fixed, _measured(job.recorded), programs.built)
            job = replace(job, run=guard.settle(run))
            with tuned(job.plan.host.cache, wanted=job.run.tune) as changes:
                job, rig = _rig(job, programs, reporter, interruption)
                with _loaded_from(job, rig) as (job, rig):
                    return _measure_all(_noting(job, changes), rig, guard, reporter, after_block)
        except RunStopped as error:
            raise type(error)(f"{error}; to resume: {_resume_line(job)}") from error
        finally:
            reporter.end()
            end_leftovers()


def _measured(trials: Iterable[Trial]) -> set[str]:
    return {variant_name(trial.server, trial.variant) for trial in trials if trial.verdict != "not run"}


def _resume_line(job: Job) -> str:
    """Return the whole command that completes the run; what it began with is in its folder."""
    named = job.fleet is not None and job.fleet.token_file != token_file()
    return resume_line(job.folder, *(("--token-file", str(job.fleet.token_file)) if job.fleet and named else ()))


@contextmanager
def _loaded_from(job: Job, rig: Rig) -> Iterator[tuple[Job, Rig]]:
    """Hold the fleet together for the run, if it has one, and record its hosts."""
    if job.fleet is None:
        yield job, rig
        return
    options, file = job.fleet, job.folder / folder.LOGS / "fleet.txt"
    with fleet(options, rig.programs.env, file, rig.tick) as ready:
        info = FleetInfo(options.clients, options.bind, options.port, tuple(map(dict, ready.clients)))
        job = replace(job, run=replace(job.run, fleet=info))
        folder.write_run(job.folder, job.run)

        def tick() -> None:
            rig.tick()
            ready.tend()

        yield job, replace(rig, host=options.bind, fleet=ready.socket, tick=tick)


def _noting(job: Job, changes: Sequence[Change]) -> Job:
    """Record the machine settings that were changed for the run."""
    if not changes:
        return job
    notes = (f"{change.file} was {change.before!r}, set to {change.after!r} for the run" for change in changes)
    run = replace(job.run, notes=(*job.run.notes, *notes))
    folder.write_run(job.folder, run)
    return replace(job, run=run)


def _measure_all(job: Job, rig: Rig, guard: Guard, reporter: Reporter, after_block: AfterBlock) -> tuple[Trial, ...]:
    """Measure blocks until that stage is finished, and then at offered rates."""
    guard.run = job.run
    blocks = _blocks(job)
    offered = OfferedRates(job.plan.goals, job.run.blocks_min, job.run.seed or 0)
    trials = list(job.recorded)
    answers = CheckedAnswers(checkable(job.plan.measurable), job.plan.preset.checked)
    equal = job.plan.equally_paced
    pace = Pace((blocks, equal, answers, offered), trials)
    reporter.begin(pace)
    loop = Loop(job, rig, reporter, after_block, trials, pace, guard)
    loop.measure(blocks)
    conclude(blocks, guard, trials)
    pace.next_stage(trials)
    loop.measure(equal)
    pace.next_stage(trials)
    loop.measure(answers)
    pace.next_stage(trials)
    loop.measure(offered)
    for line in offered.conclusions(trials):
        log.info(line)
    return tuple(trials)


def conclude(blocks: Blocks, guard: Guard, trials: Sequence[Trial]) -> None:
    """Record what ended each family; raise RunStopped, and record no end, if a block is missing."""
    if lacking := blocks.lacking(trials):
        raise RunStopped(f"nothing is left to measure, although {lacking[0]}: this is a fault of http-speedup")
    guard.run = replace(guard.run, families=blocks.concluded(trials))
    folder.write_run(guard.path, guard.run)


@dataclass(frozen=True)
class Loop:
    """The only loop that measures: each trial of a stage is recorded before the next begins."""

    job: Job
    rig: Rig
    reporter: Reporter
    after_block: AfterBlock
    trials: list[Trial]
    pace: Pace
    guard: Guard

    def measure(self, stage: Stage) -> None:
        """Measure what a stage needs next, until it is finished."""
        cells = {cell.id: cell for cell in self.job.plan.measurable}
        while slots := stage.following(self.trials):
            for slot in slots:
                self._measure([cells[cell] for cell in slot.cells], slot)
            self.after_block(self.job.folder)

    def _measure(self, cells: Sequence[Cell], slot: Slot) -> None:
        """Measure and record; a trial that was interrupted, or of what was edited, is recorded as `not run`."""
        try:
            records = measure(cells, slot, self.rig)
            self.guard.check(cells)
        except RunStopped as error:
            folder.append_trials(self.rig.folder, [replace(blank, reason=str(error)) for blank in blanks(cells, slot)])
            raise
        folder.append_trials(self.rig.folder, records)
        self.guard.measured(cells)
        self.trials.extend(records)
        self.pace.add(slot, self.trials)
        self.reporter.trial(slot, records)


def _blocks(job: Job) -> Blocks:
    cells = {cell.id: cell for cell in job.plan.measurable}
    item_s = {family.name: _item_s(family, cells) for family in job.run.families}
    run = job.run
    bounds = Bounds(
        run.blocks_min,
        run.precision,
        job.plan.closed_budget_s,
        run.duet_blocks_min,
        run.duet_precision,
        job.plan.preset.limit,
    )
    return Blocks(run.families, bounds, run.seed or 0, item_s)


def _item_s(family: FamilyInfo, cells: Mapping[str, Cell]) -> float:
    """Return how long one item of a family should take, in seconds: a trial, or a duet."""
    cell = cells[family.blocks[0][0][0]]
    return trial_s(cell.in_duet if family.design == "duet" else cell)


def _rig(job: Job, programs: Programs, reporter: Reporter, interruption: Interruption) -> tuple[Job, Rig]:
    """Return what trials need; the job then has the kind of network in its record."""
    kind: Kind = "host" if job.fleet else _network(job.run.network)  # clients elsewhere cannot reach a namespace
    job = _with_network(job, kind)

    def tick() -> None:
        interruption.check()
        reporter.tick()

    return job, Rig(
        folder=job.folder,
        programs=programs,
        layouts=layouts(job.plan),
        network=kind,
        limits=job.plan.matrix.validity,
        ceiling_per_s=job.plan.matrix.machine[job.plan.machine].ceiling,
        tick=tick,
    )


def _with_network(job: Job, kind: Kind) -> Job:
    """Record the kind of network; raise BadInput if the run began with the other kind."""
    identity = job.run.identity
    if identity is None or identity.network == kind:
        return job
    if identity.network is not None:
        raise BadInput(
            f"{job.folder} cannot be completed: its trials had the network kind {identity.network}, and now it would"
            f" be {kind}; resume it as the same user with the same permissions, or start a new run"
        )
    run = replace(job.run, identity=replace(identity, network=kind))
    folder.write_run(job.folder, run)
    return replace(job, run=run)


def _network(wish: NetworkWish) -> Kind:
    """Return the network for trials: namespaces if permitted, else the host's; UnfitMachine if that was ruled out."""
    if wish == "host":
        return "host"
    if enter_user_namespace():
        return "namespace"
    if wish == "namespace":
        raise UnfitMachine("network namespaces are not allowed here; run as root, or with --network host")
    return "host"
