"""What the validity checks found: in one line per table, and check by check for each cell. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from reports.view.families import Family
from runners.records.trial import Check, Outcome, Trial

SEVERITY: tuple[Outcome, ...] = ("fail", "warn", "pass", "unknown")  # the first that occurs stands for all trials
WORDS: dict[Outcome, str] = {"fail": "failed", "warn": "warned", "pass": "passed", "unknown": "unknown"}

CheckLine = tuple[tuple[str, str], ...]  # ("passed", "18"), ("warned", "V8 client not saturated (3 of 24 trials)")


@dataclass(frozen=True)
class Saw:
    """What a check saw, how it judged that, and in how many trials; `blocks` names them if it did not pass."""

    outcome: Outcome
    text: str
    count: int
    blocks: str = ""


@dataclass(frozen=True)
class CheckRow:
    """One check over all trials of a cell; `advice` is empty if it passed."""

    id: str
    name: str
    outcome: Outcome
    limit: str
    saws: tuple[Saw, ...]
    advice: str


def by_check(trials: Iterable[Trial]) -> dict[str, list[Check]]:
    """Return all checks of the trials by id, in the order of the ids."""
    found: dict[str, list[Check]] = {}
    for trial in trials:
        for check in trial.checks:
            found.setdefault(check.id, []).append(check)
    return dict(sorted(found.items(), key=lambda item: (len(item[0]), item[0])))


def worst(outcomes: Container[Outcome]) -> Outcome:
    """Return the worst of several outcomes; unknown only if all are."""
    return next(outcome for outcome in SEVERITY if outcome in outcomes)


def check_line(trials: Sequence[Trial], families: Iterable[Family]) -> CheckLine:
    """Return which checks passed, failed, warned or are unknown, over all trials of a table and its families."""
    tallies = _tallies(trial.checks for trial in trials)
    if not tallies:
        return ()
    for family in families:
        _count((family.rate or family.cost).check, 1, tallies)
    found: dict[Outcome, list[str]] = {outcome: [] for outcome in SEVERITY}
    for _, tally in sorted(tallies.items(), key=lambda item: (len(item[0]), item[0])):
        outcome = worst(tally.counts)
        found[outcome].append(_counted(tally, outcome))
    said = {outcome: ", ".join(names) for outcome, names in found.items() if names}
    if "pass" in said:
        said["pass"] = str(len(found["pass"]))
    order: tuple[Outcome, ...] = ("pass", "fail", "warn", "unknown")
    return tuple((WORDS[outcome], said[outcome]) for outcome in order if outcome in said)


@dataclass(frozen=True)
class _Tally:
    """A check's name, and how often it had each outcome."""

    name: str
    counts: Counter[Outcome]


def _tallies(checks: Iterable[tuple[Check, ...]]) -> dict[str, _Tally]:
    """Count outcomes by check id; trials of a large run share their tuples of checks, which are counted together."""
    alike: dict[tuple[int, ...], tuple[tuple[Check, ...], int]] = {}
    for of in checks:
        same = tuple(map(id, of))
        alike[same] = (of, alike.get(same, (of, 0))[1] + 1)
    tallies: dict[str, _Tally] = {}
    for of, times in alike.values():
        for check in of:
            _count(check, times, tallies)
    return tallies


def _count(check: Check, times: int, tallies: dict[str, _Tally]) -> None:
    tally = tallies.get(check.id)
    if tally is None:
        tally = tallies[check.id] = _Tally(f"{check.id} {check.name}", Counter())
    tally.counts[check.outcome] += times


def _counted(tally: _Tally, outcome: Outcome) -> str:
    """Return a check's name, and how often it had this outcome if there are several trials."""
    total = tally.counts.total()
    return tally.name if outcome == "unknown" or total == 1 else f"{tally.name} ({tally.counts[outcome]} of {total})"


def check_rows(trials: Iterable[Trial]) -> tuple[CheckRow, ...]:
    """Return every check over the trials of one cell."""
    trials = tuple(trials)
    where: dict[tuple[str, Outcome, str], list[str]] = {}
    for trial in trials:
        for check in trial.checks:
            block = "?" if trial.block is None else str(trial.block + 1)
            where.setdefault((check.id, check.outcome, check.saw), []).append(block)
    return tuple(_row(checks, where) for checks in by_check(trials).values())


def _row(checks: Sequence[Check], where: Mapping[tuple[str, Outcome, str], Sequence[str]]) -> CheckRow:
    seen = Counter((check.outcome, check.saw) for check in checks)
    outcome = worst({check.outcome for check in checks})
    advice = next((check.advice for check in checks if check.outcome in ("fail", "warn") and check.advice), "")
    return CheckRow(
        id=checks[0].id,
        name=checks[0].name,
        outcome=outcome,
        limit=next((check.limit for check in checks if check.limit), ""),
        saws=tuple(
            Saw(of, text, count, ", ".join(where[checks[0].id, of, text]) if of in ("fail", "warn") else "")
            for (of, text), count in seen.items()
        ),
        advice=advice,
    )
