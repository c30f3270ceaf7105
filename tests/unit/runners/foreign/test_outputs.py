"""What load generators print: each figure that is there is read, and nothing else is known."""

from __future__ import annotations

import json

import pytest

from runners.foreign.reading import foreign, samples_in
from runners.foreign.sample import Sample
from runners.records.trial import Errors
from tests.support import foreign_files as files

CLEAN = Errors()


def only(name: str) -> Sample:
    """Return the one measurement in a file of ours."""
    (sample,) = samples_in(foreign(name, files.FILES[name][1]))[1]
    return sample


def test_wrk() -> None:
    """Sizes are binary; a persistent connection is only its default, so the mode is not known."""
    assert only("wrk.txt") == Sample(
        load="wrk",
        requests_per_s=40_000.0,
        connections=64,
        requests=400_400,
        duration_us=10_010_000,
        bytes_read=round(58.04 * 2**20),
        errors=CLEAN,
        latency_us={"mean": 1600.0, "max": 21_100.0, "p50": 1520.0, "p75": 1710.0, "p90": 2040.0, "p99": 3900.0},
        argv=("wrk", "-t", "4", "-c", "64", "http://127.0.0.1:8080/"),
    )


def test_wrk2_is_an_open_loop_whose_rate_it_does_not_print() -> None:
    """Its line about calibration tells it from wrk."""
    found = only("wrk2.txt")
    assert (found.load, found.open_loop, found.offered_per_s) == ("wrk2", True, None)
    assert found.latency_us["p99.9"] == 6000.0
    assert "p100" not in found.latency_us


def test_wrk_s_command_line_above_its_output_tells_more() -> None:
    """The rate, the threads, and whether connections were closed."""
    text = f"$ ./wrk2 -R2000 -t2 -c100 -d20s -H 'Connection: close' http://127.0.0.1:8080/\n{files.WRK2}"
    (found,) = samples_in(foreign("log.txt", text.encode()))[1]
    assert (found.offered_per_s, found.mode) == (2000.0, "non-persistent")
    assert found.argv[:3] == ("./wrk2", "-R2000", "-t2")


def test_wrk_s_errors_are_counted() -> None:
    """Of sockets and of statuses."""
    told = "  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 5\nRequests/sec:"
    (found,) = samples_in(foreign("wrk.txt", files.WRK.replace("Requests/sec:", told).encode()))[1]
    assert found.errors == Errors(connect=1, read=2, write=3, status=5, timeout=4)


def test_techempower_s_raw_output_has_its_tests_and_no_warm_ups() -> None:
    """With the depth of its pipeline."""
    found = only("raw.txt")
    assert (found.request, found.connections, found.mode, found.pipeline_depth) == ("plaintext", 256, "pipelined", 16)
    assert found.requests_per_s == 1_000_000.0


@pytest.mark.parametrize("name", ["oha.txt", "oha.json"])
def test_oha(name: str) -> None:
    """Text and JSON say the same; requests that the end cut off are no errors, and are not in the rate."""
    found = only(name)
    assert (found.requests, found.duration_us) == (400_000, 10_000_000)
    assert found.requests_per_s == pytest.approx(40_000.0, rel=1e-9)
    assert found.errors == CLEAN
    assert found.latency_us == {
        "mean": 1600.0, "min": 200.0, "max": 21_100.0, "p10": 1100.0, "p50": 1500.0, "p90": 2000.0, "p99": 3900.0,
        "p99.9": 8000.0,
    }  # fmt: skip
    assert (found.connections, found.bytes_read) == (None, None)


def test_oha_s_times_have_the_units_that_it_chooses() -> None:
    """Newer versions print milliseconds, or multiples of ten seconds."""
    for printed in ("1.6000 ms", "0.00016 10 sec", "1600.0 us"):
        text = files.OHA.replace("Average:\t0.0016 secs", f"Average:\t{printed}")
        (found,) = samples_in(foreign("oha.txt", text.encode()))[1]
        assert found.latency_us["mean"] == pytest.approx(1600.0)


def test_oha_s_percentiles_of_some_statuses_are_not_those_of_all() -> None:
    """It prints them below, if asked."""
    some = "Response time distribution (2xx only):\n  50.00% in 9.0000 secs\n\nDetails"
    (found,) = samples_in(foreign("oha.txt", files.OHA.replace("Details", some).encode()))[1]
    assert found.latency_us["p50"] == 1500.0


def test_h2load() -> None:
    """Clients of all threads are its connections."""
    assert only("h2load.txt") == Sample(
        load="h2load",
        requests_per_s=40_000.0,
        connections=64,
        requests=400_000,
        duration_us=10_000_000,
        bytes_read=60_800_000,
        errors=CLEAN,
        latency_us={"min": 110.0, "max": 21_100.0, "mean": 1600.0},
    )


def test_h2load_with_a_number_of_requests_took_the_time_in_which_it_finished() -> None:
    """With a duration, its start and its end do not count."""
    text = files.H2LOAD.replace(" Timing-based test with 0s of warm-up time and 10s of main duration.", "")
    (found,) = samples_in(foreign("h2load.txt", text.encode()))[1]
    assert found.duration_us == 10_120_000


def test_h2load_over_http_2_multiplexes_as_deeply_as_nobody_knows() -> None:
    """So that no rule takes a connection for one request."""
    (found,) = samples_in(foreign("h2load.txt", files.H2LOAD.replace("http/1.1", "h2").encode()))[1]
    assert found.mode == "multiplexed"


def test_h2load_s_columns_are_read_by_their_heads() -> None:
    """Newer versions print percentiles between maximum and mean."""
    text = files.H2LOAD.replace("min         max         mean ", "min         max         median      p95   p99   mean")
    text = text.replace("110us     21.10ms      1.60ms", "110us     21.10ms      1.52ms   2.5ms  3.9ms  1.60ms")
    (found,) = samples_in(foreign("h2load.txt", text.encode()))[1]
    assert found.latency_us == {
        "min": 110.0, "max": 21_100.0, "p50": 1520.0, "p95": 2500.0, "p99": 3900.0, "mean": 1600.0
    }  # fmt: skip


def test_hey() -> None:
    """A percentile of 0 is one that it could not tell."""
    found = only("hey.txt")
    assert (found.requests_per_s, found.requests, found.duration_us) == (40_000.0, 400_000, 10_000_000)
    assert found.errors == Errors(read=1, status=10, timeout=4)
    assert set(found.latency_us) == {"mean", "min", "max", "p10", "p50", "p90", "p99"}


def test_bombardier() -> None:
    """The duration that it prints is the one that was asked for, so it is not known."""
    found = only("bombardier.txt")
    assert (found.requests_per_s, found.connections, found.requests) == (40_100.0, 64, 400_000)
    assert (found.duration_us, found.errors) == (None, CLEAN)
    assert found.latency_us == {
        "mean": 1600.0, "max": 21_100.0, "p50": 1520.0, "p75": 1710.0, "p90": 2040.0, "p99": 3900.0
    }  # fmt: skip


def test_bombardier_s_json_has_the_time_that_was_taken_and_the_rate_that_was_asked() -> None:
    """Which makes it an open loop."""
    found = only("bombardier.json")
    assert (found.requests_per_s, found.duration_us, found.bytes_read) == (2000.0, 10_000_000, 3_040_000)
    assert (found.open_loop, found.offered_per_s) == (True, 2000.0)
    assert found.latency_us == {"mean": 1200.5, "max": 9000.0, "p50": 1100.0, "p99": 3000.0}


def test_k6() -> None:
    """Virtual users that loop are a closed loop."""
    found = only("k6.txt")
    assert (found.requests_per_s, found.requests, found.connections) == (9990.5, 100_000, 64)
    assert (found.open_loop, found.errors) == (False, CLEAN)
    assert found.latency_us == {
        "mean": 4050.0, "min": 349.31, "p50": 3550.0, "max": 35_130.0, "p90": 7020.0, "p95": 8880.0
    }  # fmt: skip


@pytest.mark.parametrize(
    ("scenarios", "connections"),
    [
        ("* default: Up to 20 looping VUs for 20s over 3 stages (gracefulStop: 30s)", 20),
        ("* a: 100 iterations shared among 10 VUs (maxDuration: 10m0s)", 10),
        ("* a: 5 iterations for each of 8 VUs (maxDuration: 10m0s)", 8),
        ("* a: 8 looping VUs for 10s\n              * b: 4 looping VUs for 10s", None),
    ],
)
def test_k6_s_users_are_those_of_its_one_scenario(scenarios: str, connections: int | None) -> None:
    """Of several, nobody knows how many were at work together."""
    usual = "* default: 64 looping VUs for 10s (gracefulStop: 30s)"
    (found,) = samples_in(foreign("k6.txt", files.K6.replace(usual, scenarios).encode()))[1]
    assert found.connections == connections


def test_k6_with_an_arrival_rate_is_an_open_loop() -> None:
    """Its users are as many as it takes, not connections."""
    found = only("k6-arrivals.txt")
    assert (found.open_loop, found.offered_per_s, found.connections) == (True, 10_000.0, None)


@pytest.mark.parametrize("nested", [False, True])
def test_k6_s_json_says_the_same(nested: bool) -> None:  # noqa: FBT001 - pytest gives it by name
    """With --summary-export, and from handleSummary, which nests the figures."""
    metrics = {key: {"values": of} if nested else of for key, of in files.K6_JSON["metrics"].items()}
    (found,) = samples_in(foreign("k6.json", json.dumps({"metrics": metrics}).encode()))[1]
    assert (found.requests_per_s, found.requests, found.connections) == (9990.5, 100_000, 64)
    assert found.errors == Errors(status=2)
    assert found.latency_us["p95"] == 8880.0


@pytest.mark.parametrize("name", files.FILES)
def test_windows_line_ends_and_colors_change_nothing(name: str) -> None:
    """Output is copied from all sorts of terminals."""
    kind, content = files.FILES[name]
    changed = content.replace(b"\n", b"\r\n").replace(b"Requests/sec", b"\x1b[1;32mRequests/sec\x1b[0m")
    assert samples_in(foreign(name, changed)) == samples_in(foreign(name, content))
    assert samples_in(foreign(name, content))[0] == kind
