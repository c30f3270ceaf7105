"""One careful sentence for each table: who is ahead, of whom, by how much, and what must be said against it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from reports.claims.comparing import Ranking, lead
from reports.view.rows import Row, digits, named, plural
from runners.stats.statistics import Estimate

NOTHING_MEASURED = "nothing measured in this run."


def headline(measured: Sequence[Row], ranking: Ranking) -> str:
    """Return the answer of a table, or why there is none."""
    if not measured:
        return NOTHING_MEASURED
    if len(measured) == 1:
        only = measured[0]
        cost = f", {only.costs.server.value:.1f} µs of server CPU each" if only.costs.server else ""
        return f"only {named(only)} measured: {_rate(only)} requests per second{cost}{_at_least(only)}."
    baseline = next(row for row in measured if row.baseline)
    if ranking.groups:
        said = f"{_winner(ranking, baseline)}{_runner_up(ranking)}{_basis(ranking, baseline)}"
        return f"{said}{_left_out(measured, baseline, ranking)}."
    if ranking.refused == "few":
        return _unresolved(measured, baseline, ranking)
    if ranking.refused == "alone":
        return f"nothing to rank: {_apart(measured, baseline)}."
    return f"nothing is ranked: {ranking.refused}, seen between the family's baseline and its own twin."


def _apart(measured: Sequence[Row], baseline: Row) -> str:
    others = [row for row in measured if row.group == baseline.group and row.shared != baseline.shared]
    if not others:
        return f"no other row can be compared with {named(baseline)}"
    shared = sum(1 for row in measured if row.shared)
    return f"{shared} of {plural(len(measured), 'measured row')} shared CPUs with the load generator"


def _winner(ranking: Ranking, baseline: Row) -> str:
    """Return what the best row has over the baseline, with the interval or the doubt."""
    first = ranking.groups[0]
    best = first[0]
    if best.baseline:
        return f"{named(best)} {_led(best, ranking)}"
    ratio = _ratio(best, ranking)
    if ratio is None or any(row.baseline for row in first):
        return f"{named(best)} and {named(baseline)} cannot be told apart{_as(ratio)}"
    if ranking.by == "cost":
        times = f"{_number(ratio)} times that of {named(baseline)}{_in(ratio)}"
        return f"{named(best)} took least server CPU per request, {times}"
    return f"{named(best)} answered {_number(ratio)} times as many requests as {named(baseline)}{_in(ratio)}"


def _led(best: Row, ranking: Ranking) -> str:
    """Return what a baseline that leads did."""
    if ranking.by == "cost" and best.costs.server:
        return f"took least server CPU per request, {best.costs.server.value:.1f} µs"
    return f"answered most requests, {_rate(best)} per second{_at_least(best)}"


def _ratio(row: Row, ranking: Ranking) -> Estimate | None:
    if row.comparison is None:
        return None
    return row.comparison.ratio if ranking.by == "rate" else row.comparison.cost


def _as(ratio: Estimate | None) -> str:
    return f": ratio {_number(ratio)}{_in(ratio)}" if ratio else ""


def _in(ratio: Estimate) -> str:
    if ratio.interval is None:
        return " (no interval: too few blocks)"
    places = digits(ratio.value)
    return f" (between {ratio.interval.low:.{places}f} and {ratio.interval.high:.{places}f})"


def _number(ratio: Estimate) -> str:
    return f"{ratio.value:.{digits(ratio.value)}f}"


def _runner_up(ranking: Ranking) -> str:
    """Return whether the best row is really ahead of the next one, where that is not said already."""
    first, best = ranking.groups[0], ranking.groups[0][0]
    ties = [row for row in first[1:] if not row.baseline]
    if ties:
        more = f" and {plural(len(ties) - 1, 'other')}" if len(ties) > 1 else ""
        return f"; it cannot be told from {named(ties[0])}{more}"
    if len(ranking.groups) < 2 or (ranking.groups[1][0].baseline and not best.baseline):
        return ""
    second = ranking.groups[1][0]
    ahead = lead(best, second, ranking.by, sum(map(len, ranking.groups)) - 1)
    word = "is slower" if ranking.by == "rate" else "costs more"
    return f"; the next, {named(second)}, {word} by a factor of {_number(ahead)}{_in(ahead)}" if ahead else ""


def _basis(ranking: Ranking, baseline: Row) -> str:
    if ranking.by == "rate":
        return ""
    why = "server and load generator shared CPUs" if baseline.shared else "the load generator was the limit"
    return f"; ranked by CPU cost, because {why}"


def _left_out(measured: Sequence[Row], baseline: Row, ranking: Ranking) -> str:
    """Return that rows which could be compared are not ranked, as trials of theirs were invalid: they may be better."""
    ranked = sum(map(len, ranking.groups))
    comparable = sum(1 for row in measured if row.group == baseline.group and row.shared == baseline.shared)
    if ranked >= comparable:
        return ""
    return f"; of {plural(comparable, 'row')} only {ranked} could be ranked, and the others may be better"


def _unresolved(measured: Sequence[Row], baseline: Row, ranking: Ranking) -> str:
    """Return the highest rate, or least cost, without an interval to prove it."""
    rows = [row for row in measured if row.group == baseline.group and row.shared == baseline.shared]
    if ranking.by == "cost":
        known = [row for row in rows if row.costs.server]
        best = min(known, key=lambda row: row.costs.server.value if row.costs.server else 0, default=baseline)
    else:
        best = max(rows, key=lambda row: row.rps.value if row.rps else 0)
    said = _winner(Ranking(ranking.by, ((best,),)), baseline)
    return f"{said}{_basis(ranking, baseline)}; fewer than six blocks prove nothing."


def _rate(row: Row) -> str:
    return f"{row.rps.value:.0f}" if row.rps else "?"


def _at_least(row: Row) -> str:
    return ", at least: the load generator was the limit" if row.client_bound else ""
