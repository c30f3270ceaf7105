"""A trial that only the machine's noise made invalid."""

from __future__ import annotations

import dataclasses

import pytest

from runners.records.trial import Check, Outcome, Trial
from runners.stats.noise import OF_THE_MACHINE, is_noisy
from tests.support.small_run import small_run

ONE = small_run({"a": 1.0}).trials[0]


def invalid(**outcomes: Outcome) -> Trial:
    """Return an invalid trial with these outcomes of its checks."""
    checks = tuple(Check(id_, "a check", outcome, "seen") for id_, outcome in outcomes.items())
    return dataclasses.replace(ONE, verdict="invalid", checks=checks)


@pytest.mark.parametrize("check", sorted(OF_THE_MACHINE))
def test_what_fails_only_a_check_of_the_machine_is_noisy(check: str) -> None:
    """Steal, other programs, pressure, a quota, throttling, a generator that had to wait."""
    outcomes: dict[str, Outcome] = {"V1": "pass", check: "fail"}
    assert is_noisy(invalid(**outcomes))


def test_an_unsteady_rate_is_noise_only_if_the_machine_was_restless() -> None:
    """Else it is the server's own."""
    assert is_noisy(invalid(V13="fail", V15="warn"))
    assert not is_noisy(invalid(V13="fail", V15="pass"))


def test_what_also_fails_another_check_is_invalid() -> None:
    """Noise is no excuse for wrong counts."""
    assert not is_noisy(invalid(V15="fail", V3="fail"))
    assert not is_noisy(invalid(V15="warn"))


def test_valid_trials_failed_ones_and_duets_are_not_noisy() -> None:
    """Nor is a trial without a figure."""
    noisy = invalid(V15="fail")
    others = (
        ONE,
        dataclasses.replace(noisy, verdict="failed"),
        dataclasses.replace(noisy, design="duet"),
        dataclasses.replace(noisy, requests_per_s=None),
    )
    assert not any(map(is_noisy, others))
