"""Compares what was reported for a case with what was injected. Pure.

The machine's noise is not the checks' fault: if a check of noise fails in a case that is about something else, the case
is measured again. If it still fails, that is excused, and reported, provided the machine was seen to be busy while we
ran nothing on it. A figure distorted by noise then means nothing, so its case counts as not run. On an idle machine,
both are failures. A check that misses its fault is a failure on any machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from runners.records.trial import Check, Trial, Verdict
from runners.selftest.case import Case, CaseResult

NOISE_CHECKS = frozenset({"V12", "V13", "V14", "V15", "V16"})  # V12 for a generator that stopped too late
TELLING = frozenset({*NOISE_CHECKS, "V9"})  # noise shows in V9 as well, if only as a warning


@dataclass(frozen=True)
class Heard:
    """A trial of a case, divided into what the case is about and what is only the machine's noise."""

    case: Case
    trial: Trial

    @property
    def failing(self) -> list[Check]:
        """Return the failed checks."""
        return [check for check in self.trial.checks if check.outcome == "fail"]

    @property
    def meant(self) -> set[str]:
        """Return the ids of the checks that this fault may trip."""
        return {expect.check for expect in self.case.expected} | set(self.case.also)

    @property
    def noise(self) -> list[Check]:
        """Return the failed checks of the machine's noise, except those that the case is about."""
        return [check for check in self.failing if check.id in NOISE_CHECKS - self.meant]

    @property
    def verdict(self) -> Verdict:
        """Return the verdict that the trial would have without the noise."""
        spoilt = self.trial.verdict == "invalid" and self.noise and len(self.noise) == len(self.failing)
        return "ok" if spoilt else self.trial.verdict

    @property
    def restless(self) -> list[Check]:
        """Return all signs of a busy machine, including warnings, except those that the case is about."""
        return [c for c in self.trial.checks if c.id in TELLING - self.meant and c.outcome in {"warn", "fail"}]


def deviations(heard: Heard) -> Iterator[str]:
    """Yield what differs from what the case expects, ignoring the machine's noise."""
    case, trial = heard.case, heard.trial
    found = {check.id: check for check in trial.checks}
    for expect in case.expected:
        outcome = found[expect.check].outcome if expect.check in found else "missing"
        if outcome != expect.outcome:
            yield f"{expect.check} should {expect.outcome}, but its outcome is {outcome}"
    for check in heard.failing:
        if check.id not in heard.meant | NOISE_CHECKS:
            yield f"{check.id} fails, but nothing was injected for it: {check.saw}"
    if heard.verdict != case.verdict:
        yield f"the verdict is {heard.verdict} ({trial.reason or 'no reason'}), not {case.verdict}"
    if case.reason not in (trial.reason or ""):
        yield f"the reason does not contain '{case.reason}'"
    if case.bound not in {None, trial.bound}:
        yield f"bound by {trial.bound}, not by {case.bound}"


def judge(case: Case, trial: Trial, busy: str | None) -> CaseResult:
    """Return the result of a case; `busy` says how busy the machine was while we ran nothing on it, None: idle."""
    heard = Heard(case, trial)
    why = list(deviations(heard))
    off = [f"{fact.told(trial)} is off" for fact in case.facts if not fact.holds(trial)]
    excused = bool(off and busy and not why)
    why += [f"{told}; {busy}" for told in off] if busy else off
    why += [] if busy else idle_noise(case, trial)
    return CaseResult(
        name=case.name,
        truth=case.truth,
        named_by=case.named_by,
        wanted=case.verdict,
        status="not run" if excused else "failed" if why else "passed",
        verdict=trial.verdict,
        reported=tuple(_reported(heard)),
        why=tuple(why),
        noise=tuple(f"{check.id}: {check.saw}; {busy}" for check in heard.noise) if busy else (),
    )


def idle_noise(case: Case, trial: Trial) -> list[str]:
    """Return what is wrong with a trial if its checks report noise but the machine is idle."""
    return [f"{check.id} fails on an idle machine: {check.saw}" for check in Heard(case, trial).noise]


def spoilt_by(case: Case, trial: Trial, result: CaseResult) -> str | None:
    """Return the noise that makes a case worth measuring again, and what it may have caused; None without noise."""
    heard = Heard(case, trial)
    checks = heard.noise or (heard.restless if result.status == "failed" else [])
    others = [why for why in result.why if why not in idle_noise(case, trial)] if checks else []
    return "; ".join((*(f"{check.id} {check.outcome}: {check.saw}" for check in checks), *others)) or None


def _reported(heard: Heard) -> Iterator[str]:
    """Yield what was reported about the fault: its checks, the reason, the bound, and the known figures."""
    for check in heard.trial.checks:
        if check.id in heard.meant and check.outcome in {"warn", "fail"}:
            yield f"{check.id} {check.outcome}: {check.saw}"
    if heard.case.reason and heard.trial.reason:
        yield heard.trial.reason
    if heard.case.bound:
        yield f"bound {heard.trial.bound}"
    yield from (fact.told(heard.trial) for fact in heard.case.facts)
