"""The self-test's judgement: a fault named by its check passes, one that is missed or blamed wrongly does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from runners.errors import BadInput, NothingSelected
from runners.loads.by_name import LOADS
from runners.records.trial import Check, Errors, Outcome, Trial
from runners.selftest import cases, comparing, generator, injecting, measuring, session
from runners.selftest.case import Case, CaseResult, Expect, Fact
from runners.selftest.judging import judge, spoilt_by
from runners.system import kernel, network, sampling
from runners.system.machine import Layout
from runners.trial.validity import ALL, CHECKS, CLOSED, kind_of

BUSY = "at rest others used 120.0% of a CPU"
CASE = Case("errors", "1 % errors", "invalid", (Expect("V1"),), ("V20",))
HEALTHY = Case("healthy", "nothing", "ok")


def trial(outcomes: dict[str, Outcome] | None = None, **facts: object) -> Trial:
    """Return a trial whose checks ended as told, all others with a pass; invalid where one fails."""
    told = {f"V{number}": "pass" for number in range(1, 23)} | (outcomes or {})
    checks = tuple(Check(name, f"name of {name}", outcome, f"seen by {name}") for name, outcome in told.items())  # type: ignore[arg-type]
    failed = [check.id for check in checks if check.outcome == "fail"]
    values: dict[str, object] = {"verdict": "invalid" if failed else "ok", "reason": " ".join(failed) or None, **facts}
    return Trial("cell", "fake", None, 1, 8, "persistent", "selftest", checks=checks, **values)  # type: ignore[arg-type]


def test_a_fault_that_its_check_names_passes() -> None:
    """What the check saw is reported; consequences that are known may show."""
    result = judge(CASE, trial({"V1": "fail", "V20": "fail"}), None)
    assert (result.status, result.why) == ("passed", ())
    assert result.reported == ("V1 fail: seen by V1", "V20 fail: seen by V20")


def test_a_fault_that_is_missed_fails() -> None:
    """The check and the verdict are both told."""
    result = judge(CASE, trial(), None)
    assert result.status == "failed"
    assert result.why == ("V1 should fail, but its outcome is pass", "the verdict is ok (no reason), not invalid")


def test_a_fault_that_is_only_marked_fails_where_it_should_invalidate() -> None:
    """A warning is not a failure."""
    assert "V1 should fail, but its outcome is warn" in judge(CASE, trial({"V1": "warn"}), None).why


def test_a_fault_that_another_check_is_blamed_for_fails() -> None:
    """Even where the right one names it too."""
    result = judge(CASE, trial({"V1": "fail", "V5": "fail"}), None)
    assert result.why == ("V5 fails, but nothing was injected for it: seen by V5",)


def test_a_check_that_a_trial_lacks_has_missed_its_fault() -> None:
    """A trial that broke has no checks."""
    result = judge(CASE, replace(trial(), checks=(), verdict="failed", reason="it died"), None)
    assert result.why[0] == "V1 should fail, but its outcome is missing"


def test_a_trial_that_must_break_passes_by_the_words_of_its_reason() -> None:
    """Without them it fails."""
    case = Case("dying", "SIGSEGV", "failed", reason="died (SIGSEGV)")
    assert judge(case, trial(verdict="failed", reason="the server died (SIGSEGV)"), None).status == "passed"
    assert judge(case, trial(verdict="failed", reason="the server died (SIGINT)"), None).status == "failed"


def test_a_wrong_bound_fails() -> None:
    """Who limited the trial is part of the truth."""
    case = Case("busy", "a busy client", "ok", (Expect("V8", "warn"),), bound="client")
    assert judge(case, trial({"V8": "warn"}, bound="client"), None).status == "passed"
    assert judge(case, trial({"V8": "warn"}, bound="server"), None).why == ("bound by server, not by client",)


def test_a_figure_that_is_off_fails_and_says_nothing_on_a_busy_machine() -> None:
    """There its case is not run; a check that misses its fault fails on any machine."""
    fact = Fact("rate", lambda found: found.requests_per_s, 900, 1000, "/s")
    timed = replace(HEALTHY, facts=(fact,))
    assert judge(timed, trial(requests_per_s=950.0), None).status == "passed"
    assert judge(timed, trial(requests_per_s=800.0), None).why == ("rate 800/s (true: 900 to 1000) is off",)
    assert judge(timed, trial(requests_per_s=None), None).status == "failed"
    assert judge(timed, trial(requests_per_s=800.0), BUSY).status == "not run"
    assert judge(replace(timed, expected=(Expect("V1"),)), trial(requests_per_s=800.0), BUSY).status == "failed"


def test_noise_on_an_idle_machine_fails_and_on_a_busy_one_is_told() -> None:
    """A check that always cries wolf is found out; a true alarm is not held against it."""
    noisy = trial({"V15": "fail"})
    assert judge(HEALTHY, noisy, None).why == ("V15 fails on an idle machine: seen by V15",)
    excused = judge(HEALTHY, noisy, BUSY)
    assert (excused.status, excused.verdict, excused.why) == ("passed", "invalid", ())
    assert excused.noise == (f"V15: seen by V15; {BUSY}",)


def test_noise_never_excuses_a_missed_fault() -> None:
    """The trial is invalid, yet for another reason."""
    result = judge(CASE, trial({"V15": "fail"}), BUSY)
    assert result.status == "failed"
    assert result.why[0] == "V1 should fail, but its outcome is pass"


def test_a_case_about_noise_takes_its_check_as_named() -> None:
    """There nothing has to be excused or repeated."""
    case = Case("neighbour", "three busy programs", "invalid", (Expect("V15"),))
    result = judge(case, trial({"V15": "fail"}), None)
    assert (result.status, result.noise) == ("passed", ())
    assert spoilt_by(case, trial({"V15": "fail"}), result) is None


def test_what_noise_spoilt_is_measured_again() -> None:
    """A mark of it is enough where the case failed, and says what it may have done."""
    calm, marked = trial(), trial({"V9": "warn"})
    assert spoilt_by(HEALTHY, marked, judge(HEALTHY, marked, None)) is None
    assert spoilt_by(CASE, calm, judge(CASE, calm, None)) is None
    again = spoilt_by(CASE, marked, judge(CASE, marked, None))
    assert (again or "").startswith("V9 warn: seen by V9; V1 should fail")


def bench(**lacks: str) -> measuring.CaseRunner:
    """Return a bench on which nothing can start."""
    return measuring.CaseRunner(measuring.FAKES, "host", Layout((0,), (0,)), {}, lacks, "no-python")  # type: ignore[arg-type]


def measured(monkeypatch: pytest.MonkeyPatch, *trials: Trial) -> Callable[[Case], CaseResult]:
    """Return a run of a case that finds these trials, one for each attempt, on a busy machine."""
    found = iter(trials)
    monkeypatch.setattr(measuring, "measure_case", lambda *_args, **_more: next(found))
    monkeypatch.setattr(measuring, "busy_machine", lambda: BUSY)
    return lambda case: measuring.run_case(case, bench(), 0)


def test_a_calm_second_attempt_counts_and_the_first_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is hidden."""
    result = measured(monkeypatch, trial({"V15": "fail"}), trial())(HEALTHY)
    assert (result.status, result.noise, result.retried) == ("passed", (), ("V15 fail: seen by V15",))


def test_after_three_noisy_attempts_the_machine_itself_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was busy, so the noise is real."""
    result = measured(monkeypatch, *[trial({"V14": "fail"})] * 3)(HEALTHY)
    assert (result.status, len(result.retried)) == ("passed", 2)
    assert result.noise == (f"V14: seen by V14; {BUSY}",)


def test_a_missed_fault_on_a_calm_machine_is_not_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Luck is no way to pass."""
    result = measured(monkeypatch, trial())(CASE)
    assert (result.status, result.retried) == ("failed", ())


def test_a_case_that_cannot_run_here_says_why() -> None:
    """It counts as neither passed nor failed."""
    result = measuring.run_case(replace(CASE, needs=("wrk",)), bench(wrk="wrk is missing"), 0)
    assert (result.status, result.why) == ("not run", ("wrk is missing",))


def test_the_selftest_passes_only_with_every_fault_named_and_a_healthy_server_clean() -> None:
    """What is not run does not count; all of that is no pass either."""
    good, bad = judge(CASE, trial({"V1": "fail"}), None), judge(CASE, trial(), None)
    healthy, absent = judge(HEALTHY, trial(), None), replace(good, status="not run")
    assert session.passed([healthy, good, absent])
    assert session.passed([good])
    assert not session.passed([healthy, bad])
    assert not session.passed([replace(healthy, status="not run"), good])
    assert not session.passed([absent])


def test_every_check_has_a_case_that_it_must_name() -> None:
    """Save those of fleets and of paced loads, which it has not, and V23, which judges families."""
    named = {expect.check for case in cases.CASES for expect in case.expected}
    known = {check.__name__.partition("_")[0].upper() for check in CHECKS if kind_of(check) in (ALL, CLOSED)}
    assert known - named == set()
    names = [*(case.name for case in cases.CASES), *comparing.NAMES]
    assert len(names) == len(set(names))


def test_a_selection_of_no_case_is_answered_with_what_there_is() -> None:
    """Nothing is started."""
    with pytest.raises(NothingSelected, match="healthy"):
        session.run_selftest(["nine"], None)


def test_logs_that_cannot_be_kept_are_bad_input() -> None:
    """Before anything is measured."""
    with pytest.raises(BadInput, match=r"cannot write into /proc/x: .*; name another folder with --keep"):
        session.run_selftest(["healthy"], Path("/proc/x"))


def test_injections_are_undone() -> None:
    """The clock, the counters and the network's settings read as before."""
    before = (sampling.wall_clock_ns, kernel.cpu_times, dict(network.SETTINGS))
    layout = Layout((0,), (0,))
    with injecting.clock_steps_s(0.2)(layout):
        first, second = sampling.wall_clock_ns(), sampling.wall_clock_ns()
        assert second - first >= 200_000_000
    with injecting.stolen_us(1000.0)(layout):
        first_times, second_times = kernel.cpu_times(), kernel.cpu_times()
        assert second_times[0].steal_us - first_times[0].steal_us >= 1000
    with injecting.few_ports(30000, 30599)(layout):
        assert network.SETTINGS["net/ipv4/ip_local_port_range"] == "30000 30599"
    assert (sampling.wall_clock_ns, kernel.cpu_times, network.SETTINGS) == before


def test_fake_generators_are_known_for_as_long_as_their_case_runs() -> None:
    """They never reach a matrix."""
    with generator.known("fake-more"):
        assert LOADS["fake-more"].kind == "fake-more"
    assert "fake-more" not in LOADS


def series(ratio: float, count: int = 10) -> comparing.PairTrials:
    """Return duets in which the row costs `ratio` times as much as the baseline, give or take a thousandth."""
    at = [1 + 0.001 * (block % 3 - 1) for block in range(count)]
    made = [replace(trial(), block=block, pair=("a", "b"), errors=Errors()) for block in range(count)]
    rows = tuple(replace(t, server_cpu_us_per_request=10 * ratio * x) for t, x in zip(made, at, strict=True))
    return comparing.PairTrials(rows, tuple(replace(t, server_cpu_us_per_request=10.0) for t in made))


def test_identical_servers_must_not_be_called_different() -> None:
    """Equivalent or not resolved will do."""
    assert comparing.judge_same(series(1.0)).status == "passed"
    assert comparing.judge_same(series(1.03)).why == ("it was called costlier",)
    assert comparing.judge_same(series(1.03, count=3)).status == "passed"


def test_the_slower_server_must_be_called_costlier_by_about_as_much() -> None:
    """300 ns on 10 us are 3 %."""
    assert comparing.judge_slowed(series(1.03), 300).status == "passed"
    assert comparing.judge_slowed(series(1.0), 300).why[0] == "it was called equivalent"
    assert comparing.judge_slowed(series(1.10), 300).why == ("it is off by more than a factor of 3",)
    assert comparing.judge_slowed(comparing.PairTrials((), ()), 300).status == "failed"
