"""Validity checks of a fleet: each at its threshold, from both sides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runners.matrix.model import Validity
from runners.records.trial import Check, ClientHost, Errors
from runners.trial.validity import FLEETS, ONLY_FOR, judge
from runners.trial.validity.counts import window_rates
from tests.unit.runners.trial.test_validity import GOOD, tcp

LIMITS = Validity()
HOST = ClientHost(
    name="a", connections=32, threads=2, cpus=2, requests=50_000, duration_us=1_050_000, window_requests=40_000,
    started_us=0, errors=0, segments_sent=50_000, segments_lost=0, cpu_us=1e6, thread_share=0.5, wait_share=0.0,
    host_share=0.4, clock_offset_us=10**9, clock_uncertainty_us=200, clock_drift_us=50,
)  # fmt: skip
OTHER = replace(HOST, name="b", started_us=300, clock_offset_us=-5)
RATE_PER_S = GOOD.requests / GOOD.duration_us * 1e6
FLEET = replace(
    GOOD, load="fleet", network="host", clients=(HOST, OTHER), window_per_s=RATE_PER_S, window_us=(500_000, 2_500_000),
    tcp=tcp(TCPOrigDataSent=100_000),
)  # fmt: skip


def check(name: str, **changes: Any) -> Check:
    """Return a check of a good fleet's trial with changes."""
    return {each.id: each for each in judge(replace(FLEET, **changes), LIMITS)}[name]


def outcome(name: str, **changes: Any) -> str:
    """Return its outcome."""
    return check(name, **changes).outcome


def hosts(**changes: Any) -> dict[str, Any]:
    """Return changes of the second client."""
    return {"clients": (HOST, replace(OTHER, **changes))}


def test_a_good_fleet_passes_every_check() -> None:
    """Those of a single host, and its own."""
    checks = judge(FLEET, LIMITS)
    assert {each.id: each.outcome for each in checks if each.outcome != "pass"} == {}
    assert len(checks) == len(judge(GOOD, LIMITS)) + sum(kind is FLEETS for kind in ONLY_FOR.values())


def test_one_host_alone_has_no_checks_of_a_fleet() -> None:
    """It has no other client to start together with."""
    assert {"V22", "V28", "V29"}.isdisjoint(each.id for each in judge(GOOD, LIMITS))


SLACK = 2 * FLEET.connections + LIMITS.foreign_segments_fail * FLEET.served


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (100_000 + int(SLACK), "pass"),
        (100_000 + int(SLACK) + 1, "fail"),
        (100_000 - int(SLACK), "pass"),
        (100_000 - int(SLACK) - 1, "fail"),
    ],
)
def test_v3_compares_with_the_count_of_the_server_s_kernel(sent: int, expected: str) -> None:
    """This finds a client that makes up requests, and one that loses some."""
    assert outcome("V3", tcp=tcp(TCPOrigDataSent=sent)) == expected


def test_v3_of_a_fleet_allows_for_retransmissions() -> None:
    """The kernel counts them, too."""
    sent = 100_000 + int(SLACK)
    assert outcome("V3", tcp=tcp(TCPOrigDataSent=sent + 500, RetransSegs=500)) == "pass"
    assert outcome("V3", tcp=tcp(TCPOrigDataSent=sent + 501, RetransSegs=500)) == "fail"


def test_v3_of_a_fleet_allows_a_fin_for_each_answer_that_ends_its_connection() -> None:
    """It may travel with the data or separately."""
    for sent, expected in ((100_000, "pass"), (200_000, "pass"), (210_000, "fail"), (90_000, "fail")):
        assert outcome("V3", mode="non-persistent", tcp=tcp(TCPOrigDataSent=sent)) == expected


def test_v3_of_a_fleet_is_unknown_if_the_kernel_does_not_count() -> None:
    """Old ones do not."""
    assert outcome("V3", tcp={}) == "unknown"


def test_v7_of_a_fleet_fails_if_a_client_could_not_connect() -> None:
    """The ports are on the clients; how many are in use here does not matter."""
    assert outcome("V7", time_wait_max=10**6) == "pass"
    assert outcome("V7", errors=Errors(connect=1)) == "fail"
    failed = check("V7", tcp=tcp(TCPTimeWaitOverflow=2))
    assert (failed.outcome, failed.saw) == (
        "fail",
        "clients could not connect 0 times, the table of TIME_WAIT overflowed 2 times",
    )
    assert outcome("V7", tcp={}) == "unknown"


def test_v22_requires_all_connections_and_answers_for_every_client() -> None:
    """If a client is lost altogether, the trial is already invalid before it is judged."""
    assert check("V22").saw == "2 client hosts with 64 of 64 connections"
    assert outcome("V22", **hosts(connections=31)) == "fail"
    silent = check("V22", **hosts(requests=0))
    assert (silent.outcome, silent.saw[-15:]) == ("fail", "; no answers: b")


def test_v5_and_v6_of_a_fleet_count_in_the_host_s_network() -> None:
    """The clients are elsewhere, so the server has it to itself; on one machine they would share it."""
    assert outcome("V5", tcp=tcp(ListenDrops=1)) == "fail"
    assert outcome("V6", tcp=tcp(RetransSegs=100_000)) == "fail"
    assert outcome("V5", tcp=tcp(ListenDrops=1), clients=()) == "unknown"


@pytest.mark.parametrize(
    ("started_us", "expected"),
    [(4_799, "pass"), (4_801, "warn"), (49_799, "warn"), (49_801, "fail"), (10**7, "fail")],
)
def test_v28_requires_all_clients_to_start_together(started_us: int, expected: str) -> None:
    """The uncertainty of the clocks, 0.2 ms here, counts as well."""
    assert outcome("V28", **hosts(started_us=started_us)) == expected


@pytest.mark.parametrize(
    ("uncertainty_us", "expected"), [(4_699, "pass"), (4_701, "warn"), (49_699, "warn"), (49_701, "fail")]
)
def test_v28_does_not_trust_an_uncertain_clock(uncertainty_us: int, expected: str) -> None:
    """Such as one over a slow link."""
    assert outcome("V28", **hosts(clock_uncertainty_us=uncertainty_us)) == expected


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize(
    ("drift_us", "expected"), [(5_199, "pass"), (5_201, "warn"), (50_199, "warn"), (50_201, "fail")]
)
def test_v28_finds_a_clock_that_moves(drift_us: int, expected: str, sign: int) -> None:
    """By more than its uncertainty explains, in either direction."""
    assert outcome("V28", **hosts(clock_drift_us=sign * drift_us)) == expected


def test_v28_allows_clocks_to_differ() -> None:
    """Their offset is measured and subtracted."""
    assert outcome("V28", **hosts(clock_offset_us=10**15)) == "pass"


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize(("change", "expected"), [(0.019, "pass"), (0.021, "warn"), (0.099, "warn"), (0.101, "fail")])
def test_v29_compares_the_common_window_with_the_whole(change: float, expected: str, sign: int) -> None:
    """They differ if a client started late, ended early or was slow."""
    assert outcome("V29", window_per_s=RATE_PER_S * (1 + sign * change)) == expected


def test_v29_without_a_window_says_why() -> None:
    """It is unknown, or none is needed."""
    unknown = check("V29", window_per_s=None)
    assert (unknown.outcome, unknown.saw) == ("unknown", "too short, or a client cannot count")
    assert check("V29", window_per_s=None, load="locust").saw == "all clients count over the same time"


def test_the_series_of_a_fleet_covers_the_time_in_which_all_clients_load() -> None:
    """V13 must not take the wait before the start for unsteadiness."""
    assert len(window_rates(FLEET)) == 4
    assert len(window_rates(replace(FLEET, window_us=(0, 500_000)))) == 1
    assert window_rates(replace(FLEET, window_us=(0, 1))) == []


def test_thresholds_of_a_fleet_come_from_the_matrix() -> None:
    """As all thresholds do."""
    strict = Validity(start_skew_fail="100us", start_skew_warn="100us", window_fail="0.1%", window_warn="0.1%")
    found = {each.id: each.outcome for each in judge(replace(FLEET, window_per_s=RATE_PER_S * 1.01), strict)}
    assert (found["V28"], found["V29"]) == ("fail", "fail")
