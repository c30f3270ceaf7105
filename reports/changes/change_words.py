"""How a change is said: a sentence per mode and request, in which figures that disagree stand side by side. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from reports.changes.change import Change, Line, Place
from reports.changes.slowdowns import TITLES, Judged
from reports.claims.phrases import TWICE, change_interval, cost_difference, interval_text, percent_change
from reports.view.words import level_text, percent
from runners.stats.statistics import Estimate
from runners.units import format_duration

MOST_SAID = 4  # places that have a sentence each; more of them are counted
MANY = 3.0  # from here on a change is a factor
LESS = {"memory": "less", "rate": "fewer"}  # latencies are shorter


def sentences(change: Change) -> str:
    """Return the answer: what is called, what is the same, and what is not resolved, in each place."""
    return f"{apart(change)} {_sentences(change)}" if change.apart else _sentences(change)


def apart(change: Change) -> str:
    """Return how much less an answer from runs of different times is worth."""
    by = f", relative to {change.relative_to} in each run" if change.relative_to else ""
    return f"Recorded at different times, so weaker than a measured comparison{by}:"


def _sentences(change: Change) -> str:
    if len(change.places) > MOST_SAID:
        return _counts(change)
    said = [_place(change, place) for place in change.places]
    if len(said) == 1:
        return said[0]
    if not said:
        return "Nothing was measured."
    return " ".join(f"{_with(change, place)}, {text}" for place, text in zip(change.places, said, strict=True))


def _counts(change: Change) -> str:
    """Return how often each verdict was reached, of many places, by figure."""
    counted: dict[str, Counter[str]] = {}
    for line in change.lines:
        counted.setdefault(line.title, Counter())[line.verdict] += 1
    said = (
        f"{figure} {', '.join(f'{count} {verdict}' for verdict, count in found.most_common())}"
        for figure, found in counted.items()
    )
    return f"{change.new} against {change.old} in {len(change.places)} places: {'; '.join(said)}."


def title(change: Change, place: Place) -> str:
    """Return what tells a place from the others: "persistent connections, request a"; empty if it is the only one."""
    if len(change.places) < 2:
        return place.cell
    modes, requests = {each.mode for each in change.places}, {each.request for each in change.places}
    mode = f"{place.mode} connections" if len(modes) > 1 else ""
    request = f"request {place.request}" if len(requests) > 1 else ""
    return ", ".join(filter(None, (place.cell, mode, request)))


def _with(change: Change, place: Place) -> str:
    if place.cell:
        return f"For {title(change, place)}"
    return f"With {title(change, place).replace(', ', ' and ')}"


def _place(change: Change, place: Place) -> str:
    lines = change.of(place)
    cpu, others = lines[0], lines[1:]
    called = [line for line in others if line.verdict in ("better", "worse")]
    return f"{_cpu(cpu, change)}{_called(cpu, called)}{_same(others)}.{_open(others)}"


def _cpu(line: Line, change: Change) -> str:
    """Return what is said of CPU time."""
    if line.ratio is None:
        return f"CPU per request of {change.old} and {change.new} was not measured: {line.why}"
    if line.verdict in ("better", "worse"):
        return cost_difference(change.new, change.old, line.ratio)
    if line.verdict == "no difference":
        return f"{change.new} needs the same CPU per request as {change.old}, within {_reach(line.ratio)} %"
    found = f"ratio {line.ratio.value:.3f}, {interval_text(line.ratio)}"
    return f"CPU per request of {change.old} and {change.new} is not resolved ({found})"


def _reach(ratio: Estimate) -> str:
    found = ratio.interval
    return percent(max(found.high, 1 / found.low) - 1) if found else "?"


def _called(cpu: Line, called: Sequence[Line]) -> str:
    """Return the other figures that differ: after "but" unless all of them go the way of CPU time."""
    if not called:
        return ""
    clauses = list(_differences(called))
    joined = f"{', '.join(clauses[:-1])}, and {clauses[-1]}" if len(clauses) > 1 else clauses[0]
    same_way = all(line.verdict == cpu.verdict for line in called)
    return f"{', and' if same_way else ', but'} {joined}"


def _differences(called: Sequence[Line]) -> Iterator[str]:
    """Yield a clause for each figure that differs; both percentiles of one load that changed alike share one."""
    left = list(called)
    while left:
        line, *left = left
        if left and _are_alike(line, left[0]):
            yield _both(line, left.pop(0))
        else:
            yield difference(line)


def _are_alike(line: Line, following: Line) -> bool:
    latencies = line.kind.name.startswith("p50") and following.kind.name.startswith("p99")
    return latencies and (line.kind.under, line.verdict) == (following.kind.under, following.verdict)


def _both(line: Line, following: Line) -> str:
    """Return a clause such as "p50 and p99 unloaded are 9 % longer (...) and 28 % longer (...)"."""
    subject = f"p50 and {following.title}"
    amounts = (difference(each).removeprefix(f"{each.title} is ") for each in (line, following))
    return f"{subject} are {' and '.join(amounts)}"


def difference(line: Line) -> str:
    """Return a clause about a figure that differs: "p99 under load is 40 % longer (95 % CI 31-52 %)"."""
    ratio = line.ratio
    if ratio is None:
        return ""
    twice = ratio.value >= TWICE
    within = _interval(ratio) if twice else change_interval(ratio)
    how_much = f"{ratio.value:.3g} times" if twice else percent_change(ratio, LESS.get(line.kind.name, "less"))
    if line.kind.name == "rate":
        return f"it answers {how_much}{' as many' if twice else ''} requests/s ({within})"
    if line.kind.name == "cpu_equal_rate":
        return f"it needs {how_much}{' the' if twice else ''} {line.title} ({within})"
    if line.kind.name == "memory":
        return f"it takes {how_much}{' the' if twice else ''} memory ({within})"
    how_long = f"{how_much} as long" if twice else how_much.replace("more", "longer").replace("less", "shorter")
    return f"{line.title} is {how_long} ({within})"


def _interval(ratio: Estimate) -> str:
    """Return a large ratio's interval without decimals that nobody needs."""
    found = ratio.interval
    return f"{level_text(found.level)} CI {found.low:.3g}\u2013{found.high:.3g}" if found else interval_text(ratio)


def _same(lines: Sequence[Line]) -> str:
    """Return in which figures there is no difference, and which one would have been seen in all of them."""
    same = [line for line in lines if line.verdict == "no difference"]
    if not same:
        return ""
    seen = percent(max(line.could_see or 0 for line in same))
    return f"; no difference in {_listed([line.title for line in same])} ({seen} % would have been seen)"


def _open(lines: Sequence[Line]) -> str:
    """Return which other figures stay open."""
    names = [line.title for line in lines if line.verdict in ("not resolved", "not measured")]
    return f" Not resolved: {', '.join(names)}." if names else ""


def reasons(change: Change) -> Iterator[str]:
    """Yield why figures are not resolved, those with the same reason together, where there is a reason."""
    found: dict[str, dict[str, None]] = {}
    for line in change.lines:
        if line.why:
            found.setdefault(line.why, {})[line.title] = None
    yield from (f"{', '.join(names)}: {why}" for why, names in found.items())


def _longer(more_s: float | None, otherwise: str) -> str:
    return f"about {format_duration(more_s)} more would resolve it" if more_s else otherwise


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def gate_lines(change: Change, found: Sequence[Judged]) -> Iterator[str]:
    """Yield what the gate says of each line that it judged, and last what it judged at all."""
    for each in found:
        where = ", ".join(filter(None, (each.line.title, title(change, each.line.place))))
        yield f"{each.bound.text} {where}: {_outcome(each)}"
    titles = dict.fromkeys(TITLES[each.bound.figure] for each in found)
    yield f"judged: {', '.join(titles)}{' only' if len(titles) == 1 else ''}"


def _outcome(each: Judged) -> str:
    slower = f" ({_slowdown(each.slowdown)})" if each.slowdown else ""
    if each.outcome == "slower":
        return f"slower than allowed{slower}"
    if each.outcome == "within":
        return f"within the bound{slower}"
    if each.slowdown is None:
        return f"not measured: {each.line.why}"
    return f"not resolved{slower}; {_longer(each.more_s, 'more time may not resolve it')}"


def _slowdown(found: Estimate) -> str:
    interval = found.interval
    if interval is None:
        return f"{signed(found.value)}, no interval yet"
    return f"slowdown {signed(found.value)}, between {signed(interval.low)} and {signed(interval.high)}"


def signed(ratio: float) -> str:
    """Return a ratio as a change: "+3.1 %", "-0.4 %", "x 6.2"."""
    change = (ratio - 1) * 100
    return f"x {ratio:.3g}" if ratio >= MANY else f"{change:+.1f} %"
