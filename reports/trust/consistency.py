"""Do the numbers agree with each other? Seven rules over trials, whoever measured them.

Pure. Checks V1 to V29 judge a trial by what was seen beside it. These rules need nothing but the numbers, so they work
on numbers that others published, too. A rule tells what it found and never hides or drops a number; where it lacks
data, it says so.
"""

from __future__ import annotations

import itertools
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from reports.view.view import RunView, is_solo, ok_trials
from reports.view.words import one_line
from runners.matrix.cells import variant_name
from runners.records.trial import Trial
from runners.stats.comparison import counting
from runners.units import plural

RATE_OFF = 0.005  # L1: a reported duration is often the one asked for, not the one measured
LITTLE_LOW, LITTLE_HIGH = 0.9, 1.1  # L3
BYTES_OFF = 0.01  # L4
SAME_FROM_PER_S = 1000  # L6: a server that sleeps answers 10 per second in both modes, honestly
CEILING_BAND = 0.02  # L7
CEILING_SERVERS = 3  # L7
SCRIPTED = ("k6", "locust")  # L3: their users may wait between requests
WRK = ("wrk", "wrk2")  # both split connections over threads in the same way
PERCENTILES = "min p1 p5 p10 p25 p50 p75 p90 p95 p97.5 p99 p99.9 p99.99 p99.999 max"
PRINTED = tuple(PERCENTILES.split())  # L2, in their order

Checked = tuple[int, list[str]]  # how many numbers a rule could check, and the contradictions that it saw


@dataclass(frozen=True)
class ConsistencyRule:
    """One rule: what must hold, what to do where it does not, and the function that checks trials."""

    id: str
    name: str
    formula: str
    advice: str
    check: Callable[[Sequence[Trial]], Checked]

    @property
    def title(self) -> str:
        """Return "L1 rate"."""
        return f"{self.id} {self.name}"


@dataclass(frozen=True)
class Finding:
    """A contradiction that a rule found, and where."""

    rule: ConsistencyRule
    saw: str


@dataclass(frozen=True)
class RuleResult:
    """What a rule found in some trials; `checked` counts the numbers that it had data for."""

    rule: ConsistencyRule
    checked: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Consistency:
    """What all rules found in one run's numbers; `source` names the run."""

    source: str
    results: tuple[RuleResult, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Return all findings, in the order of the rules."""
        return tuple(itertools.chain.from_iterable(result.findings for result in self.results))

    @property
    def nothing(self) -> str:
        """Return why there is no finding: the numbers agree, or there are none; empty if there is one."""
        if self.findings:
            return ""
        return "no contradictions" if any(result.checked for result in self.results) else "no numbers to check"

    @property
    def unchecked(self) -> str:
        """Return the rules that had no data, "L2 percentiles in order, L3 Little's law"; empty if none had any."""
        if not any(result.checked for result in self.results):
            return ""
        return ", ".join(result.rule.title for result in self.results if not result.checked)


def consistency_of(view: RunView) -> tuple[Consistency, ...]:
    """Return what the rules find in a run and in each published one beside it."""
    own = counting(view.folder.trials)
    published = (item for item in view.published.values() if item.run.kind == "published")  # imported: its own report
    beside = [Consistency(one_line(item.name), apply_rules(item.trials)) for item in published]
    mine = [Consistency(one_line(view.machine_name), apply_rules(own))] if own or not beside else []
    return (*mine, *beside)


def apply_rules(trials: Iterable[Trial]) -> tuple[RuleResult, ...]:
    """Return what each rule finds in the trials that count."""
    counted = ok_trials(tuple(trials))
    return tuple(_result(rule, counted) for rule in RULES)


def _result(rule: ConsistencyRule, trials: Sequence[Trial]) -> RuleResult:
    checked, saws = rule.check(trials)
    return RuleResult(rule, checked, tuple(Finding(rule, saw) for saw in saws))


def rate_is_requests_over_duration(trials: Sequence[Trial]) -> Checked:
    """Compare each rate with requests / duration."""
    return _each(trials, _rate_saw)


def _rate_saw(trial: Trial) -> str | None:
    if not trial.requests or not trial.duration_us or trial.load == "fleet":  # whose rate is that of a part, see V29
        return None
    rate, known = trial.requests_per_s or 0, trial.requests / trial.duration_us * 1e6
    if abs(rate / known - 1) <= RATE_OFF:
        return ""
    seconds = trial.duration_us / 1e6
    return f"{rate:.0f} requests per second, but {trial.requests} in {seconds:.3g} s are {known:.0f}"


def percentiles_in_order(trials: Sequence[Trial]) -> Checked:
    """Compare each printed percentile with the next one, and the mean with the maximum."""
    return _each(trials, _order_saw)


def _order_saw(trial: Trial) -> str | None:
    known = [(name, trial.latency_us[name]) for name in PRINTED if name in trial.latency_us]
    if len(known) < 2:
        return None
    pairs = itertools.pairwise(known)
    wrong = [f"{low} {first:g} µs > {high} {then:g} µs" for (low, first), (high, then) in pairs if first > then]
    wrong += [f"{name} {value:g} µs is below 0" for name, value in known if value < 0]
    mean, highest = trial.latency_us.get("mean"), trial.latency_us.get("max")
    if mean is not None and highest is not None and mean > highest:
        wrong.append(f"mean {mean:g} µs > max {highest:g} µs")
    return ", ".join(wrong)


def littles_law(trials: Sequence[Trial]) -> Checked:
    """Compare rate x mean latency with what can be under way: a request per connection, or its pipeline's depth."""
    kept_open = ("persistent", "pipelined")
    return _each([trial for trial in trials if is_solo(trial) and trial.mode in kept_open], _little_saw)


def _little_saw(trial: Trial) -> str | None:
    mean_us = trial.evidence.mean_latency_us if trial.evidence else trial.latency_us.get("mean")
    depth = trial.pipeline_depth or (1 if trial.mode == "persistent" else None)
    if mean_us is None or not trial.connections or depth is None:
        return None
    share = (trial.requests_per_s or 0) * mean_us / 1e6 / (trial.connections * depth)
    if share <= LITTLE_HIGH and (share >= LITTLE_LOW or _may_idle(trial, depth)):
        return ""
    return (
        f"{trial.requests_per_s:.0f}/s x {mean_us / 1000:.3g} ms mean latency keeps"
        f" {share * trial.connections * depth:.1f} of {_in_flight(trial.connections, depth)} busy"
    )


def _may_idle(trial: Trial, depth: int) -> bool:
    """Return whether few requests under way are no contradiction, or are judged elsewhere.

    wrk times each of several pipelined requests from the first one's start to its own answer, so the mean is that of a
    part of the batch. A script may wait between its requests.
    """
    return depth > 1 or trial.load in SCRIPTED or any(check.id == "V10" for check in trial.checks)


def _in_flight(connections: int, depth: int) -> str:
    return plural(connections, "connection") if depth == 1 else f"{connections} x {depth} pipelined requests"


def bytes_per_request_constant(trials: Sequence[Trial]) -> Checked:
    """Compare bytes / requests over all trials of one program in one mode; responses in flight may add some."""
    groups = _grouped(
        [trial for trial in trials if trial.bytes_read and trial.requests],
        lambda trial: (trial.machine, trial.server, trial.variant, trial.mode, trial.load, trial.request),
    )
    alike = [group for group in groups if len(group) > 1]
    return sum(map(len, alike)), [saw for group in alike if (saw := _bytes_saw(group))]


def _bytes_saw(group: Sequence[Trial]) -> str:
    sizes = [(trial.bytes_read or 0) / (trial.requests or 1) for trial in group]
    in_flight = max((trial.connections or 0) / (trial.requests or 1) for trial in group)
    if max(sizes) / min(sizes) - 1 <= BYTES_OFF + in_flight:
        return ""
    first = group[0]
    name = variant_name(first.server, first.variant)
    return f"{name}, {first.mode}: {min(sizes):.1f} to {max(sizes):.1f} bytes per request over {len(group)} trials"


def connections_divisible(trials: Sequence[Trial]) -> Checked:
    """Divide wrk's connections by its threads: it opens threads x floor(connections / threads)."""
    counted: dict[tuple[int, int], int] = defaultdict(int)
    for trial in trials:
        for command in trial.commands:
            if command.purpose == "load" and (asked := wrk_split(command.argv)):
                counted[asked] += 1
    return sum(counted.values()), [
        f"wrk -c {connections} -t {threads} opens {connections // threads * threads} connections,"
        f" {connections // threads} per thread ({plural(count, 'number')})"
        for (connections, threads), count in counted.items()
        if connections % threads
    ]


def wrk_split(argv: Sequence[str]) -> tuple[int, int] | None:
    """Return the connections and threads that a command line asks of wrk; None if it is another program's."""
    if not argv or PurePath(argv[0]).name not in WRK:
        return None
    asked = {"-c": 10, "-t": 2}  # wrk's own defaults
    for word, after in itertools.zip_longest(argv[1:], argv[2:], fillvalue=""):
        name, _, value = word.partition("=") if word.startswith("--") else (word[:2], "", word[2:])
        short = {"--connections": "-c", "--threads": "-t"}.get(name, name)
        if short in asked and (value or after).isdecimal():
            asked[short] = int(value or after)
    connections, threads = asked["-c"], asked["-t"]
    return (connections, threads) if threads else None


def same_number_in_both_modes(trials: Sequence[Trial]) -> Checked:
    """Look for the same rate, to the last digit, in both modes."""
    found: defaultdict[tuple[str, int | None, str], dict[str, float]] = defaultdict(dict)
    for rate, cell in _cell_rates(trials):
        name = variant_name(cell.server, cell.variant)
        found[name, cell.threads, f"{cell.machine} {cell.load} {cell.connections} {cell.request}"][cell.mode] = rate
    both = [(key, rates) for key, rates in found.items() if len(rates) > 1]
    return len(both), [
        f"{name}{_with(threads)}: {rate} requests per second, {' and '.join(same)}"
        for (name, threads, _), rates in both
        for rate, same in _same(rates)
    ]


def _with(threads: int | None) -> str:
    return f", {threads} threads" if (threads or 1) > 1 else ""


def _same(rates: dict[str, float]) -> Iterator[tuple[int, list[str]]]:
    by_rate: defaultdict[int, list[str]] = defaultdict(list)
    for mode, rate in rates.items():
        by_rate[round(rate)].append(mode)
    return ((rate, modes) for rate, modes in by_rate.items() if len(modes) > 1 and rate >= SAME_FROM_PER_S)


def clusters_at_a_ceiling(trials: Sequence[Trial]) -> Checked:
    """Look for several servers near the highest rate of which none is known to have been the limit itself."""
    groups: defaultdict[tuple[object, ...], list[tuple[float, Trial]]] = defaultdict(list)
    for rate, cell in _cell_rates(trials):
        groups[cell.machine, cell.mode, cell.load, cell.connections, cell.request].append((rate, cell))
    many = [group for group in groups.values() if len({cell.server for _, cell in group}) >= CEILING_SERVERS]
    return sum(map(len, many)), [saw for group in many if (saw := _ceiling_saw(group))]


def _ceiling_saw(group: Sequence[tuple[float, Trial]]) -> str:
    highest = max(rate for rate, _ in group)
    near = [(rate, cell) for rate, cell in group if rate >= highest * (1 - CEILING_BAND)]
    servers = dict.fromkeys(cell.server for _, cell in near if cell.bound not in ("server", "shared"))
    if len(servers) < CEILING_SERVERS:
        return ""
    lowest = min(rate for rate, _ in near)
    return f"{', '.join(servers)}, {near[0][1].mode}: all between {lowest:.0f} and {highest:.0f} requests per second"


def _cell_rates(trials: Sequence[Trial]) -> Iterator[tuple[float, Trial]]:
    """Yield each cell's median rate at full load, with a trial whose bound most of its trials had."""
    for group in _grouped([trial for trial in trials if is_solo(trial)], lambda trial: trial.cell):
        bound = statistics.mode(trial.bound for trial in group)
        shown = next(trial for trial in group if trial.bound == bound)
        yield statistics.median(trial.requests_per_s or 0 for trial in group), shown


def _each(trials: Iterable[Trial], look: Callable[[Trial], str | None]) -> Checked:
    """Check each trial and tell once per cell what was seen; `look` returns None for a trial without the data."""
    checked, seen = 0, defaultdict[str, list[str]](list)
    for trial in trials:
        saw = look(trial)
        checked += saw is not None
        if saw:
            seen[trial.slug].append(saw)
    return checked, [
        f"{cell}: {saws[0]}{f' (and {len(saws) - 1} more of its trials)' if len(saws) > 1 else ''}"
        for cell, saws in seen.items()
    ]


def _grouped(trials: Iterable[Trial], key: Callable[[Trial], object]) -> list[list[Trial]]:
    found: defaultdict[object, list[Trial]] = defaultdict(list)
    for trial in trials:
        found[key(trial)].append(trial)
    return list(found.values())


RULES: tuple[ConsistencyRule, ...] = (
    ConsistencyRule(
        "L1",
        "rate",
        f"requests per second = requests / duration, within {RATE_OFF * 100:g} %",
        "check whether one of the three belongs to another interval or another trial",
        rate_is_requests_over_duration,
    ),
    ConsistencyRule(
        "L2",
        "percentiles in order",
        "0 <= min <= p50 <= p90 <= p99 <= max, and mean <= max; for printed figures, as a histogram's always are",
        "check whether two columns were swapped, or percentiles averaged over trials",
        percentiles_in_order,
    ),
    ConsistencyRule(
        "L3",
        "Little's law",
        f"rate x mean latency / connections is between {LITTLE_LOW:g} and {LITTLE_HIGH:g}, for persistent connections"
        " at full load, and at most that times the depth for pipelined ones; where a trial has check V10, that judges"
        " idle connections",
        "above: the latency belongs to other requests, or these were pipelined; below: connections were dead, or waited"
        " inside the generator",
        littles_law,
    ),
    ConsistencyRule(
        "L4",
        "bytes per request",
        f"bytes / requests of one program in one mode agree within {BYTES_OFF * 100:g} %, but for responses in flight",
        "check whether some responses were errors, or another server's",
        bytes_per_request_constant,
    ),
    ConsistencyRule(
        "L5",
        "connections divisible",
        "wrk's connections are a multiple of its threads",
        "fewer connections were open than the number says; choose a number of threads that divides them",
        connections_divisible,
    ),
    ConsistencyRule(
        "L6",
        "same number in both modes",
        f"no rate of {SAME_FROM_PER_S}/s or more is the same, to the last digit, in both modes",
        "one of them was probably copied, or measured in the other mode; measure both again",
        same_number_in_both_modes,
    ),
    ConsistencyRule(
        "L7",
        "ceiling",
        f"at most {CEILING_SERVERS - 1} servers are within {CEILING_BAND * 100:g} % of the highest rate of their mode"
        " and connections; servers known to have been the limit themselves do not count",
        "something else was probably the limit, the load generator or the network; compare CPU per request",
        clusters_at_a_ceiling,
    ),
)
