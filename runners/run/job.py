"""A run to execute: what is planned, where it is recorded, and what has been recorded."""

from __future__ import annotations

import datetime as dt
import os
import platform
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from runners.errors import BadInput, NothingSelected
from runners.file_hash import file_hash
from runners.loads.by_name import LOADS
from runners.loads.fleet.master.session import FleetOptions
from runners.plan.planning import Plan
from runners.records import folder
from runners.records.files import check_links, sync_folder
from runners.records.run import FleetInfo, Published, Run, ToolInfo
from runners.records.trial import Trial, slug_of
from runners.revision import commit_of
from runners.run.identity import (
    differences,
    identity_of,
    other_files,
    shown,
    sources_of,
    tool_differences,
    watched,
)
from runners.run.preparing import cell_infos
from runners.run.watching import Watch
from runners.stats.answers import believed, wrong_answers
from runners.stats.comparison import counting
from runners.stats.noise import is_noisy
from runners.system.processes import allow_connections
from runners.version import VERSION

NetworkWish = Literal["auto", "namespace", "host"]


@dataclass(frozen=True)
class Job:
    """A run to execute: its plan, its folder, its head, and the trials that have been recorded."""

    plan: Plan
    folder: Path
    run: Run
    recorded: tuple[Trial, ...] = ()
    fleet: FleetOptions | None = None


@dataclass(frozen=True)
class Wishes:
    """How the user wants a run to be carried out; it is completed in the same way. None: not said."""

    network: NetworkWish | None = None
    tune: bool = False
    skip_gates: bool = False


def new_job(plan: Plan, results: Path, wishes: Wishes = Wishes(), options: FleetOptions | None = None) -> Job:
    """Create the run folder, from now on to be resumed, and return the job; UnfitMachine if that is impossible here."""
    _allow_connections(plan)
    began = dt.datetime.now(dt.UTC)
    run = _head(plan, results, wishes, options, began)  # takes a while, so there is no folder yet to be left behind
    path = _new_folder(results, f"{began:%Y%m%dT%H%M%SZ}-{plan.machine}")
    try:
        folder.write_run(path, run)
    except BaseException:
        with suppress(OSError):  # nothing is left of what did not begin
            (path / folder.RUN_FILE).unlink(missing_ok=True)
            path.rmdir()
        raise
    return Job(plan, path, run, fleet=options)


def _head(plan: Plan, results: Path, wishes: Wishes, options: FleetOptions | None, began: dt.datetime) -> Run:
    """Return the head of a run that is about to begin in a folder of `results`."""
    machine, blocks = plan.matrix.machine[plan.machine], plan.preset.blocks
    return Run(
        kind="measured",
        machine=plan.machine,
        machine_title=machine.title,
        started_at=began.isoformat(timespec="seconds"),
        matrix=plan.text,
        matrix_path=os.path.relpath(plan.path.resolve(), results.resolve() / "run"),
        preset=plan.preset_name,
        warmup_s=plan.preset.warmup,
        duration_s=machine.load.duration or plan.preset.duration,
        blocks=blocks.max,
        blocks_min=blocks.min,
        duet_blocks_min=plan.preset.duet_blocks.min,
        duet_duration_s=plan.preset.duet.duration if plan.preset.duet else None,
        precision=blocks.precision,
        duet_precision=plan.preset.duet_blocks.precision,
        budget_s=plan.budget_s,
        seed=plan.seed,
        version=VERSION,
        arguments=tuple(sys.argv[1:]),
        facts=_facts(plan),
        tools=_tool_infos(plan),
        published=_published(plan),
        notes=_notes(plan),
        fleet=FleetInfo(options.clients, options.bind, options.port) if options else None,
        duet=plan.duet,
        cells=cell_infos(plan, {}),
        network=wishes.network or "auto",
        tune=wishes.tune,
        skip_gates=wishes.skip_gates,
        identity=identity_of(plan),
        sources=sources_of(plan),
        files=other_files(plan),
    )


def _allow_connections(plan: Plan) -> None:
    allow_connections(max((cell.connections for cell in plan.measurable), default=0))


def _facts(plan: Plan) -> dict[str, str]:
    """Return the machine's facts, and the commit of the matrix and of the servers beside it, if that is known."""
    commit = commit_of(plan.path.resolve().parent)
    return {**plan.facts, **({"commit": commit} if commit else {})}


def resumed_job(plan: Plan, path: Path, wishes: Wishes = Wishes(), options: FleetOptions | None = None) -> Job:
    """Return the job that completes a run folder; raise BadInput unless everything is as it was when it began."""
    _allow_connections(plan)
    run = folder.read_run(path)
    check_links(path)
    if folder.is_damaged(path):
        raise BadInput(f"{path}: run.json is damaged or was edited, so it cannot be completed; start a new run")
    if run.identity is None:
        raise BadInput(
            f"{path} was begun by a version that did not record what began it, so it cannot be completed; start a new"
            " run"
        )
    _check_wishes(path, run, wishes)
    differ = [*differences(run.identity, identity_of(plan)), *tool_differences(run.tools, _tool_infos(plan))]
    edited = Watch(watched(run, plan.root)).changed()
    if edited:
        differ.append(f"{shown(edited, plan.root)} changed")
    if not differ and (changed := _changed_cells(plan, run)):
        differ.append(f"settings changed ({', '.join(changed[:4])}{', ...' if len(changed) > 4 else ''})")
    if differ:
        raise BadInput(
            f"{path} cannot be completed: since it began, {'; '.join(differ)}. Undo that, or start a new run"
        )
    return Job(plan, path, run, folder.read_trials(path), fleet=options)


def _check_wishes(path: Path, run: Run, wishes: Wishes) -> None:
    """Raise BadInput if a run is to be completed in another way than it began; what is not said is as it was."""
    said = {
        "--network": wishes.network not in {None, run.network},
        "--tune": wishes.tune and not run.tune,
        "--skip-gates": wishes.skip_gates and not run.skip_gates,
    }
    other = [option for option, differs in said.items() if differs]
    if other:
        began = {"--network": f"with --network {run.network}"}.get(other[0], f"without {other[0]}")
        raise BadInput(f"{path} began {began}; leave out {other[0]}, or start a new run")


def _changed_cells(plan: Plan, run: Run) -> list[str]:
    """Return the cells of a run that cannot be measured as before."""
    ids = {cell for family in run.families for block in family.blocks for item in block for cell in item}
    planned = ids or {cell.id for cell in run.cells if cell.status == "planned"}
    return sorted({slug_of(cell) for cell in planned - {cell.id for cell in plan.measurable}})


def exit_code(job: Job, trials: Sequence[Trial]) -> int:
    """Return 0 if every cell has a number, 1 if some have none, 3 if nothing could be measured.

    A number that the machine's noise made invalid is one: it is shown, and whoever measures need not do anything.
    """
    planned = {cell.id for cell in job.plan.measurable if cell.program.class_ != "historic"}  # those are never valid
    known = [trial for trial in believed(trials) if trial.design != "checked"]  # whose figures do not count
    valid = {trial.cell for trial in counting(known) if trial.verdict == "ok"}
    valid |= {trial.cell for trial in known if is_noisy(trial)}
    valid -= {trial.cell for trial in trials if wrong_answers([trial])}
    if planned - valid:
        return 1
    return 0 if trials else NothingSelected.exit_code


def _tool_infos(plan: Plan) -> tuple[ToolInfo, ...]:
    """Return the tools that the measured cells use, with the hash of the load generator's program."""
    used = {LOADS[load].tool for load in plan.loads_used}
    used |= {name for cell in plan.measurable for name in cell.program.needs}
    return tuple(
        ToolInfo(name, plan.tools[name].version, plan.tools[name].path, _hash(plan.tools[name].path))
        for name in sorted(used)
    )


def _hash(path: str | None) -> str | None:
    try:
        return file_hash(Path(path)) if path else None
    except OSError:
        return None


def _published(plan: Plan) -> tuple[Published, ...]:
    """Read the published runs that the matrix names, to store them in the run."""
    folders = [folder.read_folder(plan.root / name) for name in plan.matrix.suite.published]
    return tuple(Published(item.run, item.trials) for item in folders)


def _notes(plan: Plan) -> tuple[str, ...]:
    """Return what a reader needs to know before reading any number."""
    notes = [plan.unpaced] if plan.unpaced else []
    if plan.locustfile:
        file = plan.locustfile
        notes.append(
            f"The load came from the users of {file.path} (SHA-256 {file.sha256}), which request what they like."
        )
    if plan.load == "locust" and not plan.clients and not plan.tools["wrk"].found:
        notes.append(
            "The load came from Locust (Python), because wrk is missing: these numbers are bounded by the client, not"
            f" by the servers. {plan.tools['wrk'].remedy}"
        )
    if platform.system() != "Linux":
        notes.append("This is not Linux: CPU and connection counters are unknown here.")
    return tuple(notes)


def _new_folder(results: Path, name: str) -> Path:
    """Create a folder that does not exist yet; raise BadInput if that is impossible."""
    cannot = f"cannot create a run folder in {results}"
    try:
        for number in range(1, 100):
            path = results / (name if number == 1 else f"{name}-{number}")
            with suppress(FileExistsError):
                path.mkdir(parents=True)
                sync_folder(results)
                return path
    except OSError as error:
        raise BadInput(f"{cannot}: {error.strerror}; name another folder with --results DIR") from error
    raise BadInput(f"{cannot}: {name} to {name}-99 are there already")
