"""What changed between an old and a new server: a line per request, mode and figure, with ratio and verdict. Pure.

Duets decide about CPU time per request, as everywhere. Requests per second, memory and latency under load come from
blocks in turns. Under load a closed loop hides what waits (its latency follows from its rate), so latency comes from
duets at one rate that both sides keep, and from duets with one request at a time; CPU time at that rate stands beside.
Only where no rate was offered is latency that of the closed loop.
The intervals of CPU time hold together over the places, those of all other figures too.

A change of sources may be measured in two builds of both. A line is then called only if both builds show it: its
interval spans those of both.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from reports.claims.rules import Logs
from reports.view.families import COST
from runners.errors import BadInput
from runners.matrix.starter.comparison import ALONE, NEW, OLD
from runners.plan.equal_rates import equal_rate_per_s
from runners.plan.order import OVERHEAD_S
from runners.records.run import CellInfo, Run, RunFolder
from runners.records.trial import Trial
from runners.stats.answers import believed
from runners.stats.comparison import block_ratios, counting
from runners.stats.histogram import decode, percentile_us
from runners.stats.rule import Design, Rule
from runners.stats.statistics import Answer, Estimate, Interval, Judgement, ratio, ratio_apart
from runners.stats.steadiness import cold_side

FigureName = Literal[
    "cpu", "rate", "memory", "p50", "p99", "cpu_equal_rate", "p50_equal_rate", "p99_equal_rate", "p50_unloaded",
    "p99_unloaded",
]  # fmt: skip
Under = Literal["full load", "equal rate", "one request"]
Verdict = Literal["better", "worse", "no difference", "not resolved", "not measured"]
Value = Callable[[Trial], float | None]


@dataclass(frozen=True)
class Kind:
    """A figure: its name, what people call it, how it is measured, and whether more of it is better."""

    name: FigureName
    title: str
    design: Design
    value: Value
    more_is_better: bool = False
    under: Under = "full load"

    @property
    def recorded_as(self) -> str:
        """Return the design of its trials."""
        return "paced" if self.under == "equal rate" else self.design

    @property
    def words(self) -> tuple[Answer, Answer]:
        """Return the rule's words for a ratio above 1 and one below."""
        return ("faster", "slower") if self.more_is_better else ("slower", "faster")


def _percentile(percent: float) -> Value:
    def value(trial: Trial) -> float | None:
        try:
            return percentile_us(decode(trial.latency), percent) if trial.latency else None
        except (BadInput, ValueError):
            return None

    return value


def _cost(trial: Trial) -> float | None:
    return trial.server_cpu_us_per_request


EQUALLY = "at an equal rate"  # in titles; a line says at which
KINDS = (
    Kind("cpu", "CPU per request", "duet", _cost),
    Kind("rate", "requests/s", "solo", lambda trial: trial.requests_per_s, more_is_better=True),
    Kind("memory", "memory", "solo", lambda trial: trial.rss_bytes),
    Kind("p50", "p50 under load", "solo", _percentile(50)),
    Kind("p99", "p99 under load", "solo", _percentile(99)),
    Kind("cpu_equal_rate", f"CPU per request {EQUALLY}", "duet", _cost, under="equal rate"),
    Kind("p50_equal_rate", f"p50 {EQUALLY}", "duet", _percentile(50), under="equal rate"),
    Kind("p99_equal_rate", f"p99 {EQUALLY}", "duet", _percentile(99), under="equal rate"),
    Kind("p50_unloaded", "p50 unloaded", "duet", _percentile(50), under="one request"),
    Kind("p99_unloaded", "p99 unloaded", "duet", _percentile(99), under="one request"),
)
CLOSED_LOOP = frozenset({"p50", "p99"})  # latencies that follow from the rate


@dataclass(frozen=True)
class Place:
    """Where both sides are compared: a connection mode, a request ("": the only one), and a cell of recorded runs."""

    mode: str
    request: str = ""
    cell: str = ""


@dataclass(frozen=True)
class Paired:
    """Log ratios new / old of blocks in which both sides were measured."""

    logs: tuple[float, ...]

    def ratio(self, level: float) -> Estimate:
        """Return the ratio with its interval at a level."""
        return ratio(self.logs, level)


@dataclass(frozen=True)
class Apart:
    """Logarithms of both sides' values that were measured at different times."""

    new: tuple[float, ...]
    old: tuple[float, ...]

    def ratio(self, level: float) -> Estimate:
        """Return the ratio with its interval at a level."""
        return ratio_apart(self.new, self.old, level)


@dataclass(frozen=True)
class Line:
    """A figure in one place: medians of both sides, the ratio new / old, and what the rule says about it.

    `found` holds what was measured in each build. A block more takes about `block_s`. `why` says why there is no
    ratio, or why two builds resolve nothing together. `rate_per_s` was offered to both sides; builds may differ in it.
    """

    kind: Kind
    place: Place
    connections: int
    old: float | None
    new: float | None
    rule: Rule
    found: tuple[Paired | Apart, ...] = ()
    ratio: Estimate | None = None
    judgement: Judgement | None = None
    block_s: float | None = None
    why: str = ""
    rate_per_s: float | None = None

    @property
    def title(self) -> str:
        """Return what people call the figure here: "p99 at 3,200 requests/s"."""
        rate = "an equal rate" if self.rate_per_s is None else f"{self.rate_per_s:,.0f} requests/s"
        return self.kind.title.replace(EQUALLY, f"at {rate}")

    @property
    def design(self) -> Design:
        """Return whether it was measured alone or in duets."""
        return self.rule.design

    @property
    def verdict(self) -> Verdict:
        """Return what may be said of the new server."""
        if self.judgement is None:
            return "not measured"
        answers: Mapping[Answer, Verdict] = {"faster": "better", "slower": "worse", "equivalent": "no difference"}
        return answers.get(self.judgement.answer, "not resolved")

    @property
    def could_see(self) -> float | None:
        """Return the smallest change that this comparison could have seen, as a share; None without an interval."""
        return self.rule.resolves(self.ratio) if self.ratio else None

    @property
    def more_s(self) -> float | None:
        """Return about how much longer it would take to resolve it, in seconds; None if that is not known."""
        more = self.judgement.more_blocks if self.judgement and not self.why else None
        return more * self.block_s if more and self.block_s else None


@dataclass(frozen=True)
class Change:
    """The answer to a comparison: the names of both sides, and a line per place and figure; `builds` were measured.

    `apart` says that both sides were recorded at different times; `relative_to` then names the server by which each
    side's figures were divided, since their runs cannot be compared directly.
    """

    old: str
    new: str
    lines: tuple[Line, ...]
    builds: int = 1
    apart: bool = False
    relative_to: str = ""

    @property
    def places(self) -> tuple[Place, ...]:
        """Return where they were compared."""
        return tuple(dict.fromkeys(line.place for line in self.lines))

    def of(self, place: Place) -> tuple[Line, ...]:
        """Return the lines of a place."""
        return tuple(line for line in self.lines if line.place == place)


def is_comparison(run: Run) -> bool:
    """Return whether a run compares an old and a new server."""
    return {cell.server for cell in run.cells} == {OLD, NEW}


def change_of(folders: Sequence[RunFolder]) -> Change:
    """Return what changed, from a run of each build; BadInput if a run compares no old and new server."""
    for folder in folders:
        if not is_comparison(folder.run):
            raise BadInput(f"{folder.path} holds no comparison of two servers; speedup report shows what it holds")
    first, *others = ({cell.server: cell.title for cell in folder.run.cells} for folder in folders)
    if any(titles != first for titles in others):
        raise BadInput(
            "these runs compare different servers, so they are no builds of one comparison; name one of them"
        )
    paced = frozenset(place for folder in folders for place in _paced_places(folder))
    measured = [_lines(folder, paced) for folder in folders]
    lines = tuple(_together(same) for same in zip(*measured, strict=True))
    return Change(first[OLD], first[NEW], lines, len(folders))


def _paced_places(folder: RunFolder) -> set[Place]:
    """Return where a rate was offered to both sides."""
    paced = {trial.cell for trial in folder.trials if trial.design == "paced"}
    return {Place(cell.mode, cell.request) for cell in folder.run.cells if cell.id in paced}


def _lines(folder: RunFolder, paced: Container[Place]) -> tuple[Line, ...]:
    cells = folder.run.cells
    trials = counting(believed(folder.trials))
    places = list(dict.fromkeys(Place(cell.mode, cell.request) for cell in cells))
    most = max(cell.connections for cell in cells)
    kinds = [(place, kind) for place in places for kind in _kinds(most, paced=place in paced)]
    others = sum(kind.name != "cpu" for _, kind in kinds)
    return tuple(
        _line(
            kind, place, ALONE if kind.under == "one request" else most, trials, folder.run,
            len(places) if kind.name == "cpu" else others,
        )
        for place, kind in kinds
    )  # fmt: skip


def _kinds(most: int, *, paced: bool) -> list[Kind]:
    """Return the figures of a place: latency at an equal rate if one was offered, else that of the closed loop."""
    left_out: dict[Under, bool] = {"equal rate": not paced, "one request": most == ALONE, "full load": False}
    return [kind for kind in KINDS if not left_out[kind.under] and not (paced and kind.name in CLOSED_LOOP)]


def _line(kind: Kind, place: Place, connections: int, trials: Sequence[Trial], run: Run, rows: int) -> Line:
    old, new = (
        [trial for trial in trials if trial.cell in ids and trial.design == kind.recorded_as]
        for ids in (_ids(run.cells, side, place, connections) for side in (OLD, NEW))
    )
    rate_per_s = equal_rate_per_s([*old, *new])
    old, new = ([trial for trial in side if trial.offered_per_s == rate_per_s] for side in (old, new))
    rule = Rule(kind.design, rows, 1)
    logs = block_ratios(new, old, COST) if kind.name == "cpu" else _logs(new, old, kind.value)
    cold = "" if kind.name == "memory" else cold_side(("the old server", old), ("the new server", new))
    logs = {} if cold else logs
    return Line(
        kind, place, connections, median_of(old, kind.value), median_of(new, kind.value), rule,
        found=(Paired(tuple(logs.values())),) if logs else (),
        block_s=_block_s(kind.design, [*old, *new], run),
        why="" if logs else cold or why_none([*old, *new]),
        rate_per_s=rate_per_s,
    )  # fmt: skip


def why_none(trials: Sequence[Trial]) -> str:
    """Return why there is no ratio: the reason of most trials that do not count, or that these had too few answers."""
    if not trials:
        return "not measured within the budget"
    reasons = Counter(trial.reason or trial.verdict for trial in trials if trial.verdict != "ok")
    if len(trials) == reasons.total():
        checks = Counter(reason.split(":")[0] for reason in reasons.elements())
        return f"no trial counts ({checks.most_common(1)[0][0]})"
    return "too few answers for this percentile"


def _ids(cells: Iterable[CellInfo], side: str, place: Place, connections: int) -> set[str]:
    wanted = (side, place.mode, place.request, connections)
    return {cell.id for cell in cells if (cell.server, cell.mode, cell.request, cell.connections) == wanted}


def _logs(new: Iterable[Trial], old: Iterable[Trial], value: Value) -> Logs:
    """Return the log ratio new / old in each block in which both are valid and known."""
    mine, theirs = ({trial.block or 0: value(trial) for trial in side if trial.verdict == "ok"} for side in (new, old))
    pairs = {block: (mine[block], theirs[block]) for block in mine if block in theirs}
    return {block: math.log(one / other) for block, (one, other) in pairs.items() if one and other}


def median_of(trials: Iterable[Trial], value: Value) -> float | None:
    """Return the median of a figure over the trials that count; None without any."""
    known = [found for trial in trials if trial.verdict == "ok" and (found := value(trial)) is not None]
    return statistics.median(known) if known else None


def _block_s(design: Design, trials: Iterable[Trial], run: Run) -> float | None:
    """Return how long a block of both sides takes, two trials in turns or one duet; automatic warm-ups as they were."""
    planned_s = run.duet_duration_s if design == "duet" else run.duration_s
    if planned_s is None:
        return None
    loaded_s = [trial.duration_us / 1e6 for trial in trials if trial.duration_us]
    warmed_s = [trial.warmed_us / 1e6 for trial in trials if trial.warmed_us is not None]
    trial_s = statistics.fmean(loaded_s) if loaded_s else planned_s
    trial_s += OVERHEAD_S + (statistics.fmean(warmed_s) if warmed_s else run.warmup_s or 0)
    return trial_s if design == "duet" else 2 * trial_s


def _together(builds: Sequence[Line]) -> Line:
    """Return a line of one or two builds with its verdict."""
    first = builds[0]
    found = [each.ratio(line.rule.level) for line in builds for each in line.found]
    if len(found) < len(builds):
        return _replaced(first, builds, None, None, next(line.why for line in builds if not line.found))
    joined = hull(found)
    judgement = first.rule.judge(joined, *first.kind.words)
    each = [first.rule.judge(estimate, *first.kind.words).answer for estimate in found]
    apart = judgement.answer == "not resolved" and any(answer in first.kind.words for answer in each)
    return _replaced(first, builds, joined, judgement, ONE_BUILD if apart else "")


ONE_BUILD = "one build shows it and another does not: an effect of memory layout, not of the change"


def _replaced(
    first: Line, builds: Sequence[Line], joined: Estimate | None, judgement: Judgement | None, why: str
) -> Line:
    return replace(
        first,
        old=_mean(line.old for line in builds),
        new=_mean(line.new for line in builds),
        rate_per_s=_mean(line.rate_per_s for line in builds),
        found=tuple(each for line in builds for each in line.found),
        ratio=joined,
        judgement=judgement,
        block_s=None if first.block_s is None else first.block_s * len(builds),
        why=why,
    )


def _mean(values: Iterator[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None


def hull(estimates: Sequence[Estimate]) -> Estimate:
    """Return the estimate of all builds: between them, with an interval that spans each of theirs."""
    value = math.exp(statistics.fmean(math.log(each.value) for each in estimates))
    intervals = [each.interval for each in estimates if each.interval]
    count = min(each.count for each in estimates)
    if len(intervals) < len(estimates):
        return Estimate(value, count)
    low, high = min(each.low for each in intervals), max(each.high for each in intervals)
    return Estimate(value, count, Interval(low, high, min(each.level for each in intervals)))
