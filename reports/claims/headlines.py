"""One careful sentence for each table: who is ahead of whom, by how much, and what limits that. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from reports.claims.comparing import Ranking, lead
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
from reports.view.rows import Row
from runners.stats.statistics import MIN_VALUES, Estimate
from runners.units import plural

NOTHING_MEASURED = "Nothing was measured in this run."


def headline(measured: Sequence[Row], ranking: Ranking) -> str:
    """Return the answer of a table, or why there is none."""
    if not measured:
        return NOTHING_MEASURED
    if len(measured) == 1:
        return _only(measured[0])
    baseline = next(row for row in measured if row.baseline)
    if ranking.groups:
        said = f"{_winner(ranking, baseline)}{_runner_up(ranking)}{_basis(ranking, baseline)}"
        return f"{said}{_left_out(measured, baseline, ranking)}."
    if ranking.refused == "few":
        return _unresolved(measured, baseline, ranking)
    if ranking.refused == "alone":
        return f"Nothing to rank: {_apart(measured, baseline)}."
    return f"Nothing is ranked: {ranking.refused}, so smaller differences cannot be seen here."


def _only(row: Row) -> str:
    cost = f", {row.costs.server.value:.1f} µs of server CPU each" if row.costs.server else ""
    return f"Only {row.name} was measured: {_rate(row)} requests per second{cost}{_at_least(row)}."


def _apart(measured: Sequence[Row], baseline: Row) -> str:
    shared = sum(1 for row in measured if row.shared)
    if any(row.operating_point == baseline.operating_point and row.shared != baseline.shared for row in measured):
        return f"{shared} of {plural(len(measured), 'measured row')} shared CPUs with the load generator"
    return f"no other row can be compared with {baseline.name}"


def _winner(ranking: Ranking, baseline: Row) -> str:
    """Return what the best row has over the baseline, with the interval or the doubt."""
    first = ranking.groups[0]
    best = first[0]
    if best.baseline:
        return f"{best.name} {_lead(best, ranking)}"
    ratio = _ratio(best, ranking)
    if ratio is None or any(row.baseline for row in first):
        return capital(no_difference(best.name, baseline.name, ratio))
    say = rate_difference if ranking.by == "rate" else cost_difference
    return capital(say(best.name, baseline.name, ratio))


def _lead(best: Row, ranking: Ranking) -> str:
    """Return what a baseline that leads did."""
    if ranking.by == "cost" and best.costs.server:
        return f"needs the least server CPU per request, {best.costs.server.value:.1f} µs"
    return f"answers the most requests, {_rate(best)} per second{_at_least(best)}"


def _ratio(row: Row, ranking: Ranking) -> Estimate | None:
    if row.comparison is None:
        return None
    return row.comparison.ratio if ranking.by == "rate" else row.comparison.cost


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
    ahead = lead(best, second, ranking.by, sum(map(len, ranking.groups)) - 1)
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
    if ranking.by == "rate":
        return ""
    why = "server and load generator shared CPUs" if baseline.shared else "the load generator was the limit"
    return f"; ranked by CPU per request, because {why}"


def _left_out(measured: Sequence[Row], baseline: Row, ranking: Ranking) -> str:
    """Return that some comparable rows are not ranked, since trials of theirs were invalid: they may be better."""
    ranked = sum(map(len, ranking.groups))
    comparable = len(_comparable(measured, baseline))
    if ranked >= comparable:
        return ""
    return f"; only {ranked} of {comparable} rows could be ranked, and the others may be better"


def _comparable(measured: Sequence[Row], baseline: Row) -> list[Row]:
    point = baseline.operating_point
    return [row for row in measured if row.operating_point == point and row.shared == baseline.shared]


def _unresolved(measured: Sequence[Row], baseline: Row, ranking: Ranking) -> str:
    """Return the highest rate, or the least cost, without an interval to prove it."""
    rows = _comparable(measured, baseline)
    if ranking.by == "cost":
        known = [row for row in rows if row.costs.server]
        best = min(known, key=lambda row: row.costs.server.value if row.costs.server else 0, default=baseline)
    else:
        best = max(rows, key=lambda row: row.rps.value if row.rps else 0)
    said = _winner(Ranking(ranking.by, ((best,),)), baseline)
    return f"{said}{_basis(ranking, baseline)}; a ranking needs at least {MIN_VALUES} blocks."


def _rate(row: Row) -> str:
    return f"{row.rps.value:.0f}" if row.rps else "?"


def _at_least(row: Row) -> str:
    return ", at least: the load generator was the limit" if row.client_bound else ""
