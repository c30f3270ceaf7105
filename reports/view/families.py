"""Comparison families: how many blocks each got, which bound ended it, and how its baseline compares with its twin.

Pure. The twin is a check of bias (check V23): where a server differs from itself, only what differs by more than that
is called faster or slower.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from reports.view.names import family_name
from reports.view.words import percent
from runners.plan.order import OVERHEAD_S
from runners.records.run import CellInfo, FamilyInfo, Run, RunFolder
from runners.records.trial import Trial
from runners.stats.comparison import Floor, by_family, counting, log_ratios, twin_floor
from runners.stats.rule import last_look, looks_of
from runners.units import format_duration, plural

COST, RATE = "server_cpu_us_per_request", "requests_per_s"
Measure = Literal["rate", "cost"]


@dataclass(frozen=True)
class Family:
    """One family: its baseline's name, the blocks that count, and the floors of its noise; `rate` is None for duets.

    `title` is what its cells have in common, in words. A block takes about `block_s`. The plan has so many `looks`;
    until the family has ended, verdicts come from the blocks before `until`, those of the last look.
    """

    name: str
    title: str
    design: Literal["solo", "duet"]
    baseline: str
    blocks: int
    repeated: int
    ended: str
    rate: Floor | None
    cost: Floor
    block_s: float | None = None
    looks: int = 1
    until: int | None = None

    def floor(self, measure: Measure) -> Floor | None:
        """Return the noise floor by rate or by CPU cost."""
        return self.rate if measure == "rate" else self.cost


def families_of(folder: RunFolder, cells: Sequence[CellInfo]) -> dict[str, Family]:
    """Return every family of solo trials and of duets, planned or measured."""
    recorded = by_family(trial for trial in folder.trials if trial.design in ("solo", "duet"))
    paced = {trial.family for trial in folder.trials} - set(recorded)  # measured, but never compared by block
    planned = [family.name for family in folder.run.families]
    names = [name for name in dict.fromkeys((*planned, *recorded)) if name and name not in paced]
    twins = {cell.id: cell.twin_of for cell in cells if cell.twin_of}
    known = {cell.id: cell for cell in cells}
    return {name: _family(name, recorded.get(name, []), folder.run, twins, known) for name in names}


def _family(
    name: str,
    trials: Sequence[Trial],
    run: Run,
    twins: Mapping[str, str],
    cells: Mapping[str, CellInfo],
) -> Family:
    counted, planned = counting(trials), run.family(name)
    duet = planned.design == "duet" if planned else any(trial.design == "duet" for trial in trials)
    baseline = planned.baseline if planned else ""
    cell = cells.get(baseline)
    return Family(
        name=name,
        title=_title(planned, trials, duet=duet),
        design="duet" if duet else "solo",
        baseline=cell.title if cell else "",
        blocks=len({trial.block for trial in counted}),
        repeated=len({(trial.block, trial.attempt) for trial in trials if trial.attempt}),
        ended=_ended(planned, run) if planned else "",
        rate=None if duet else twin_floor(_twin_logs(counted, baseline, twins, RATE)),
        cost=twin_floor(_twin_logs(counted, baseline, twins, COST)),
        block_s=_block_s(planned, run) if planned else None,
        looks=len(_looks(planned, run)) if planned else 1,
        until=_until(planned, counted, run) if planned else None,
    )


def _looks(planned: FamilyInfo, run: Run) -> tuple[int, ...]:
    """Return at which numbers of blocks the plan looks whether they are enough."""
    least = run.blocks_min if planned.design == "solo" or run.duet_blocks_min is None else run.duet_blocks_min
    most = len(planned.blocks)
    return looks_of(least or most, most)


def _until(planned: FamilyInfo, counted: Sequence[Trial], run: Run) -> int | None:
    """Return how many blocks the last look saw; None once the family has ended, which is the last look of all."""
    if planned.ended_by or not planned.blocks:
        return None
    found = Counter(trial.block for trial in counted)
    whole = (found[block] >= sum(map(len, items)) for block, items in enumerate(planned.blocks))
    done = next((block for block, is_whole in enumerate(whole) if not is_whole), len(planned.blocks))
    return last_look(done, _looks(planned, run))


def _title(planned: FamilyInfo | None, trials: Sequence[Trial], *, duet: bool) -> str:
    of = planned or trials[0]
    return f"{'duets, ' if duet else ''}{family_name(of.threads or 1, of.connections or 0, of.mode)}"


def _block_s(planned: FamilyInfo, run: Run) -> float | None:
    """Return how long a block takes; None where the run does not say how long its trials are."""
    trial_s = run.duet_duration_s if planned.design == "duet" and run.duet_duration_s else run.duration_s
    if not planned.blocks or trial_s is None:
        return None
    return len(planned.blocks[0]) * ((run.warmup_s or 0) + trial_s + OVERHEAD_S)


def _twin_logs(trials: Sequence[Trial], baseline: str, twins: Mapping[str, str], value: str) -> list[float]:
    """Return the log ratios of the twin to its original; of the family's baseline if that has one, else of any."""
    present = [trial.cell for trial in trials if trial.cell in twins]
    twin = next((cell for cell in present if twins[cell] == baseline), next(iter(present), None))
    if twin is None:
        return []
    pairs = {trial.pair for trial in trials if trial.cell == twin}
    originals = [trial for trial in trials if trial.cell == twins[twin] and trial.pair in pairs]
    return log_ratios([trial for trial in trials if trial.cell == twin], originals, value)


def _ended(planned: FamilyInfo, run: Run) -> str:
    """Return in words which bound ended a family; empty while it goes on."""
    by = planned.ended_by
    if by == "most blocks":
        return f"ended at the limit of {len(planned.blocks)}"
    if by == "precision":
        precision = run.duet_precision if planned.design == "duet" and run.duet_precision else run.precision
        return f"ended once every ratio was known to ±{(precision or 0) * 100:g} %"
    if by == "time budget":
        return f"ended by the time budget{f' of {format_duration(run.budget_s)}' if run.budget_s else ''}"
    return by or ""


def noise_line(families: Sequence[Family]) -> str:
    """Return each baseline's noise floor: "epoll ±3 % by rate, ±2 % by CPU; epoll ±1 % in duets"."""
    found: dict[str, list[str]] = {}
    for family in families:
        title = f" ({family.title.removeprefix('duets, ')})" if len(families) > 2 else ""
        of = found.setdefault(f"{family.baseline or 'the baseline'}{title}", [])
        floors = {"in duets": family.cost} if family.rate is None else {"by rate": family.rate, "by CPU": family.cost}
        of += [f"{_floor(floor)} {how}" for how, floor in floors.items()]
    return "; ".join(f"{baseline} {', '.join(floors)}" for baseline, floors in found.items())


def _floor(floor: Floor) -> str:
    if floor.reach is None:
        return "not known" if floor.estimate is None else f"not known from {plural(floor.estimate.count, 'block')}"
    return f"±{percent(floor.reach)} %{' (it differs from itself: the margin is that wide)' if floor.bias else ''}"


def blocks_line(families: Sequence[Family]) -> str:
    """Return how many blocks the families got and what ended them, once where that is the same."""
    notes: dict[str, list[str]] = {}
    for family in families:
        notes.setdefault(blocks_note(family), []).append(family.title)
    if len(notes) == 1:
        return next(iter(notes))
    return "; ".join(f"{' and '.join(titles)}: {note}" for note, titles in notes.items())


def blocks_note(family: Family) -> str:
    """Return how many blocks a family got, how many were repeated, and which bound ended it."""
    repeated = f" ({family.repeated} repeated, since a trial did not count)" if family.repeated else ""
    return f"{plural(family.blocks, 'block')}{repeated}, {family.ended or 'not ended yet'}"
