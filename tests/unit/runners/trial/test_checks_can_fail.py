"""No check passes without having looked: whatever the load, one that passes fails once its evidence is damaged."""

from __future__ import annotations

import importlib
import itertools
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from runners.matrix.model import Validity
from runners.records.trial import Check, Errors, Evidence, Series
from runners.trial import validity
from runners.trial.validity import CHECKS, ONLY_FOR, judge
from tests.unit.runners.trial.test_fleet_validity import FLEET, HOST, OTHER, RATE_PER_S
from tests.unit.runners.trial.test_validity import GOOD, series

LIMITS = Validity()
ONLY_WARN = {"V8", "V9", "V11", "V26", "V27"}  # they make a number a lower bound, or one to read with care
CLOSING = {"PassiveOpens": 100_064, "TCPOrigDataSent": 300_000}

# What the generators report, as `runners.trial.evidence` hands it on.
ONE_COUNT: dict[str, Any] = {"histogram_sum": None, "least_count": None}  # requests are counted from the histogram
NO_BYTES: dict[str, Any] = {"bytes_per_request": None}
PACED: dict[str, Any] = {"offered_per_s": 95_000.0, "late_requests": 0, "late_max_us": 0, "bunching": 1.0}
LOADS = {
    "wrk": GOOD,
    "h2load": replace(GOOD, load="h2load", **ONE_COUNT),
    "h2load, paced": replace(GOOD, load="h2load", **ONE_COUNT, **PACED),
    "locust": replace(GOOD, load="locust", **ONE_COUNT, **NO_BYTES),
    "locustfile": replace(GOOD, load="locust", locustfile="users.py", **ONE_COUNT, **NO_BYTES),
    "fleet": FLEET,
    "locust fleet": replace(FLEET, load="locust", window_per_s=None, **ONE_COUNT, **NO_BYTES),
}


def situations() -> Iterator[tuple[str, Evidence]]:
    """Yield good evidence of every load, mode and network, alone and in duets, on CPUs apart and on shared ones."""
    modes, networks, both = ("persistent", "non-persistent"), ("namespace", "host"), (False, True)
    for (load, good), mode, network, duet, shared in itertools.product(LOADS.items(), modes, networks, both, both):
        if good.clients and (duet or network == "namespace"):
            continue  # its load comes from elsewhere
        tcp = good.tcp if mode == "persistent" else {**good.tcp, **CLOSING}
        tcp |= {"TCPOrigDataSent": 100_000} if good.clients else {}
        name = ", ".join((load, mode, network, *["duet"] * duet, *["shared"] * shared))
        yield name, replace(good, mode=mode, network=network, duet=duet, shared_cpus=shared, tcp=tcp)


SITUATIONS = dict(situations())


def damages(good: Evidence) -> Iterator[dict[str, Any]]:
    """Yield changes of what was measured, each as some fault of server, generator, network or machine leaves it."""
    yield from ({"errors": Errors(**{kind: 1})} for kind in ("connect", "read", "status"))
    yield from ({"tcp": {**good.tcp, name: count}} for name in good.tcp for count in (0, 10**9))
    yield from ({name: share} for name in ("steal_share", "foreign_share", "client_wait_share") for share in (1.0,))
    yield from ({name: 99} for name in ("thermal_throttles", "swapped_pages", "throttled_us", "processes_after"))
    yield from (
        {"histogram_sum": 1} if good.histogram_sum is not None else {},
        {"bytes_per_request": 1.0} if good.bytes_per_request is not None else {},
        {"established_mid": 2},
        {"time_wait_max": 45_000, "tcp": {**good.tcp, "PassiveOpens": 10**9}},
        {"client_thread_share": 1.0},
        {"mean_latency_us": 1.0, "server_share": 0.1, "client_thread_share": 0.1, "client_wait_share": 0.0},
        {"requests": 1},
        {"requests": 10**9},
        {"series": series([1000] * 10 + [0] * 5 + [1000] * 15)},
        {"pressure_share": {"io full": 1.0}},
        {"clock_step_us": 10**6},
        {"strayed_cpus": (9,)},
        {"answers_afterwards": "does not answer"},
        {"late_requests": 50_000},
        {"bunching": 64.0},
        {"clients": (HOST, replace(OTHER, started_us=10**6))} if good.clients else {},
        {"clients": (HOST,)} if good.clients else {},
        {"window_per_s": RATE_PER_S / 2} if good.window_per_s is not None else {},
    )


def outcomes(evidence: Evidence) -> dict[str, Check]:
    """Return the checks by their ids."""
    return {check.id: check for check in judge(evidence, LIMITS)}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_check_that_passes_can_fail(situation: str) -> None:
    """One that cannot is unknown or not there: it must not be counted among those that passed."""
    good = SITUATIONS[situation]
    passed = {name for name, check in outcomes(good).items() if check.outcome == "pass"}
    damaged = [outcomes(replace(good, **damage)) for damage in damages(good)]
    reached = {name: {checks[name].outcome for checks in damaged} for name in passed}
    lenient = ONLY_WARN | ({"V10"} if good.duet or good.shared_cpus else set())
    assert {name for name in passed - lenient if "fail" not in reached[name]} == set()
    assert {name for name in passed & lenient if not reached[name] & {"warn", "fail"}} == set()


@pytest.mark.parametrize("situation", SITUATIONS)
def test_good_evidence_fails_no_check_and_an_unknown_one_says_why(situation: str) -> None:
    """Whatever the load, the mode and the network."""
    found = outcomes(SITUATIONS[situation]).values()
    assert [check for check in found if check.outcome not in {"pass", "unknown"}] == []
    assert [check for check in found if not check.saw] == []


@pytest.mark.parametrize("situation", SITUATIONS)
def test_only_what_is_always_known_passes_without_the_kernel(situation: str) -> None:
    """Errors, the number of requests and the answer after the load come from the generator and the harness."""
    good = SITUATIONS[situation]
    blind = replace(
        good, **ONE_COUNT, **NO_BYTES, mean_latency_us=None, tcp={}, established_mid=None, time_wait_max=None,
        ports=None, server_share=None, client_share=None, client_wait_share=None, client_thread_share=None,
        ceiling_per_s=None, steal_share=None, foreign_share=None, pressure_share={}, throttled_us=None,
        thermal_throttles=None, swapped_pages=None, frequency_drift=None, clock_step_us=None, processes_before=None,
        processes_after=None, threads_after=None, strayed_cpus=None, window_per_s=None, late_requests=None,
        bunching=None, series=Series(),
    )  # fmt: skip
    passed = {name for name, check in outcomes(blind).items() if check.outcome == "pass"}
    assert passed <= {"V1", "V12", "V20", "V22", "V25", "V28"}


def test_a_load_on_this_machine_has_no_hosts_to_check() -> None:
    """V22 is a fleet's; with one client it passed whatever happened."""
    assert ["V22" in outcomes(evidence) for evidence in (GOOD, FLEET)] == [False, True]


def test_a_rate_so_low_that_any_number_of_requests_reaches_it_is_not_judged() -> None:
    """One request per connection is allowed to be missing."""
    paced = replace(LOADS["h2load, paced"], requests=1, offered_per_s=64 / 1.05 / 0.99)
    assert outcomes(paced)["V25"].outcome == "unknown"
    assert outcomes(replace(paced, offered_per_s=66 / 1.05 / 0.99))["V25"].outcome == "fail"


def test_every_check_that_is_written_is_judged() -> None:
    """A new function that nobody lists would never fail a trial."""
    names = [f"{validity.__name__}.{found.name}" for found in pkgutil.iter_modules(validity.__path__)]
    everything = [item for name in names for item in vars(importlib.import_module(name)).items()]
    written = {value for name, value in everything if re.fullmatch(r"v\d+_\w+", name)}
    assert written == set(CHECKS)
    assert ONLY_FOR.keys() <= written
