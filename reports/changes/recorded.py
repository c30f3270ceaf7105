"""Two runs that were recorded at different times: the cells that both have, compared by what each run measured. Pure.

This is weaker than a comparison that measures both at the same moment. Intervals hold what varied within the runs; what
changed between them, a reboot or a warm room, looks like a difference. Programs that did not change show part of that:
where one differs from itself, only what differs by more is called.

Runs of different machines, kernels or networks are compared only by way of a server that both measured beside the
others: each figure is divided by that server's in the same block, and the ratios are compared.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from reports.changes.change import KINDS, Apart, Change, Kind, Line, Place, median_of, why_none
from reports.claims.duets import DuetRow, duets_of
from reports.view.view import view_run
from runners.errors import BadInput
from runners.matrix.model import Matrix
from runners.records.run import CellInfo, Run, RunFolder
from runners.records.trial import Trial
from runners.stats.answers import believed
from runners.stats.comparison import counting
from runners.stats.rule import Design, Rule
from runners.stats.statistics import family_level
from runners.stats.steadiness import cold_side
from runners.units import plural

RULER = "floor"
LOADED = tuple(kind for kind in KINDS if kind.under == "full load")

Key = tuple[str, str | None, int, int, str, str, str]  # server, variant, threads, connections, mode, request, load


@dataclass(frozen=True)
class Recorded:
    """A run, indexed for a comparison: what people call it, its cells by key, and the trials that count by cell."""

    name: str
    run: Run
    matrix: Matrix | None
    cells: Mapping[Key, CellInfo]
    trials: Mapping[str, tuple[Trial, ...]]
    duets: tuple[DuetRow, ...]


def recorded(folder: RunFolder) -> Recorded:
    """Return a run as one side of a comparison."""
    trials: dict[str, list[Trial]] = {}
    for trial in counting(believed(folder.trials)):
        if trial.design == "solo":
            trials.setdefault(trial.cell, []).append(trial)
    view = view_run(folder)
    measured = [cell for cell in view.cells if cell.status == "planned" and not cell.twin_of]
    return Recorded(
        folder.path.name,
        folder.run,
        view.matrix,
        {_key(cell): cell for cell in measured},
        {cell: tuple(found) for cell, found in trials.items()},
        duets_of(view),
    )


def _key(cell: CellInfo) -> Key:
    return cell.server, cell.variant, cell.threads, cell.connections, cell.mode, cell.request, cell.load


def change_between(old: Recorded, new: Recorded, apart: Sequence[str]) -> Change:
    """Return what differs between two runs; `apart` says why their figures cannot be compared directly.

    Raise BadInput if they have no cell in common, or, unless they can be compared directly, no baseline.
    """
    common = [key for key in old.cells if key in new.cells and _asked(old, key[5]) == _asked(new, key[5])]
    if not common:
        raise BadInput(
            f"{old.name} and {new.name} have no cell in common (server, threads, connections, mode and request)"
        )
    changed = [key for key in common if old.cells[key].id != new.cells[key].id]
    if not apart:
        bias = _drift(old, new, [key for key in common if key not in changed]) if changed else {}
        return _change(old, new, changed or common, bias, {})
    baselines = {key: baseline for key in common if (baseline := _baseline(key, common, old, new)) and baseline != key}
    if not baselines:
        raise BadInput(
            f"{old.name} and {new.name} were recorded apart: {'; '.join(apart)}. Their figures can only be compared by"
            f" way of a server that both measured from the same sources, such as '{RULER}', and there is none"
        )
    return _change(old, new, list(baselines), {}, baselines)


def _asked(side: Recorded, request: str) -> object:
    """Return what a run sends under a name; the name itself if its matrix cannot be read."""
    asked = side.matrix.requests() if side.matrix else ()
    return next((each for each in asked if each.name == request), request)


def _baseline(key: Key, common: Iterable[Key], old: Recorded, new: Recorded) -> Key | None:
    """Return the ruler's cell beside a cell, else its family's baseline, if its sources are the same in both runs."""
    beside = [other for other in common if other[2:] == key[2:] and _unchanged(other, old, new)]
    baseline = old.run.family(old.cells[key].family)
    named = [other for other in beside if baseline and old.cells[other].id == baseline.baseline]
    return next((other for other in beside if other[0] == RULER), next(iter(named), None))


def _unchanged(key: Key, old: Recorded, new: Recorded) -> bool:
    """Return whether a server was built from the same sources, as far as the runs know."""
    one, other = (_sources(side, key[0]) for side in (old, new))
    return one is not None and one == other


def _sources(side: Recorded, server: str) -> object:
    if side.matrix is None or server not in side.matrix.server:
        return None
    described = side.matrix.server[server]
    folder = described.dir or f"servers/{server}"
    files = next((source.files for source in side.run.sources if source.dir == folder), None)
    return None if files is None else (files, described.model_dump(exclude={"title", "group"}))


def _drift(old: Recorded, new: Recorded, same: Sequence[Key]) -> Mapping[str, float]:
    """Return by how much programs that did not change differ from themselves, as a share by figure, if they do."""
    found = {kind.name: [_values(old, new, key, kind) for key in same] for kind in LOADED}
    return {
        name: max((_bias(each, len(same)) for each in values if each), default=0.0) for name, values in found.items()
    }


def _bias(values: Apart, several: int) -> float:
    interval = values.ratio(family_level(several)).interval
    return 0.0 if interval is None or interval.low <= 1 <= interval.high else max(interval.high, 1 / interval.low) - 1


def _change(
    old: Recorded, new: Recorded, keys: Sequence[Key], bias: Mapping[str, float], baselines: Mapping[Key, Key]
) -> Change:
    found = {(key, kind.name): _line(old, new, key, kind, bias, baselines.get(key)) for key in keys for kind in LOADED}
    costs = sum(line.kind.name == "cpu" for line in found.values())
    lines = (_judged(line, costs if line.kind.name == "cpu" else len(found) - costs) for line in found.values())
    to = {baselines[key][0] for key in keys if key in baselines}
    to |= {beside[0] for key in keys if key in baselines and (beside := _duet_baseline(old, new, key, baselines[key]))}
    return Change(old.name, new.name, tuple(lines), apart=True, relative_to=", ".join(sorted(to)))


def _line(old: Recorded, new: Recorded, key: Key, kind: Kind, bias: Mapping[str, float], baseline: Key | None) -> Line:
    """Return a figure of a cell, without its verdict."""
    beside = _duet_baseline(old, new, key, baseline) if kind.name == "cpu" else None
    values = _duets(old, new, key, beside) if beside else _values(old, new, key, kind, baseline)
    trials = [_trials(side, key) for side in (old, new)]
    cold = "" if kind.name == "memory" or beside else cold_side((old.name, trials[0]), (new.name, trials[1]))
    return Line(
        kind, _place(new.cells[key]), key[3],
        None if baseline else median_of(trials[0], kind.value),
        None if baseline else median_of(trials[1], kind.value),
        Rule("duet", 1, 1) if beside else Rule("solo", 1, 1, bias.get(kind.name, 0.0)),
        found=(values,) if values and not cold else (),
        why=cold or ("" if values else why_none([trial for side in trials for trial in side])),
    )  # fmt: skip


def _place(cell: CellInfo) -> Place:
    return Place(cell.mode, cell.request, _named(cell))


def _trials(side: Recorded, key: Key) -> tuple[Trial, ...]:
    return side.trials.get(side.cells[key].id, ())


def _values(old: Recorded, new: Recorded, key: Key, kind: Kind, baseline: Key | None = None) -> Apart | None:
    """Return the logarithms of both runs' values, or of their ratios to the baseline's; None without any."""
    mine, theirs = (_logs(side, key, kind, baseline) for side in (new, old))
    return Apart(mine, theirs) if mine and theirs else None


def _logs(side: Recorded, key: Key, kind: Kind, baseline: Key | None) -> tuple[float, ...]:
    values = _by_block(_trials(side, key), kind)
    if baseline is None:
        return tuple(map(math.log, values.values()))
    beside = _by_block(_trials(side, baseline), kind)
    return tuple(math.log(value / beside[block]) for block, value in values.items() if block in beside)


def _by_block(trials: Iterable[Trial], kind: Kind) -> dict[int, float]:
    found = ((trial.block or 0, kind.value(trial)) for trial in trials if trial.verdict == "ok")
    return {block: value for block, value in found if value}


def _duet_baseline(old: Recorded, new: Recorded, key: Key, baseline: Key | None) -> Key | None:
    """Return a server that did not change and that both runs measured beside a cell, the baseline if it is one."""
    mine, theirs = (_duet_logs(side, key) for side in (new, old))
    common = [beside for beside in mine if beside in theirs and _unchanged(beside, old, new)]
    return baseline if baseline in common else next(iter(common), None)


def _duets(old: Recorded, new: Recorded, key: Key, beside: Key) -> Apart:
    """Return the log ratios of a cell's duets with the same server in both runs."""
    return Apart(_duet_logs(new, key)[beside], _duet_logs(old, key)[beside])


def ratios_to_baselines(side: Recorded) -> Iterator[tuple[CellInfo, str, str, Kind, Design, tuple[float, ...]]]:
    """Yield each cell with its name, that of the ruler or the family's baseline, a figure, and their log ratios."""
    for key, cell in side.cells.items():
        for beside, logs in _duet_logs(side, key).items():
            if side.cells[beside].id == _baseline_id(side, key) or beside[0] == RULER:
                yield cell, _named(cell), _named(side.cells[beside]), LOADED[0], "duet", logs
        baseline = _ruler(side, key)
        if baseline is None:
            continue
        for kind in LOADED[1:]:
            if logs := _logs(side, key, kind, baseline):
                yield cell, _named(cell), _named(side.cells[baseline]), kind, "solo", logs


def _ruler(side: Recorded, key: Key) -> Key | None:
    """Return the ruler's cell beside a cell, else its family's baseline; None if that is itself."""
    beside = [other for other in side.cells if other[2:] == key[2:] and other != key]
    wanted = _baseline_id(side, key)
    ruler = next((other for other in beside if other[0] == RULER), None)
    return ruler or next((other for other in beside if side.cells[other].id == wanted), None)


def _baseline_id(side: Recorded, key: Key) -> str | None:
    family = side.run.family(side.cells[key].family)
    return family.baseline if family else None


def _named(cell: CellInfo) -> str:
    return f"{cell.title}, {plural(cell.threads, 'thread')}, {plural(cell.connections, 'connection')}"


def _duet_logs(side: Recorded, key: Key) -> dict[Key, tuple[float, ...]]:
    """Return the log ratios of a cell to each cell that it was measured with."""
    mine = side.cells[key].id
    pairs = [duet for duet in side.duets if not duet.twin and duet.logs and not duet.cold]
    forth = {_key(duet.baseline): tuple(duet.logs.values()) for duet in pairs if duet.row.id == mine}
    back = {_key(duet.row): tuple(-log for log in duet.logs.values()) for duet in pairs if duet.baseline.id == mine}
    return back | forth


def _judged(line: Line, rows: int) -> Line:
    """Return a line with its ratio at the level of all such lines together, and its verdict."""
    rule = replace(line.rule, rows=rows)
    if not line.found:
        return replace(line, rule=rule)
    ratio = line.found[0].ratio(rule.level)
    return replace(line, rule=rule, ratio=ratio, judgement=rule.judge(ratio, *line.kind.words))
