"""The one place that decides: each row of a table against its baseline, by which figure, and with which verdict. Pure.

Duets decide between rows of equal threads, wherever they were measured. Rows of other thread counts are decided by
requests per second, if server and load generator had CPUs of their own; otherwise this machine cannot show which is
faster. Without duets, as with a fleet, what was measured alone decides: by rate, or by the server's CPU time per
request where the load generator was the limit or shared the CPUs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from reports.claims.comparing import VALUES, solo_logs
from reports.claims.duets import DuetRow
from reports.claims.phrases import interval_text
from reports.claims.rules import WORDS, Logs, rule_of, seen
from reports.view.families import Family, Measure
from reports.view.rows import Row
from reports.view.words import needs
from runners.stats.rule import MARGINS, Design, Rule
from runners.stats.statistics import Answer, Estimate, Interval, Judgement, ratio
from runners.units import plural

Families = Mapping[str, Family]
CANNOT_SHOW = "this machine cannot show it"
NO_COSTS = "the load generator was the limit, and CPU times are not known"
BASES: Mapping[tuple[Design, Measure], str] = {
    ("duet", "cost"): "CPU per request in duets",
    ("solo", "rate"): "requests per second, measured alone",
    ("solo", "cost"): "CPU per request, measured alone",
}


@dataclass(frozen=True)
class Decision:
    """The verdict on one row: by which design and figure, from which ratio to the baseline, by which rule.

    Without a judgement, `why` says why there is none. `disagrees` says how what was measured alone contradicts a duet.
    A block more takes about `block_s`. `over_threads` says that the baseline has another number of threads.
    """

    basis: Design
    measure: Measure
    estimate: Estimate | None = None
    rule: Rule | None = None
    judgement: Judgement | None = None
    why: str = ""
    disagrees: str = ""
    block_s: float | None = None
    over_threads: bool = False

    @property
    def answer(self) -> Answer | None:
        """Return the verdict."""
        return self.judgement.answer if self.judgement else None

    def is_by(self, basis: Design, measure: Measure) -> bool:
        """Return whether that design and figure decide."""
        return (self.basis, self.measure) == (basis, measure)

    @property
    def figure(self) -> str:
        """Return the name of the figure that decides, as trials have it."""
        return VALUES[self.measure]

    @property
    def resolves(self) -> float | None:
        """Return the smallest difference that could be resolved, as a share; None without an interval."""
        return self.rule.resolves(self.estimate) if self.rule and self.estimate else None

    @property
    def needs(self) -> str:
        """Return how many more blocks would resolve the ratio, in words; empty if that is not known."""
        return needs(self.judgement, self.block_s)

    @property
    def unsaid(self) -> tuple[str, str]:
        """Return what stands in place of a verdict, and why."""
        head, _, reason = self.why.partition(": ")
        return (head, reason) if head == CANNOT_SHOW else ("no verdict", self.why)

    @property
    def by(self) -> str:
        """Return by what it is decided, in words."""
        return BASES[self.basis, self.measure]


@dataclass(frozen=True)
class Evidence:
    """What a decision is made from: the basis, the log ratios by block, and the families that they come from."""

    row: Row
    basis: Design
    measure: Measure
    logs: Logs
    families: tuple[Family, ...] = ()
    why: str = ""

    @property
    def group(self) -> tuple[Design, Measure]:
        """Return the family of comparisons that a row belongs to."""
        return self.basis, self.measure


def decide(rows: Sequence[Row], duets: Sequence[DuetRow], families: Families) -> dict[str, Decision]:
    """Return the decision on each of the rows of one operating point by its cell, but for their baseline.

    They were measured alone, or at least beside another.
    """
    baseline = next(row for row in rows if row.baseline)
    others = [row for row in rows if row is not baseline and row.cell]
    measure: Measure = "cost" if any(row.shared or row.client_bound for row in _alike(others, baseline)) else "rate"
    pairs = {(duet.row.id, duet.baseline.id): duet for duet in duets}
    found = [_evidence(row, baseline, measure, pairs, families) for row in others]
    counts = {each.group: sum(1 for other in found if other.group == each.group and not other.why) for each in found}
    return {each.row.cell.id: _decision(each, counts[each.group], baseline) for each in found if each.row.cell}


def _alike(others: Sequence[Row], baseline: Row) -> list[Row]:
    """Return the baseline and the rows of as many threads: one figure decides between all of them."""
    return [baseline, *(row for row in others if _threads(row) == _threads(baseline))]


def _threads(row: Row) -> int:
    return row.cell.threads if row.cell else 0


def unlike(row: Row, baseline: Row) -> str:
    """Return why two rows are never compared, whatever their numbers; empty if they can be."""
    if "historic" in row.tags or "historic" in baseline.tags:
        return "historic: shown, never ranked"
    for each in (row, baseline):
        if each.broken:
            return f"not ranked: its class promises {', '.join(each.broken)}, which {each.name} fails"
        if each.cold:
            return f"{each.name} was not warm: {each.cold}"
    return ""


def _evidence(
    row: Row, baseline: Row, measure: Measure, pairs: Mapping[tuple[str, str], DuetRow], families: Families
) -> Evidence:
    if _threads(row) != _threads(baseline):
        why = unlike(row, baseline) or _over_threads(row, baseline)
        return _alone(Evidence(row, "solo", "rate", {}, why=why), baseline, families)
    beside, family = _together(row, baseline, pairs, families)
    if beside:
        return Evidence(row, "duet", "cost", beside, family, unlike(row, baseline))
    why = unlike(row, baseline)
    if row.shared != baseline.shared:
        why = why or "only one of the two shared CPUs with the load generator"
    return _alone(Evidence(row, "solo", measure, {}, why=why), baseline, families)


def _over_threads(row: Row, baseline: Row) -> str:
    """Return why rates over thread counts give no verdict; empty if they do."""
    if row.shared or baseline.shared:
        more = max(_threads(row), _threads(baseline))
        return f"{CANNOT_SHOW}: with {plural(more, 'thread')}, server and load generator share CPUs"
    if row.client_bound or baseline.client_bound:
        return f"{CANNOT_SHOW}: the load generator was the limit"
    return ""


def _alone(evidence: Evidence, baseline: Row, families: Families) -> Evidence:
    row = evidence.row
    names = dict.fromkeys(each.cell.family for each in (row, baseline) if each.cell)
    known = tuple(families[name] for name in names if name in families)
    unmeasured = next((each for each in (row, baseline) if each.status != "measured"), None)
    if unmeasured and not evidence.why:
        evidence = replace(evidence, why=f"no trial of {unmeasured.name} alone counts")
    logs = solo_logs(row, baseline, evidence.measure)
    unknown = "" if logs or evidence.measure == "rate" else NO_COSTS
    return replace(evidence, logs=logs, families=known, why=evidence.why or unknown)


def _together(
    row: Row, baseline: Row, pairs: Mapping[tuple[str, str], DuetRow], families: Families
) -> tuple[Logs, tuple[Family, ...]]:
    """Return the log ratios of costs in duets, direct ones or by way of a third server that both ran beside."""
    if row.cell is None or baseline.cell is None:
        return {}, ()
    one, other = row.cell.id, baseline.cell.id
    found = _direct(one, other, pairs)
    if found:
        return found, _duet_families(families, row)
    partners = [cell for cell in dict.fromkeys(cell for pair in pairs for cell in pair) if cell not in (one, other)]
    for third in partners:
        mine, theirs = _direct(one, third, pairs), _direct(other, third, pairs)
        both = {block: mine[block] - theirs[block] for block in mine if block in theirs}
        if both:
            return both, _duet_families(families, row) * 2  # each of the two ratios may be off by the bias
    return {}, ()


def _direct(one: str, other: str, pairs: Mapping[tuple[str, str], DuetRow]) -> Logs:
    if (one, other) in pairs:
        return pairs[one, other].logs
    if (other, one) in pairs:
        return {block: -value for block, value in pairs[other, one].logs.items()}
    return {}


def _duet_families(families: Families, row: Row) -> tuple[Family, ...]:
    name = f"{row.cell.family}/duet" if row.cell else ""
    return (families[name],) if name in families else ()


def _decision(evidence: Evidence, comparisons: int, baseline: Row) -> Decision:
    rule = rule_of(evidence.basis, comparisons, evidence.measure, evidence.families)
    estimate = rule.estimate(seen(evidence.logs, evidence.families))
    blocks_s = [family.block_s for family in evidence.families if family.block_s is not None]
    decision = Decision(
        basis=evidence.basis,
        measure=evidence.measure,
        estimate=estimate,
        rule=rule,
        why=evidence.why or ("" if estimate else "not enough blocks yet"),
        block_s=max(blocks_s, default=None),
        over_threads=_threads(evidence.row) != _threads(baseline),
    )
    if decision.why or estimate is None:
        return decision
    judged = replace(decision, judgement=rule.judge(estimate, *WORDS[evidence.measure]))
    return replace(judged, disagrees=_disagrees(judged, evidence.row, baseline) if judged.basis == "duet" else "")


def _disagrees(decision: Decision, row: Row, baseline: Row) -> str:
    """Return how what was measured alone contradicts a duet, beyond both intervals and the margin; empty if not."""
    found = decision.estimate.interval if decision.estimate else None
    logs = list(solo_logs(row, baseline, "cost").values())
    alone = ratio(logs) if logs else None
    if found is None or alone is None or alone.interval is None:
        return ""
    apart = max(alone.interval.low / found.high, found.low / alone.interval.high)
    if apart <= 1 + MARGINS["solo"]:
        return ""
    return f"alone, a request costs {alone.value:.2f} times as much ({interval_text(alone)})"


ONE = Estimate(1.0, 0, Interval(1.0, 1.0, 1.0))  # a baseline against itself


def quotient(one: Estimate, other: Estimate) -> Estimate:
    """Return the ratio of two ratios to one baseline: its interval holds whenever both of theirs do."""
    mine, theirs = one.interval, other.interval
    interval = None
    if mine and theirs:
        interval = Interval(mine.low / theirs.high, mine.high / theirs.low, min(mine.level, theirs.level))
    return Estimate(one.value / other.value, max(one.count, other.count), interval)
