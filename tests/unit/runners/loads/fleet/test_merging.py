"""What a fleet counted: histograms add up exactly, the rate is of the time in which all clients load."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.errors import FleetIncomplete
from runners.loads.base import LoadFailed, LoadInvalid, LoadJob, LoadResult
from runners.loads.by_name import LOADS
from runners.loads.fleet import load as fleet_load
from runners.loads.fleet.merging import at, common_window, merged
from runners.records.trial import Errors
from runners.stats.histogram import percentile_us
from tests.support import ROOT
from tests.support.fleet_fakes import wrk_output

SECOND = 1_000_000
JOB = LoadJob("127.0.0.1", 18080, "/", "persistent", 8, 0, 0.0, 1.0, fleet=Path("master"))
HISTOGRAMS = st.dictionaries(st.integers(1, 10**7), st.integers(1, 1000), min_size=1, max_size=30)


def told(
    rate_per_s: float = 1000.0, *, began_us: int = 10 * SECOND, length_us: int = SECOND, name: str = "a", **changes: Any
) -> dict[str, Any]:
    """Return what a client tells that sent at a constant rate."""
    requests = round(rate_per_s * length_us / SECOND)
    steps = [(began_us + length_us * step // 10, 7 + requests * step // 10) for step in range(1, 11)]
    kept: dict[str, Any] = {
        "name": name, "facts": {"cpus": 2}, "connections": 4, "threads": 2, "started_us": began_us,
        "ended_us": began_us + length_us, "samples": [[began_us - 800_000, 7], *map(list, steps)],
        "output": wrk_output({80: requests}, length_us), "tcp": {"TCPOrigDataSent": requests, "RetransSegs": 2},
        "thread_share": 0.5, "wait_share": 0.0, "host_share": 0.4, "clock_offset_us": 123,
        "clock_uncertainty_us": 40, "clock_drift_us": 3,
    }  # fmt: skip
    return {**kept, **changes}


def answer(*clients: dict[str, Any], failure: dict[str, Any] | None = None) -> str:
    """Return what `ask` prints."""
    return f"noise\nspeedup:fleet {json.dumps({'failure': failure, 'clients': clients})}\n"


def parsed(*clients: dict[str, Any]) -> LoadResult:
    """Return the fleet's result."""
    return LOADS["fleet"].parse(answer(*clients), JOB)


@given(st.lists(HISTOGRAMS, min_size=1, max_size=5))
def test_merged_percentiles_are_those_of_all_requests_together(histograms: list[dict[int, int]]) -> None:
    """As if one client had measured them all; never an average of percentiles."""
    found = merged(
        [told(output=str(number)) for number in range(len(histograms))],
        lambda text, *_: LoadResult(1, SECOND, 1, Errors(), histograms[int(text)], 1.0),
    )
    requests = sorted(value for each in histograms for value, count in each.items() for _ in range(count))
    assert found.latency is not None
    assert sum(found.latency.values()) == len(requests)
    for percent in (50.0, 90.0, 99.0, 99.9, 100.0):
        assert percentile_us(found.latency, percent) == percentile_us({v: requests.count(v) for v in set(requests)},
                                                                      percent)  # fmt: skip


def test_counts_of_the_clients_add_up() -> None:
    """Requests, errors, bytes and CPU time; the duration is that of one."""
    found = parsed(told(1000), told(500, name="b"))
    assert (found.requests, found.duration_us, found.bytes_read) == (1500, SECOND, 200)
    assert found.client_cpu_us == 2000
    assert found.counted_twice
    assert [(each.name, each.requests, each.segments_lost) for each in found.clients] == [("a", 1000, 2), ("b", 500, 2)]


@given(
    rates=st.lists(st.integers(200, 10_000).map(lambda tens: tens * 10.0), min_size=1, max_size=4),
    late_us=st.integers(0, 400_000),
)
def test_the_rate_is_the_sum_of_all_clients_rates(rates: list[float], late_us: int) -> None:
    """Also where one of them started late: only the time in which all load counts."""
    clients = [told(rate, name=f"c{number}") for number, rate in enumerate(rates[:-1])]
    found = parsed(*clients, told(rates[-1], began_us=10 * SECOND + late_us, name="late"))
    assert found.window_per_s == pytest.approx(sum(rates), rel=0.005)
    assert found.requests_per_s == found.window_per_s


def test_the_window_is_the_time_in_which_all_load_without_its_edges() -> None:
    """A tenth of it at each end, half a second at most."""
    begin = 10 * SECOND
    assert common_window([told()], [SECOND]) == (begin + 100_000, begin + 900_000)
    assert common_window([told()], [10 * SECOND]) == (begin + 500_000, begin + 9_500_000)
    assert common_window([told()], [SECOND], punctual=True) == (begin, begin + SECOND)


def test_who_starts_late_or_ends_early_shortens_the_window() -> None:
    """By as much."""
    late, early = told(began_us=10 * SECOND + 200_000), told()
    assert common_window([told(), late], [SECOND, SECOND], punctual=True) == (10_200_000, 11_000_000)
    assert common_window([told(), early], [SECOND, 700_000], punctual=True) == (10_000_000, 10_700_000)
    assert common_window([told(), told(began_us=12 * SECOND)], [SECOND, SECOND]) is None


def test_without_a_common_time_the_rate_is_not_of_one() -> None:
    """What is not known is None, and V29 says so."""
    found = parsed(told(), told(began_us=12 * SECOND))
    assert found.window_us is None
    assert found.window_per_s is None


def test_a_client_without_a_counter_leaves_the_window_s_rate_unknown() -> None:
    """One part unknown is a sum unknown."""
    assert parsed(told(), told(samples=[])).window_per_s is None
    assert parsed(told(), told(samples=[[SECOND, 5]])).window_per_s is None


def test_starts_are_told_after_the_first() -> None:
    """The times are the master's already; clock offsets are kept as they are."""
    found = parsed(told(began_us=10 * SECOND + 3000, clock_offset_us=-(10**12)), told())
    assert [client.started_us for client in found.clients] == [3000, 0]
    assert [client.clock_offset_us for client in found.clients] == [-(10**12), 123]
    assert {(each.clock_uncertainty_us, each.clock_drift_us) for each in found.clients} == {(40, 3)}


def test_punctual_clients_need_no_window_of_counters() -> None:
    """They count from one moment to another, so that the whole is exact."""
    facts = {"requests": 900, "opened_us": 1, "duration_us": SECOND, "latency": {"80": 900}, "cpu_us": 1.0,
             "errors": dict.fromkeys(("connect", "read", "write", "status", "timeout"), 0), "uncounted": 3,
             "late_s": 0.0}  # fmt: skip
    client = told(output=f"speedup:result {json.dumps(facts)}\n", samples=[])
    found = LOADS["locust"].parse(answer(client, client), JOB)
    assert (found.requests, found.uncounted, found.window_per_s) == (1800, 6, None)
    assert found.requests_per_s == 1800
    late = told(output=f"speedup:result {json.dumps({**facts, 'late_s': 0.2})}\n")
    with pytest.raises(LoadInvalid, match=r"Locust began 0\.2 s late"):
        LOADS["locust"].parse(answer(client, late), JOB)


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), max_size=6).map(sorted), st.integers(0, 10**9))
def test_a_counter_between_two_samples_lies_between_them(points: list[tuple[int, int]], moment: int) -> None:
    """And outside of all is unknown."""
    found = at(points, moment)
    if found is None:
        return
    assert points[0][0] <= moment <= points[-1][0]
    assert min(sent for _, sent in points) <= found <= max(sent for _, sent in points)


@pytest.mark.parametrize(
    "changes",
    [
        {"output": ""},
        {"output": "speedup:summary cpu_us=1\n"},
        {"output": wrk_output({80: 5}).replace("requests=5", "requests=x")},
        {"output": wrk_output({80: 5}, 0)},
        {"samples": [[1]]},
        {"samples": None},
        {"output": wrk_output({80: 5}).replace("requests=5", "requests=-5")},
        {"facts": {}},
        {"started_us": None},
    ],
    ids=str,
)
def test_what_cannot_be_is_invalid_by_name(changes: dict[str, Any]) -> None:
    """One client's nonsense spoils the trial, never the run."""
    with pytest.raises(LoadInvalid) as refused:
        parsed(told(), told(name="b") | changes)
    assert (refused.value.check, refused.value.name) == ("V22", "hosts")


def test_who_did_not_do_its_part_is_named() -> None:
    """With V22 and what it demands."""
    failure = {"client": "b", "reason": "fell silent 0.4 s into the load", "kind": "broken"}
    with pytest.raises(LoadInvalid, match=r"^client b fell silent 0\.4 s into the load$") as refused:
        LOADS["fleet"].parse(answer(failure=failure), JOB)
    assert (refused.value.check, refused.value.limit) == ("V22", fleet_load.LIMIT)
    with pytest.raises(LoadInvalid, match=r"^the trial was ended$"):
        LOADS["fleet"].parse(answer(failure={"client": None, "reason": "the trial was ended", "kind": "ended"}), JOB)


def test_a_fleet_that_does_not_come_back_stops_the_run() -> None:
    """So that it can be resumed, in place of failing every trial that is left."""
    failure = {"client": None, "reason": "1 of 2 clients are here (a)", "kind": "absent"}
    with pytest.raises(FleetIncomplete, match=r"the fleet is incomplete: 1 of 2 clients are here \(a\), after waiting"):
        LOADS["fleet"].parse(answer(failure=failure), JOB)


@pytest.mark.parametrize(
    "output", ["", "the fleet's master does not answer: [Errno 2]\n", "speedup:fleet \n", 'speedup:fleet {"fail']
)
def test_no_answer_is_no_result(output: str) -> None:
    """As when the master was killed."""
    with pytest.raises(LoadFailed, match=r"the fleet's master gave no (complete )?answer"):
        LOADS["fleet"].parse(output, JOB)


def test_the_order_tells_a_fleet_all_that_is_asked() -> None:
    """A warm-up is an order of its own, which does not count."""
    warm, measured = LOADS["fleet"].phases(replace(JOB, warmup_s=0.3, threads=3))
    orders = [json.loads(phase.argv[-1]) for phase in (warm, measured)]
    assert [(each["duration_s"], each["measured"], each["warmup_s"]) for each in orders] == [
        (0.3, False, 0.0),
        (1.0, True, 0.0),
    ]
    assert all((each["connections"], each["threads"], each["port"]) == (8, 3, 18080) for each in orders)
    assert measured.argv[-2] == "master"
    assert measured.limit_s > fleet_load.WAIT_S + 1.0
    assert len(LOADS["fleet"].phases(JOB)) == 1


def test_each_client_decides_on_its_threads() -> None:
    """Unless a number is wanted."""
    assert LOADS["fleet"].threads(64, 2, None) == 0
    assert LOADS["fleet"].threads(64, 2, 3) == 3
    assert json.loads(LOADS["fleet"].phases(JOB)[-1].argv[-1])["threads"] is None


def test_merging_can_be_imported_first() -> None:
    """Though load generators import it, and it imports theirs."""
    subprocess.run([sys.executable, "-c", "import runners.loads.fleet.merging"], check=True, cwd=ROOT)
