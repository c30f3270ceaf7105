"""Compares what was reported of a case with what was injected. Pure.

Noise of the machine is not a fault of the checks: where a check about it fails in a case that is not about it, the
case is measured again. In the end such a failure is excused, and told, if the machine was seen busy with nothing of
ours on it; a figure that noise stretched then says nothing, so its case counts as not run. On an idle machine both are
failures, and a check that misses its fault is one on any.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from runners.records.trial import Check, Trial, Verdict
from runners.selftest.case import Case, CaseResult

NOISE_CHECKS = frozenset({"V12", "V13", "V14", "V15", "V16"})  # V12 for a generator that stopped too late
TELLING = frozenset({*NOISE_CHECKS, "V9"})  # noise shows here as well, if only as a warning


@dataclass(frozen=True)
class Heard:
    """A trial of a case, split into what the case is about and what only the machine's noise did."""

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
        """Return the failed checks about the machine's noise that the case is not about."""
        return [check for check in self.failing if check.id in NOISE_CHECKS - self.meant]

    @property
    def verdict(self) -> Verdict:
        """Return the trial's verdict as it would be without the noise."""
        spoilt = self.trial.verdict == "invalid" and self.noise and len(self.noise) == len(self.failing)
        return "ok" if spoilt else self.trial.verdict

    @property
    def restless(self) -> list[Check]:
        """Return all that tells of a restless machine, warnings too, unless the case is about it."""
        return [c for c in self.trial.checks if c.id in TELLING - self.meant and c.outcome in {"warn", "fail"}]


def deviations(heard: Heard) -> Iterator[str]:
    """Yield what differs from what the case wants, the machine's noise left aside."""
    case, trial = heard.case, heard.trial
    found = {check.id: check for check in trial.checks}
    for expect in case.expected:
        outcome = found[expect.check].outcome if expect.check in found else "missing"
        if outcome != expect.outcome:
            yield f"{expect.check} should {expect.outcome}, yet it is {outcome}"
    for check in heard.failing:
        if check.id not in heard.meant | NOISE_CHECKS:
            yield f"{check.id} fails, which nobody injected: {check.saw}"
    if heard.verdict != case.verdict:
        yield f"the verdict is {heard.verdict} ({trial.reason or 'no reason'}), not {case.verdict}"
    if case.reason not in (trial.reason or ""):
        yield f"the reason does not say '{case.reason}'"
    if case.bound not in {None, trial.bound}:
        yield f"bound by {trial.bound}, not by {case.bound}"


def judge(case: Case, trial: Trial, busy: str | None) -> CaseResult:
    """Return the result of a case; `busy` says what the machine did while nothing of ours ran, None: nothing."""
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
    """Return what is wrong with a trial in which checks tell of noise, should the machine be idle."""
    return [f"{check.id} fails on an idle machine: {check.saw}" for check in Heard(case, trial).noise]


def spoilt_by(case: Case, trial: Trial, result: CaseResult) -> str | None:
    """Return the noise for which a case is worth measuring again, and what it may have done; None without noise."""
    heard = Heard(case, trial)
    checks = heard.noise or (heard.restless if result.status == "failed" else [])
    others = [why for why in result.why if why not in idle_noise(case, trial)] if checks else []
    return "; ".join((*(f"{check.id} {check.outcome}: {check.saw}" for check in checks), *others)) or None


def _reported(heard: Heard) -> Iterator[str]:
    """Yield what was said of the fault: its checks, else the reason; and the figures that are known."""
    for check in heard.trial.checks:
        if check.id in heard.meant and check.outcome in {"warn", "fail"}:
            yield f"{check.id} {check.outcome}: {check.saw}"
    if heard.case.reason and heard.trial.reason:
        yield heard.trial.reason
    if heard.case.bound:
        yield f"bound {heard.trial.bound}"
    yield from (fact.told(heard.trial) for fact in heard.case.facts)
