"""Comparison families: how many blocks each got, which bound ended it, and what its baseline showed against its twin.

Pure. The twin is the gate (check V23): where a server differs from itself, or its noise is too wide, no row of the
family is called faster or slower, and the report prints the noise floor instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from runners.matrix.cells import variant_name
from runners.records.run import CellInfo, Run, RunFolder
from runners.records.trial import Trial
from runners.stats.comparison import Floor, by_family, counting, log_ratios, twin_floor
from runners.units import format_duration

COST, RATE = "server_cpu_us_per_request", "requests_per_s"
Measure = Literal["rate", "cost"]


@dataclass(frozen=True)
class Family:
    """One family: its baseline's name, the blocks that count, and the floors of its noise; `rate` is None for duets."""

    name: str
    design: Literal["solo", "duet"]
    baseline: str
    blocks: int
    repeated: int
    ended: str
    rate: Floor | None
    cost: Floor

    def floor(self, measure: Measure) -> Floor | None:
        """Return the noise floor of one way to compare."""
        return self.rate if measure == "rate" else self.cost


def families_of(folder: RunFolder, cells: Sequence[CellInfo], limit: float) -> dict[str, Family]:
    """Return every family of solo trials and of duets, planned or measured; `limit` is check V23's."""
    recorded = by_family(trial for trial in folder.trials if trial.design in ("solo", "duet"))
    paced = {trial.family for trial in folder.trials} - set(recorded)  # measured, but never compared by block
    planned = [family.name for family in folder.run.families]
    names = [name for name in dict.fromkeys((*planned, *recorded)) if name and name not in paced]
    twins = {cell.id: cell.twin_of for cell in cells if cell.twin_of}
    known = {cell.id: cell for cell in cells}
    return {name: _family(name, recorded.get(name, []), folder.run, twins, known, limit) for name in names}


def _family(
    name: str,
    trials: Sequence[Trial],
    run: Run,
    twins: Mapping[str, str],
    cells: Mapping[str, CellInfo],
    limit: float,
) -> Family:
    counted, planned = counting(trials), run.family(name)
    duet = planned.design == "duet" if planned else any(trial.design == "duet" for trial in trials)
    baseline = planned.baseline if planned else ""
    cell = cells.get(baseline)
    return Family(
        name=name,
        design="duet" if duet else "solo",
        baseline=variant_name(cell.server, cell.variant) if cell else "",
        blocks=len({trial.block for trial in counted}),
        repeated=len({(trial.block, trial.attempt) for trial in trials if trial.attempt}),
        ended=_ended(planned.ended_by, run, len(planned.blocks)) if planned else "",
        rate=None if duet else twin_floor(_twin_logs(counted, baseline, twins, RATE), limit),
        cost=twin_floor(_twin_logs(counted, baseline, twins, COST), limit),
    )


def _twin_logs(trials: Sequence[Trial], baseline: str, twins: Mapping[str, str], value: str) -> list[float]:
    """Return the log ratios of the twin to its original; of the family's baseline where it has one, else of any."""
    present = [trial.cell for trial in trials if trial.cell in twins]
    twin = next((cell for cell in present if twins[cell] == baseline), next(iter(present), None))
    if twin is None:
        return []
    pairs = {trial.pair for trial in trials if trial.cell == twin}
    originals = [trial for trial in trials if trial.cell == twins[twin] and trial.pair in pairs]
    return log_ratios([trial for trial in trials if trial.cell == twin], originals, value)


def _ended(by: str | None, run: Run, most: int) -> str:
    """Return in words which bound ended a family; empty while it goes on."""
    if by == "most blocks":
        return f"ended by the most blocks allowed, {most}"
    if by == "precision":
        return f"ended once every ratio was known to ±{(run.precision or 0) * 100:g} %"
    if by == "time budget":
        return f"ended by the time budget{f' of {format_duration(run.budget_s)}' if run.budget_s else ''}"
    return by or ""


def gate(families: Iterable[Family | None], measure: Measure) -> str:
    """Return why the twin forbids to rank, "noise floor +-x %"; empty where it does not."""
    for family in families:
        floor = family.floor(measure) if family else None
        if floor is not None and not floor.ranks:
            return floor_text(floor)
    return ""


def floor_text(floor: Floor) -> str:
    """Return a noise floor as people read it; empty where there is none yet."""
    return "" if floor.reach is None else f"noise floor ±{percent(floor.reach)} %"


def noise_line(families: Sequence[Family]) -> str:
    """Return what each baseline showed against its twin: "epoll +-3 % by rate, +-2 % by CPU cost, +-1 % in duets"."""
    found: dict[str, list[str]] = {}
    for family in families:
        short = "/".join(family.name.split("/")[1:3])
        of = found.setdefault(f"{family.baseline or 'the baseline'}{f' ({short})' if len(families) > 2 else ''}", [])
        floors = {"in duets": family.cost} if family.rate is None else {"by rate": family.rate, "by CPU": family.cost}
        of += [f"{_floor(floor)} {how}" for how, floor in floors.items()]
    return "; ".join(f"{baseline} {', '.join(floors)}" for baseline, floors in found.items())


def _floor(floor: Floor) -> str:
    if floor.reach is None:
        return "not known" if floor.estimate is None else f"not known from {floor.estimate.count} blocks"
    return f"±{percent(floor.reach)} %{'' if floor.ranks else ' (nothing is ranked)'}"


def blocks_line(families: Sequence[Family]) -> str:
    """Return how many blocks the families got and what ended them, said once where it is the same."""
    notes: dict[str, list[str]] = {}
    for family in families:
        notes.setdefault(blocks_note(family), []).append(family.name)
    if len(notes) == 1:
        return next(iter(notes))
    return "; ".join(f"{', '.join(names)}: {note}" for note, names in notes.items())


def blocks_note(family: Family) -> str:
    """Return how many blocks a family got, which were repeated, and which bound ended it."""
    repeated = f" ({family.repeated} repeated because a trial was invalid)" if family.repeated else ""
    count = f"{family.blocks} {'block' if family.blocks == 1 else 'blocks'}"
    return f"{count}{repeated}, {family.ended or 'not ended yet'}"


def percent(share: float) -> str:
    """Return a share in percent with two significant digits, never in powers of ten."""
    return f"{share * 100:.2g}" if share < 0.995 else f"{share * 100:.0f}"
