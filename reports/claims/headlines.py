"""One careful sentence for each table: who is ahead of whom, by how much, and what limits that. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.claims.deciding import BASES, CANNOT_SHOW
from reports.claims.phrases import (
    TWICE,
    capital,
    change_interval,
    cost_difference,
    interval_text,
    inverse,
    no_difference,
    percent_change,
    rate_difference,
    times,
)
from reports.claims.ranking import Decisions, Ranking
from reports.view.rows import Row
from runners.stats.statistics import Estimate
from runners.units import plural


@dataclass(frozen=True)
class Headline:
    """The answer of a table: `said` is who is ahead, by how much and how sure; `basis` by what; `more` what else."""

    said: str
    basis: str = ""
    more: str = ""

    @property
    def short(self) -> str:
        """Return the answer alone."""
        return f"{self.said}."

    def __str__(self) -> str:
        return f"{self.said}{self.basis}.{self.more}"


NOTHING = Headline("Nothing was measured in this run")
ONLY_NOISE = Headline("The machine was too noisy in every trial: the rates are shown, and decide nothing")


def headline(measured: Sequence[Row], ranking: Ranking, decisions: Decisions) -> Headline:
    """Return the answer of a table, or why there is none."""
    if not measured:
        return NOTHING
    if len(measured) == 1:
        return Headline(_only(measured[0]))
    baseline = next(row for row in measured if row.baseline)
    if ranking.groups:
        return Headline(
            f"{_winner(ranking, baseline)}{_runner_up(ranking)}",
            f"; by {_basis(ranking, baseline)}{_left_out(measured, ranking, decisions)}",
            _over_threads(measured, ranking, decisions),
        )
    if ranking.refused == "few":
        return _unresolved(measured, baseline, ranking, decisions)
    return Headline(f"Nothing to rank: {_apart(measured, baseline, decisions)}{_costs(measured, decisions)}")


def _only(row: Row) -> str:
    cost = f", {row.costs.server.value:.1f} µs of server CPU each" if row.costs.server else ""
    return f"Only {row.name} was measured: {_rate(row)} requests per second{cost}{_at_least(row)}"


def _apart(measured: Sequence[Row], baseline: Row, decisions: Decisions) -> str:
    """Return why no row can be ranked beside the baseline: the reason of most of them."""
    point = baseline.operating_point
    others = [row for row in measured if row is not baseline and row.operating_point == point and row.cell]
    whys = [why for row in others if row.cell and row.cell.id in decisions and (why := decisions[row.cell.id].why)]
    return max(whys, key=whys.count) if whys else f"no other row can be compared with {baseline.name}"


def _costs(measured: Sequence[Row], decisions: Decisions) -> str:
    """Return what a request costs where rates cannot show who is faster: the least, and the most."""
    hidden = any(found.why.startswith(CANNOT_SHOW) for found in decisions.values())
    known = sorted((row.costs.server.value, row.name) for row in measured if row.costs.server)
    if not hidden or len(known) < 2:
        return ""
    (least, cheapest), *_, (most, costliest) = known
    return f"; a request costs {cheapest} {least:.1f} µs of server CPU, {costliest} {most:.1f} µs"


def _winner(ranking: Ranking, baseline: Row) -> str:
    """Return what the best row has over the baseline, with the interval or the doubt."""
    first = ranking.groups[0]
    best = first[0]
    if best.baseline:
        return f"{best.name} {_lead(best, ranking)}"
    ratio = _ratio(best, ranking)
    if ratio is None or any(row.baseline for row in first):
        return capital(no_difference(best.name, baseline.name, ratio))
    if ranking.by == "cost" and ratio.interval and ratio.value <= 1 / TWICE:
        most = inverse(ratio)
        return (
            f"{best.name} needs the least CPU per request; {baseline.name} needs {times(most)} as much"
            f" ({interval_text(most)})"
        )
    say = rate_difference if ranking.by == "rate" else cost_difference
    return capital(say(best.name, baseline.name, ratio))


def _lead(best: Row, ranking: Ranking) -> str:
    """Return what a baseline that leads did."""
    if ranking.by == "cost":
        alone = f", {best.costs.server.value:.1f} µs" if best.costs.server else ""
        return f"needs the least server CPU per request{alone}"
    return f"answers the most requests, {_rate(best)} per second{_at_least(best)}"


def _ratio(row: Row, ranking: Ranking) -> Estimate | None:
    return (ranking.ratios or {}).get(row.cell.id) if row.cell else None


def _runner_up(ranking: Ranking) -> str:
    """Return whether the best row is really ahead of the next one, if that is not said already."""
    first, best = ranking.groups[0], ranking.groups[0][0]
    ties = [row for row in first[1:] if not row.baseline]
    if ties:
        more = f" and {plural(len(ties) - 1, 'other')}" if len(ties) > 1 else ""
        return f"; no measurable difference between {best.name} and {ties[0].name}{more}"
    if len(ranking.groups) < 2 or (ranking.groups[1][0].baseline and not best.baseline):
        return ""
    second = ranking.groups[1][0]
    ahead = ranking.lead(best, second)
    return f"; {second.name} is next, with {_behind(ahead, ranking)}" if ahead else ""


def _behind(ahead: Estimate, ranking: Ranking) -> str:
    """Return by how much the next row is behind the best: of the requests, or of the CPU."""
    if ranking.by == "rate":
        fewer = inverse(ahead)
        return f"{percent_change(fewer, 'fewer')} ({change_interval(fewer)})"
    if ahead.value >= TWICE:
        return f"{times(ahead)} the CPU ({interval_text(ahead)})"
    return f"{percent_change(ahead, 'less')} CPU ({change_interval(ahead)})"


def _basis(ranking: Ranking, baseline: Row) -> str:
    """Return by what the rows are ranked, and why not by rate where nothing was measured in duets."""
    if (ranking.basis, ranking.by) != ("solo", "cost"):
        return BASES[ranking.basis, ranking.by]
    why = "server and load generator shared CPUs" if baseline.shared else "the load generator was the limit"
    return f"{BASES[ranking.basis, ranking.by]}, because {why}"


def _left_out(measured: Sequence[Row], ranking: Ranking, decisions: Decisions) -> str:
    """Return that some comparable rows are not ranked, for want of blocks that count: they may be better."""
    ranked = sum(map(len, ranking.groups))
    comparable = 1 + sum(
        1
        for row in measured
        if (found := decisions.get(row.cell.id if row.cell else ""))
        and (found.basis, found.measure) == (ranking.basis, ranking.by)
        and (found.judgement or not found.estimate)
    )
    if ranked >= comparable:
        return ""
    return f"; only {ranked} of {comparable} rows could be ranked, and the others may be better"


def _over_threads(measured: Sequence[Row], ranking: Ranking, decisions: Decisions) -> str:
    """Return what rows of other thread counts add: the fastest of them, or that this machine cannot show it."""
    known = [(row, decisions[row.cell.id]) for row in measured if row.cell and row.cell.id in decisions]
    over = [(row, found) for row, found in known if found.over_threads and ranking.basis == "duet"]
    called = [(row, found) for row, found in over if found.answer == "faster" and found.estimate]
    baseline = next(row for row in measured if row.baseline)
    if called:
        best, found = max(called, key=lambda pair: pair[1].estimate.value if pair[1].estimate else 0)
        return f" {rate_difference(best.name, baseline.name, found.estimate)}." if found.estimate else ""
    hidden = [found for _, found in over if found.why.startswith(CANNOT_SHOW)]
    if not hidden:
        return ""
    return f" Over thread counts ({plural(len(hidden), 'row')}), {hidden[0].why}."


def _unresolved(measured: Sequence[Row], baseline: Row, ranking: Ranking, decisions: Decisions) -> Headline:
    """Return the ratio furthest ahead, without an interval to prove it, and how many blocks would give one."""
    known = [
        (row, found)
        for row in measured
        if row.cell and (found := decisions.get(row.cell.id)) and found.estimate and found.measure == ranking.by
    ]
    ratios = {row.cell.id: found.estimate for row, found in known if row.cell and found.estimate}
    better = min if ranking.by == "cost" else max
    best = better((row for row, _ in known), key=lambda row: ratios[row.cell.id].value if row.cell else 0)
    said = _winner(Ranking(ranking.basis, ranking.by, ((best,),), "", ratios), baseline)
    needed = max(found.rule.blocks for _, found in known if found.rule)
    verdict = f"; a verdict needs at least {needed} blocks"
    return Headline(f"{said}{verdict}", f"; by {_basis(ranking, baseline)}")


def _rate(row: Row) -> str:
    return f"{row.rps.value:.0f}" if row.rps else "?"


def _at_least(row: Row) -> str:
    return ", at least: the load generator was the limit" if row.client_bound else ""
