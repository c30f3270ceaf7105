"""Validity checks: each at its threshold, from both sides, and unknown where nothing is known."""

from __future__ import annotations

from dataclasses import MISSING, fields, replace
from importlib import resources
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.matrix.model import Validity
from runners.records.trial import Check, Checked, Errors, Evidence, Series
from runners.trial.validity import CHECKS, CLOSED, ONLY_FOR, bound, judge

LIMITS = Validity()
MORE = 0.001
GOOD = Evidence(
    mode="persistent", load="wrk", network="namespace", duet=False, connections=64, server_threads=1,
    asked_us=1_000_000, duration_us=1_050_000, watched_us=1_200_000, requests=100_000, served=100_000,
    errors=Errors(), shared_cpus=False, histogram_sum=100_000, least_count=1, mean_latency_us=660.0,
    bytes_per_request=50.0, probed_bytes=(50, 50),
    tcp={
        "PassiveOpens": 65, "TCPOrigDataSent": 200_000, "OutSegs": 400_000, "RetransSegs": 0, "ListenDrops": 0,
        "ListenOverflows": 0, "TCPSynRetrans": 0, "TCPTimeWaitOverflow": 0,
    },
    established_mid=128, time_wait_max=0, ports=45_000, port_reuse_s=1.0, server_share=0.97, client_share=0.6,
    client_wait_share=0.01, client_thread_share=0.7, ceiling_per_s=200_000.0, steal_share=0.0, foreign_share=0.01,
    sampler_share=0.01, pressure_share={"memory some": 0.0}, throttled_us=0, thermal_throttles=0, swapped_pages=0,
    frequency_drift=0.0, clock_step_us=3, processes_before=1, processes_after=1, threads_after=1,
    rss_growth_bytes=1000, rss_growth_share=0.01, server_exit="SIGINT", strayed_cpus=(),
    series=Series(at_us=tuple(range(0, 3_000_000, 100_000)), segments=tuple(range(0, 300_000, 10_000))),
)  # fmt: skip


def check(name: str, **changes: object) -> Check:
    """Return a check of a good trial's evidence with changes."""
    found = {check.id: check for check in judge(replace(GOOD, **changes), LIMITS)}  # type: ignore[arg-type]
    return found[name]


def outcome(name: str, **changes: object) -> str:
    """Return its outcome."""
    return check(name, **changes).outcome


def tcp(**changes: int) -> dict[str, int]:
    """Return a good trial's TCP counters with changes."""
    return {**GOOD.tcp, **changes}


def test_a_good_trial_passes_every_check() -> None:
    """In the order of their ids, each once."""
    checks = judge(GOOD, LIMITS)
    assert {check.id: check.outcome for check in checks if check.outcome != "pass"} == {}
    numbers = [int(check.id[1:]) for check in checks]
    assert numbers == sorted(set(numbers))
    assert all(check.saw for check in checks)


def test_without_any_data_no_check_fails_or_passes_by_luck() -> None:
    """What the kernel and the generator do not report is unknown; only what is always known is judged."""
    bare = {
        field.name: getattr(GOOD, field.name)
        for field in fields(Evidence)
        if field.default is MISSING and field.default_factory is MISSING
    }
    found = {check.id: check.outcome for check in judge(Evidence(**bare), LIMITS)}
    assert "fail" not in found.values()
    judged = {name for name, result in found.items() if result != "unknown"}
    assert judged == {"V1", "V12", "V20"}


@pytest.mark.parametrize("kind", ["connect", "read", "write", "status", "timeout"])
def test_a_single_error_of_any_kind_fails_v1(kind: str) -> None:
    """And is shown with its count."""
    failed = check("V1", errors=Errors(**{kind: 1}))
    assert (failed.outcome, failed.saw) == ("fail", f"1 {kind} error")


def test_v1_counts_a_status_that_is_expected_as_no_error() -> None:
    """Generators count every status from 400 on; one that is missing among them is wrong too."""
    assert outcome("V1", errors=Errors(status=100_000), expected_error_share=1.0) == "pass"
    assert outcome("V1", errors=Errors(status=99_999), expected_error_share=1.0) == "fail"


def test_v1_warns_of_a_server_that_closes_without_having_said_so() -> None:
    """For each close wrk counts a read error, after a whole answer; more of them are errors."""
    assert outcome("V1", errors=Errors(read=100_000), closing="unannounced") == "warn"
    assert outcome("V1", errors=Errors(read=200_000), closing="unannounced") == "fail"
    assert outcome("V1", errors=Errors(read=1, timeout=1), closing="unannounced") == "fail"
    assert "--load locust" in check("V1", errors=Errors(read=9), closing="as its end").advice


def test_v2_wants_every_request_in_the_histogram() -> None:
    """Timeouts are counted as requests, but not in the histogram."""
    assert outcome("V2", histogram_sum=99_999) == "fail"
    assert outcome("V2", histogram_sum=100_001) == "fail"
    assert outcome("V2", histogram_sum=99_999, errors=Errors(timeout=1)) == "pass"
    assert outcome("V2", histogram_sum=None) == "unknown"


def test_v2_refuses_negative_counts() -> None:
    """They show that wrk's correction was not what we undid."""
    assert outcome("V2", least_count=0) == "pass"
    assert outcome("V2", least_count=-1) == "fail"


def test_v3_compares_with_the_kernel_s_count() -> None:
    """Within what is in flight: this finds a server that sends unsolicited answers."""
    assert outcome("V3", tcp=tcp(TCPOrigDataSent=200_000 + 2 * 129)) == "pass"
    assert outcome("V3", tcp=tcp(TCPOrigDataSent=200_000 + 2 * 130)) == "warn"
    assert outcome("V3", tcp=tcp(TCPOrigDataSent=200_000 - 2 * 130)) == "fail"
    assert outcome("V3", network="host", tcp=tcp(TCPOrigDataSent=900_000)) == "unknown"


def test_v3_judges_the_hop_between_generator_and_proxy() -> None:
    """Not the proxy's own to the servers behind it, which would hide answers that nobody asked for."""
    behind = check("V3", tcp=tcp(TCPOrigDataSent=400_000), hop_share=0.5)
    assert behind.outcome == "pass"
    assert "200000 of these between them, others over connections of the server's own" in behind.saw
    assert outcome("V3", tcp=tcp(TCPOrigDataSent=400_000), hop_share=0.4) == "fail"
    pieces = check("V3", tcp=tcp(TCPOrigDataSent=400_000), hop_share=0.75)
    assert (pieces.outcome, pieces.saw.rpartition(": ")[2]) == ("warn", "answers in several pieces")


def test_your_own_users_may_be_idle_and_send_any_requests() -> None:
    """Checks of a closed loop of one request do not apply; errors and connections are still checked."""
    found = {each.id: each for each in judge(replace(GOOD, load="locust", locustfile="users.py", requests=9), LIMITS)}
    assert found["V3"].outcome == "unknown"
    assert found["V3"].saw == "the users in users.py may send any requests"
    assert not {"V10", "V11", "V12"} & found.keys()
    assert {"V1", "V2", "V4", "V5", "V6"} <= found.keys()


def test_v4_allows_one_more_connection_in_a_hundred_requests_when_persistent() -> None:
    """Beyond those requested and the one of the probe."""
    assert outcome("V4", tcp=tcp(PassiveOpens=65 + 1000)) == "pass"
    assert outcome("V4", tcp=tcp(PassiveOpens=65 + 1001)) == "warn"
    assert outcome("V4", tcp=tcp(PassiveOpens=65 + 50_001)) == "fail"


def test_v4_tells_after_how_many_requests_a_server_closes() -> None:
    """Its rate holds, with the reconnecting in it."""
    closing = check("V4", tcp=tcp(PassiveOpens=65 + 4_000), established_mid=100)
    assert closing.outcome == "warn"
    assert "it closes each connection after about 25 requests" in closing.saw


def test_v4_does_not_count_connections_that_a_proxy_opens_behind_it() -> None:
    """If those of the clients all lasted."""
    behind = check("V4", tcp=tcp(PassiveOpens=65 + 100_000), lasting_share=1.0)
    assert (behind.outcome, behind.saw.partition(";")[0]) == ("pass", "all connections lasted")
    assert outcome("V4", tcp=tcp(PassiveOpens=65 + 100_000), lasting_share=0.5) == "fail"


def test_v4_requires_a_connection_per_request_when_not_persistent() -> None:
    """For at least 99 % of them."""
    assert outcome("V4", mode="non-persistent", tcp=tcp(PassiveOpens=100_064)) == "pass"
    assert outcome("V4", mode="non-persistent", tcp=tcp(PassiveOpens=99_000)) == "pass"
    assert outcome("V4", mode="non-persistent", tcp=tcp(PassiveOpens=98_999)) == "fail"


def test_v4_counts_requests_outside_the_measured_time_too() -> None:
    """The kernel counts their connections as well."""
    assert outcome("V4", mode="non-persistent", tcp=tcp(PassiveOpens=100_000), served=130_000) == "fail"


def test_v4_requires_all_connections_to_be_open_halfway_through() -> None:
    """Both ends are counted; this finds a server that serves only some of them."""
    assert outcome("V4", established_mid=127) == "fail"
    assert outcome("V4", established_mid=None) == "pass"
    assert ("all open" in check("V4").limit, "all open" in check("V4", established_mid=None).limit) == (True, False)


def test_v5_fails_with_a_single_drop_from_the_accept_queue() -> None:
    """Unless other programs use the network, too: they may have caused it."""
    assert outcome("V5", tcp=tcp(ListenDrops=1)) == "fail"
    assert "ListenDrops 1" in check("V5", tcp=tcp(ListenDrops=1)).saw
    assert outcome("V5", tcp=tcp(ListenDrops=1), network="host") == "unknown"


def test_v6_warns_of_a_single_retransmission_and_fails_above_a_share() -> None:
    """One in ten thousand."""
    assert outcome("V6", tcp=tcp(RetransSegs=1)) == "warn"
    assert outcome("V6", tcp=tcp(RetransSegs=40)) == "warn"
    assert outcome("V6", tcp=tcp(RetransSegs=41)) == "fail"


def test_v6_does_not_count_segments_that_were_only_late() -> None:
    """They are the machine's noise: nothing was lost."""
    late = check("V6", tcp=tcp(RetransSegs=900, TCPDSACKRecv=900))
    assert (late.outcome, late.saw) == ("pass", "RetransSegs 900, of which 900 had only been late")
    assert outcome("V6", tcp=tcp(RetransSegs=900, TCPDSACKRecv=800)) == "fail"


def test_v6_only_warns_of_a_handful_however_short_the_trial() -> None:
    """One segment of a few thousand is not a link that loses."""
    assert outcome("V6", tcp=tcp(RetransSegs=5, OutSegs=1000)) == "warn"
    assert outcome("V6", tcp=tcp(RetransSegs=6, OutSegs=1000)) == "fail"


def test_v7_compares_the_ports_that_wait_with_all_ports() -> None:
    """More than half warns, more than four fifths fails, and so does an overflow of the kernel's table."""
    opens = tcp(PassiveOpens=200_000)
    assert outcome("V7", tcp=opens, time_wait_max=22_500) == "pass"
    assert outcome("V7", tcp=opens, time_wait_max=22_501) == "warn"
    assert outcome("V7", tcp=opens, time_wait_max=36_000) == "warn"
    assert outcome("V7", tcp=opens, time_wait_max=36_001) == "fail"
    assert outcome("V7", tcp=tcp(TCPTimeWaitOverflow=1)) == "fail"
    assert outcome("V7", time_wait_max=36_001) == "pass"
    assert outcome("V7", time_wait_max=36_001, errors=Errors(connect=1)) == "fail"
    assert outcome("V7", ports=None) == "unknown"
    assert outcome("V7", tcp={}) == "unknown"


def test_v8_warns_of_a_client_without_cpu_time_to_spare() -> None:
    """The busiest thread decides; the rate is then a lower bound, and the trial is valid."""
    assert outcome("V8", client_thread_share=0.94) == "pass"
    assert outcome("V8", client_thread_share=0.96) == "warn"
    assert outcome("V8", client_thread_share=None, client_share=0.96) == "warn"
    assert outcome("V8", client_thread_share=None, client_share=None) == "unknown"


def test_v8_and_v9_are_unknown_if_both_sides_share_cpus() -> None:
    """It is by design then."""
    for name in ("V8", "V9"):
        assert outcome(name, shared_cpus=True, client_thread_share=1.0, client_wait_share=0.5) == "unknown"
        assert outcome(name, duet=True, client_thread_share=1.0, client_wait_share=0.5) == "unknown"


def test_v9_warns_of_a_client_that_waits_for_a_cpu() -> None:
    """For more than 5 % of the time."""
    assert outcome("V9", client_wait_share=0.05) == "pass"
    assert outcome("V9", client_wait_share=0.051) == "warn"


def test_v10_requires_every_connection_to_be_busy() -> None:
    """Little's law, for nine tenths of them; unknown if not persistent, since the latency excludes connecting."""
    full_us = GOOD.duration_us * GOOD.connections / GOOD.requests
    assert outcome("V10", mean_latency_us=full_us * 0.91) == "pass"
    assert outcome("V10", mean_latency_us=full_us * 0.89) == "warn"
    assert outcome("V10", mean_latency_us=full_us * 1.2) == "warn"
    assert outcome("V10", mode="non-persistent") == "unknown"


def test_v10_fails_if_most_connections_are_idle_and_neither_side_is_busy() -> None:
    """Then they are dead; if one side lacks CPU time, or if that is unknown, it only warns."""
    short = {"mean_latency_us": 0.49 * GOOD.duration_us * GOOD.connections / GOOD.requests}
    idle = {**short, "server_share": 0.1, "client_thread_share": 0.1, "client_wait_share": 0.01}
    assert outcome("V10", **idle) == "fail"
    for busy in ({"server_share": 0.95}, {"client_thread_share": 0.95}, {"client_wait_share": 0.9}, {"duet": True}):
        assert outcome("V10", **{**idle, **busy}) == "warn"
    assert outcome("V10", **{**idle, "server_share": None}) == "warn"


def test_v11_compares_with_the_generator_s_ceiling() -> None:
    """If one is known."""
    rate = GOOD.requests / GOOD.duration_us * 1e6
    assert outcome("V11", ceiling_per_s=rate / 0.79) == "pass"
    assert outcome("V11", ceiling_per_s=rate / 0.81) == "warn"
    assert outcome("V11", ceiling_per_s=None) == "unknown"


def test_v12_requires_enough_requests_per_connection() -> None:
    """Fewer than 100 warn, fewer than 10 fail."""
    assert outcome("V12", requests=6400) == "pass"
    assert outcome("V12", requests=6399) == "warn"
    assert outcome("V12", requests=640) == "warn"
    assert outcome("V12", requests=639) == "fail"


def test_v12_fails_if_the_load_takes_too_long() -> None:
    """By more than a quarter of a second."""
    assert outcome("V12", duration_us=1_250_000) == "pass"
    assert outcome("V12", duration_us=1_251_000) == "fail"


def test_v12_fails_a_generator_that_reports_less_time_than_it_was_given() -> None:
    """Half the time would double the rate."""
    assert outcome("V12", duration_us=750_000) == "pass"
    assert outcome("V12", duration_us=749_000) == "fail"


def series(rates: list[int]) -> Series:
    """Return a series with so many segments in each 100 ms."""
    at = tuple(range(0, 100_000 * (len(rates) + 1), 100_000))
    return Series(at_us=at, segments=(0, *(sum(rates[:count]) for count in range(1, len(rates) + 1))))


def test_v13_compares_both_halves() -> None:
    """More than 3 % apart warns, more than 10 % fails."""
    assert outcome("V13", series=series([1000] * 15 + [1029] * 15)) == "pass"
    assert outcome("V13", series=series([1000] * 15 + [1031] * 15)) == "warn"
    assert outcome("V13", series=series([1000] * 15 + [1110] * 15)) == "fail"


def test_v13_fails_a_stall() -> None:
    """Of half a second, in an otherwise steady trial of three seconds."""
    assert outcome("V13", series=series([1000] * 10 + [0] * 5 + [1000] * 15)) == "fail"


def test_v13_fails_a_server_that_begins_late() -> None:
    """A first half without any traffic has no rate to divide by."""
    assert outcome("V13", series=series([0] * 15 + [1000] * 15)) == "fail"


def test_v13_is_unknown_for_short_trials() -> None:
    """Under two seconds there are too few windows."""
    assert outcome("V13", series=series([1000, 2000, 3000])) == "unknown"
    assert outcome("V13", series=Series()) == "unknown"


@pytest.mark.parametrize(
    ("name", "field", "good", "warns", "fails"),
    [
        ("V14", "steal_share", LIMITS.steal_warn, LIMITS.steal_warn + MORE, LIMITS.steal_fail + MORE),
        ("V15", "foreign_share", LIMITS.foreign_warn, LIMITS.foreign_warn + MORE, LIMITS.foreign_fail + MORE),
        (
            "V16",
            "pressure_share",
            {"io some": LIMITS.pressure_warn},
            {"io some": LIMITS.pressure_warn + MORE, "memory some": 0.0},
            {"memory full": LIMITS.pressure_fail + MORE},
        ),
        ("V17", "throttled_us", 0, None, 1),
        ("V18", "swapped_pages", 0, None, 1),
        ("V18", "thermal_throttles", 0, None, 1),
        ("V18", "frequency_drift", LIMITS.frequency_drift, LIMITS.frequency_drift + MORE, None),
    ],
)
def test_an_unquiet_machine_is_reported(name: str, field: str, good: object, warns: object, fails: object) -> None:
    """Up to the first threshold it passes, above it it warns, above the second one it fails."""
    assert outcome(name, **{field: good}) == "pass"
    if warns is not None:
        assert outcome(name, **{field: warns}) == "warn"
    if fails is not None:
        assert outcome(name, **{field: fails}) == "fail"


@pytest.mark.parametrize("step_us", [1_600, -1_600])
def test_v19_allows_slewing_but_no_step(step_us: int) -> None:
    """Up to 1 ms plus 0.05 % of the time, in either direction."""
    assert outcome("V19", clock_step_us=step_us) == "pass"
    assert outcome("V19", clock_step_us=step_us + (1 if step_us > 0 else -1)) == "fail"
    assert outcome("V19", clock_step_us=None) == "unknown"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"processes_before": 2, "processes_after": 1}, "2 processes became 1"),
        ({"threads_after": 1, "server_threads": 2}, "1 threads, not 2"),
        ({"answers_afterwards": "answers status 500, not 200"}, "after the load it answers status 500, not 200"),
    ],
    ids=["processes", "threads", "answer"],
)
def test_v20_fails_a_server_that_is_no_longer_what_it_was(changes: dict[str, object], said: str) -> None:
    """And says what is wrong."""
    failed = check("V20", **changes)
    assert (failed.outcome, failed.saw) == ("fail", said)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"processes_after": 2}, "1 processes became 2"),
        ({"rss_growth_bytes": 9 * 2**20, "rss_growth_share": 0.21}, "memory grew by 9 MiB (21.0%)"),
    ],
    ids=["processes", "memory"],
)
def test_v20_only_warns_of_what_makes_no_answer_wrong(changes: dict[str, object], said: str) -> None:
    """A pool of workers that grows under load, or memory that does."""
    warned = check("V20", **changes)
    assert (warned.outcome, warned.saw) == ("warn", said)


def test_v20_lets_memory_grow_a_little_or_by_a_small_share() -> None:
    """Both limits must be exceeded."""
    assert outcome("V20", rss_growth_bytes=7 * 2**20, rss_growth_share=3.0) == "pass"
    assert outcome("V20", rss_growth_bytes=2**30, rss_growth_share=0.19) == "pass"


def test_v20_warns_of_a_server_that_does_not_end_cleanly() -> None:
    """And says how it ended."""
    warned = check("V20", server_exit_clean=False, server_exit="SIGSEGV")
    assert warned.outcome == "warn"
    assert "SIGSEGV" in warned.saw


def test_v21_fails_threads_on_other_cpus() -> None:
    """They are named."""
    failed = check("V21", strayed_cpus=(2, 3))
    assert (failed.outcome, failed.saw) == ("fail", "threads ran, or may run, on CPU 2, 3")
    assert outcome("V21", strayed_cpus=None) == "unknown"


def test_v24_requires_responses_as_long_as_the_probed_one() -> None:
    """Except for those in flight at the end."""
    allowed = 1 + 64 * 50 / 100_000
    assert outcome("V24", bytes_per_request=50 + allowed - 0.001) == "pass"
    assert outcome("V24", bytes_per_request=50 + allowed + 0.001) == "fail"
    assert outcome("V24", bytes_per_request=50 - allowed - 0.001) == "fail"
    assert outcome("V24", bytes_per_request=None) == "unknown"


def test_thresholds_of_the_matrix_are_used() -> None:
    """What only warns by default can fail elsewhere."""
    strict = Validity.model_validate({"steal_fail": "1%", "requests_per_connection_fail": 2000})
    found = {check.id: check.outcome for check in judge(replace(GOOD, steal_share=0.011), strict)}
    assert (found["V14"], found["V12"]) == ("fail", "fail")


FEW_BUSY = {
    "mean_latency_us": 0.49 * GOOD.duration_us * GOOD.connections / GOOD.requests, "server_share": 0.1,
    "client_thread_share": 0.1,
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "changes", "threshold", "value"),
    [
        ("V5", {"tcp": tcp(ListenDrops=1)}, "queue_drops_fail", 1),
        ("V10", FEW_BUSY, "little_fail", "48%"),
        ("V17", {"throttled_us": 1_000}, "throttled_fail", "1ms"),
        ("V18", {"swapped_pages": 3}, "swapped_pages_fail", 3),
        ("V18", {"thermal_throttles": 2}, "thermal_throttles_fail", 2),
        ("V19", {"clock_step_us": 2_000}, "clock_step_fail", "2ms"),
        ("V19", {"clock_step_us": 2_000}, "clock_slew_fail", "0.1%"),
        ("V24", {"bytes_per_request": 52.0}, "response_bytes_fail", "2B"),
    ],
)
def test_no_threshold_is_hard_coded(name: str, changes: dict[str, Any], threshold: str, value: object) -> None:
    """What fails by default doesn't with a looser threshold."""
    assert outcome(name, **changes) == "fail"
    loose = Validity.model_validate({threshold: value})
    assert {check.id: check.outcome for check in judge(replace(GOOD, **changes), loose)}[name] != "fail"


def test_every_threshold_has_a_check_that_reads_it() -> None:
    """One that nobody reads would promise what it does not do."""
    package = resources.files("runners.trial.validity")
    source = "".join(file.read_text("utf-8") for file in package.iterdir() if file.name.endswith(".py"))
    assert {name for name in Validity.model_fields if f"limits.{name}" not in source} == set()


@pytest.mark.parametrize(
    ("server", "client", "changes", "what"),
    [
        (0.97, 0.60, {}, "server"),
        (0.90, 0.89, {}, "server"),
        (0.899, 0.95, {}, "client"),
        (0.899, 0.949, {}, "neither"),
        (0.97, 0.60, {"shared_cpus": True}, "shared"),
        (0.97, 0.60, {"duet": True}, "shared"),
        (None, None, {"shared_cpus": True}, "shared"),
        (None, 0.97, {}, None),
        (0.97, None, {}, None),
    ],
)
def test_a_trial_is_bound_by_the_side_that_is_saturated(
    server: float | None, client: float | None, changes: dict[str, bool], what: str | None
) -> None:
    """Unless both share CPUs, or the kernel does not report it."""
    evidence = replace(GOOD, server_share=server, client_share=client, **changes)  # type: ignore[arg-type]
    assert bound(evidence, LIMITS) == what


SHARES = st.none() | st.floats(0, 3)
COUNTS = st.none() | st.integers(0, 10**9)
PROBED = st.none() | st.tuples(st.integers(0, 9), st.integers(0, 9))


@given(
    st.builds(
        Evidence, mode=st.sampled_from(["persistent", "non-persistent"]), load=st.sampled_from(["wrk", "locust"]),
        network=st.sampled_from(["namespace", "host"]), duet=st.booleans(), connections=st.integers(1, 1000),
        server_threads=st.integers(1, 9), asked_us=st.integers(1, 10**8), duration_us=st.integers(1, 10**8),
        watched_us=st.integers(1, 10**8), requests=st.integers(1, 10**9), served=st.integers(1, 10**9),
        errors=st.builds(Errors, st.integers(0, 9)), shared_cpus=st.booleans(), histogram_sum=COUNTS,
        least_count=st.none() | st.integers(-9, 9), mean_latency_us=SHARES, bytes_per_request=SHARES,
        probed_bytes=PROBED, tcp=st.dictionaries(st.sampled_from(sorted(GOOD.tcp)), st.integers(0, 10**9)),
        established_mid=COUNTS, time_wait_max=COUNTS, ports=st.none() | st.integers(1, 65_535), port_reuse_s=SHARES,
        server_share=SHARES, client_share=SHARES, client_wait_share=SHARES, client_thread_share=SHARES,
        ceiling_per_s=st.none() | st.floats(1, 1e6), steal_share=SHARES, foreign_share=SHARES, throttled_us=COUNTS,
        pressure_share=st.dictionaries(st.just("io some"), st.floats(0, 1)), thermal_throttles=COUNTS,
        swapped_pages=COUNTS, frequency_drift=SHARES, clock_step_us=st.none() | st.integers(-9999, 9999),
        processes_before=COUNTS, processes_after=COUNTS, threads_after=COUNTS, rss_growth_bytes=COUNTS,
        rss_growth_share=SHARES,
        series=st.lists(st.none() | st.integers(0, 10**6), max_size=40).map(
            lambda sent: Series(at_us=tuple(range(len(sent))), segments=tuple(sent))
        ),
    )
)  # fmt: skip
def test_any_trial_can_be_judged(evidence: Evidence) -> None:
    """Whatever is unknown or odd, every check has an outcome, and the trial may have a bound."""
    checks = judge(evidence, LIMITS)
    assert len(checks) == sum(check not in ONLY_FOR or ONLY_FOR[check] is CLOSED for check in CHECKS)
    assert all(check.outcome in {"pass", "warn", "fail", "unknown"} for check in checks)
    assert bound(evidence, LIMITS) in {"server", "client", "shared", "neither", None}


def test_a_mix_has_answers_of_several_lengths_and_as_many_errors_as_chance_allows() -> None:
    """A tenth are 404s, give or take five standard deviations and what was under way at the end."""
    assert outcome("V24", mixed=True) == "unknown"
    for errors, expected in ((10_000, "pass"), (10_500, "pass"), (10_700, "fail"), (9_000, "fail"), (0, "fail")):
        assert outcome("V1", errors=Errors(status=errors), expected_error_share=0.1) == expected


def test_answers_that_were_read_are_judged_and_nothing_else_is() -> None:
    """With the largest share of wrong answers that 95 of 100 such samples would have shown."""
    found = judge(replace(GOOD, checked=Checked(30_000, 0), foreign_share=9.0), LIMITS)
    assert [check.id for check in found] == ["V1", "V24"]
    assert check("V24", checked=Checked(30_000, 0)).saw.endswith("the share of wrong ones is below 0.01 %")
    assert check("V24", checked=Checked(100, 0)).saw.endswith("below 3 %")
    wrong = check("V24", checked=Checked(100, 2, "answers status 500, not 200"))
    assert (wrong.outcome, wrong.saw) == (
        "fail", "2 of 100 answers under load were wrong; the first: it answers status 500, not 200",
    )  # fmt: skip
    assert outcome("V24", checked=Checked(0, 0, "the checker gave no result")) == "unknown"
