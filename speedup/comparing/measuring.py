"""Measures the two sides of a comparison in one run folder, and says which side is at fault if there is no number."""

from __future__ import annotations

from dataclasses import dataclass

from speedup.messages import log

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from runners.matrix.starter.comparison import Described
    from runners.matrix.starter.learned import Learned
    from runners.matrix.starter.writing import Row
    from runners.plan.planning import Plan
    from runners.records.run import CellInfo, RunFolder
    from runners.records.trial import Trial


class Enough(Exception):
    """What was to be found out is known: no more blocks are needed."""


@dataclass(frozen=True)
class Manner:
    """How much is measured: everything, or duets under load alone; with a report or without, with gates or without.

    `after_block` gets the run folder after each block, and raises Enough if no more are needed.
    """

    duets_only: bool = False
    report: bool = True
    gates: bool = True
    after_block: Callable[[Path], object] = lambda _: None


def measure(
    sides: tuple[Row, Row],
    learned: Learned,
    arguments: argparse.Namespace,
    budget_s: float,
    described: Described | None = None,
    manner: Manner | None = None,
) -> Path:
    """Measure two sides and write the report; return the run folder. DoesNotStart or UnfitMachine without numbers."""
    from runners.errors import RunStopped
    from runners.records.folder import RUN_FILE, read_folder
    from runners.run.job import Wishes, new_job
    from runners.run.running import execute
    from speedup.comparing.live import reporter
    from speedup.measure.run import summary

    manner = manner or Manner()
    plan = _plan(sides, learned, arguments, budget_s, described, manner)
    job = new_job(plan, arguments.results, Wishes(arguments.network, skip_gates=not manner.gates))
    log.info(summary(job))
    try:
        execute(job, reporter(), manner.after_block)
    except Enough:
        log.debug("enough is known")
    except RunStopped:
        if (job.folder / RUN_FILE).exists():  # otherwise there is nothing to report yet
            report(job.folder)
        raise
    if manner.report:
        report(job.folder)
    check_measured(read_folder(job.folder))
    return job.folder


def report(folder: Path) -> None:
    """Write the report; a comparison has its answer without one."""
    from speedup.measure.run import write_report

    if why := write_report(folder):
        log.warning(f"the report could not be written: {why}")


def _plan(
    sides: tuple[Row, Row],
    learned: Learned,
    arguments: argparse.Namespace,
    budget_s: float,
    described: Described | None,
    manner: Manner,
) -> Plan:
    """Return the plan: with one request at a time, only duets."""
    from dataclasses import replace

    from runners.errors import UnfitMachine
    from runners.matrix.starter.comparison import ALONE, comparison_matrix
    from runners.plan import planning

    text = comparison_matrix(
        *sides, learned, budget_s, described, duets_only=manner.duets_only, warmup=arguments.warmup
    )
    options = planning.Options(text=text, machine="local", load="wrk", seed=arguments.seed)
    if arguments.install:
        planning.install_missing(options)
    plan = planning.make_plan(options)
    wrk = plan.tools["wrk"]
    if not wrk.found:
        raise UnfitMachine(f"{wrk.title} is missing, which makes the load; add --install, or: {wrk.remedy}")
    if manner.duets_only:
        return replace(plan, only_duets_at=frozenset({learned.connections}))
    apart = frozenset({ALONE}) if learned.connections > ALONE else frozenset[int]()
    return replace(plan, only_duets_at=apart)


def check_measured(folder: RunFolder) -> None:
    """Raise DoesNotStart if a side failed, UnfitMachine if the machine's noise left no number, somewhere."""
    from speedup.comparing.endings import DoesNotStart

    for cell in folder.run.cells:
        if cell.status in {"failed", "unavailable"}:
            reason = (cell.reason or cell.status).partition("; `speedup check")[0]  # no matrix names these servers
            raise DoesNotStart(f"{cell.title} cannot be measured: {reason}; see {folder.path}")
    places: dict[tuple[str, str], set[str]] = {}
    for cell in folder.run.cells:
        _check_alive(cell, [trial for trial in folder.trials if trial.cell == cell.id], folder)
        places.setdefault((cell.mode, cell.request), set()).add(cell.id)
    for cells in places.values():
        _check_counted([trial for trial in folder.trials if trial.cell in cells])


def _check_alive(cell: CellInfo, trials: Sequence[Trial], folder: RunFolder) -> None:
    """Raise DoesNotStart if none of a cell's trials counts and some are its own fault, whatever others gave."""
    from runners.units import plural
    from speedup.comparing.endings import DoesNotStart

    faults = [trial.reason or trial.verdict for trial in trials if is_at_fault(trial)]
    if faults and not any(trial.verdict == "ok" for trial in trials):
        connections = plural(cell.connections or 0, "connection")
        raise DoesNotStart(
            f"{cell.title} gave no number that counts with {connections}: {faults[0]}; see {folder.path}"
        )


def _check_counted(trials: Sequence[Trial]) -> None:
    """Raise UnfitMachine with the reason of most trials if none counts."""
    from collections import Counter

    from runners.errors import UnfitMachine

    if any(trial.verdict == "ok" for trial in trials):
        return
    reasons = Counter(trial.reason or trial.verdict for trial in trials).most_common(1)
    said = reasons[0][0] if reasons else "no trial was run"
    raise UnfitMachine(f"no trial counts here: {said}; try a quieter machine")


def is_at_fault(trial: Trial) -> bool:
    """Return whether a trial that does not count is the server's fault rather than the machine's noise."""
    from runners.stats.noise import OF_THE_MACHINE, UNSTEADY

    failed = {check.id for check in trial.checks if check.outcome == "fail"}
    return trial.verdict == "failed" or bool(failed - OF_THE_MACHINE - {UNSTEADY})
