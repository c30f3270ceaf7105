"""h2load: its command lines, what its log holds for the measured time, and what was sent too late."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.loads.base import LoadFailed, LoadJob
from runners.loads.by_name import LOADS
from runners.loads.h2load import SETTLE_S, H2load, ramp_s, stagger_ms
from runners.loads.pacing import Request, bunching, pacing_of, read_requests, window_of
from runners.records.trial import Errors

CLOSED = LoadJob("127.0.0.1", 18080, "/x", "persistent", 8, 2, 0.3, 1.0)
PACED = replace(CLOSED, rate_per_s=1000.0)
OUTPUT = """\
starting benchmark...
finished in 1.00s, 3.00 req/s, 150.00B/s
requests: {total} total, {total} started, {total} done, {ok} succeeded, 0 failed, {errored} errored, {timeout} timeout
status codes: {ok} 2xx, 0 3xx, 0 4xx, {bad} 5xx
traffic: {total}00B ({total}00) total, 0B (0) headers (space savings 0.00%), 0B (0) data
"""
rates = st.floats(1, 1e5)


def output(ok: int, bad: int = 0, errored: int = 0, timeout: int = 0) -> str:
    """Return what h2load prints at its end."""
    return OUTPUT.format(total=ok + bad, ok=ok, bad=bad, errored=errored, timeout=timeout)


def logged(job: LoadJob, folder: Path, rows: list[tuple[int, int, int]]) -> LoadJob:
    """Return the job with a log of (start, status, microseconds)."""
    log = folder / "block0.requests.txt"
    log.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows), encoding="ascii")
    return replace(job, request_log=log)


def options(argv: tuple[str, ...]) -> dict[str, str]:
    """Return each word with the one behind it."""
    return dict(itertools.pairwise(argv))


def test_a_closed_loop_is_warmed_up_by_a_command_of_its_own() -> None:
    """Only the measured command logs, since logging costs."""
    warm_up, measured = H2load().phases(CLOSED)
    assert (options(warm_up.argv)["-D"], options(measured.argv)["-D"]) == ("300ms", "1000ms")
    assert "--log-file" in measured.argv
    assert "--log-file" not in warm_up.argv
    assert len(H2load().phases(replace(CLOSED, warmup_s=0))) == 1


def test_a_paced_job_opens_its_connections_one_after_another() -> None:
    """With -n and -r, since connections opened in one go would send all at once; the rate is that of a connection."""
    (phase,) = H2load().phases(replace(PACED, warmup_s=0))
    found = options(phase.argv)
    assert (found["--rps"], found["-c"], found["-t"], found["-r"]) == ("125", "8", "2", "2")
    assert found["--rate-period"] == "2ms"
    assert "-D" not in phase.argv
    assert int(found["-n"]) % 8 == 0
    assert int(found["-n"]) >= 1000 * (ramp_s(PACED) + SETTLE_S + 1.0)
    assert phase.stop_after_s is not None
    assert phase.stop_after_s > ramp_s(PACED) + SETTLE_S + 1.0


def test_a_paced_job_is_warmed_up_at_full_load() -> None:
    """A server that compiles would not be warm soon enough at a rate that leaves it idle."""
    warm_up, measured = H2load().phases(PACED)
    assert (warm_up.purpose, options(warm_up.argv)["-D"]) == ("warm-up", "300ms")
    assert "--rps" not in warm_up.argv
    assert "--rps" in measured.argv


def test_non_persistent_connections_are_asked_for_by_the_header() -> None:
    """The closing header is in both commands."""
    for phase in H2load().phases(replace(CLOSED, mode="non-persistent")):
        assert options(phase.argv)["-H"] == "Connection: close"


@given(rates, st.integers(1, 64), st.integers(1, 4))
def test_connections_open_within_one_interval_or_as_fast_as_h2load_can(rate: float, share: int, threads: int) -> None:
    """The rate period is in whole milliseconds, one at least."""
    job = replace(PACED, rate_per_s=rate, connections=share * threads, threads=threads)
    assert stagger_ms(job) >= 1
    assert ramp_s(job) <= max(1.5 * job.connections / rate, share / 1000) + 1e-9


@given(st.integers(1, 300), st.integers(1, 32), st.none() | st.integers(1, 64))
def test_threads_always_share_the_connections_evenly(connections: int, cpus: int, wanted: int | None) -> None:
    """Else some threads would have a connection more than others."""
    threads = H2load().threads(connections, cpus, wanted)
    assert connections % threads == 0
    assert 1 <= threads <= min(wanted or cpus, connections)


def test_a_closed_loop_counts_all_of_its_log(tmp_path: Path) -> None:
    """Statuses, microseconds and bytes; the log is removed once it is read."""
    job = logged(CLOSED, tmp_path, [(10, 200, 80), (20, 200, 80), (30, 500, 90)])
    result = H2load().parse(output(2, bad=1), job)
    assert not result.counted_twice
    assert (result.requests, result.duration_us, result.uncounted, result.bytes_read) == (3, 1_000_000, 0, 300)
    assert result.latency == {80: 2, 90: 1}
    assert result.errors == Errors(status=1)
    assert result.pacing is None
    assert job.request_log is not None
    assert not job.request_log.exists()


def test_a_paced_job_counts_what_was_sent_in_the_measured_time(tmp_path: Path) -> None:
    """Neither the ramp and what settles before it, nor what follows; the measured time is known by both clocks."""
    job = replace(PACED, rate_per_s=100.0, connections=4, threads=1)
    ahead_us = (time.time_ns() - time.monotonic_ns()) // 1000
    rows = [(ahead_us + 5_000_000 + 10_000 * number, 200, 100) for number in range(170)]
    result = H2load().parse(output(170), logged(job, tmp_path, rows))
    assert (result.requests, result.uncounted) == (100, 70)
    begin_us = 5_000_000 + round((ramp_s(job) + SETTLE_S) * 1e6)
    assert result.window_us is not None
    assert result.window_us[0] == pytest.approx(begin_us, abs=1000)
    assert result.window_us[1] - result.window_us[0] == 1_000_000
    assert result.latency == {100: 100}
    assert result.bytes_read == 100 * 100
    assert result.pacing is not None
    assert (result.pacing.late, result.pacing.late_max_us) == (0, 0)


def test_a_paced_job_that_had_to_be_ended_is_read_from_its_log_alone(tmp_path: Path) -> None:
    """The totals are missing then; a line that was torn by the end is left out."""
    job = logged(
        replace(PACED, connections=1, threads=1), tmp_path, [(number * 1000, 200, 5) for number in range(2000)]
    )
    assert job.request_log is not None
    with job.request_log.open("a", encoding="ascii") as log:
        log.write("17955")
    result = H2load().parse("starting benchmark...\n", job)
    assert (result.requests, result.bytes_read) == (1000, None)


def test_broken_requests_are_errors_and_no_answers(tmp_path: Path) -> None:
    """As when the server resets a connection."""
    job = logged(CLOSED, tmp_path, [(10, 200, 80), (20, -1, 0)])
    result = H2load().parse(output(1, errored=3, timeout=1), job)
    assert (result.requests, result.latency) == (1, {80: 1})
    assert result.errors == Errors(read=2, timeout=1)


@pytest.mark.parametrize(
    ("text", "rows", "why"),
    [
        (output(3), [(10, 200, 80)], "3 requests were answered, its log has 1"),
        ("starting benchmark...", [(10, 200, 80)], "no totals"),
    ],
)
def test_a_log_that_its_own_totals_contradict_is_refused(
    tmp_path: Path, text: str, rows: list[tuple[int, int, int]], why: str
) -> None:
    """Then one of both is wrong."""
    with pytest.raises(LoadFailed, match=why):
        H2load().parse(text, logged(CLOSED, tmp_path, rows))


def test_a_missing_or_torn_log_is_refused(tmp_path: Path) -> None:
    """h2load did not start, or the disk is full."""
    with pytest.raises(LoadFailed, match="no log"):
        H2load().parse(output(1), replace(CLOSED, request_log=tmp_path / "none"))
    job = logged(CLOSED, tmp_path, [])
    assert job.request_log is not None
    job.request_log.write_text("1\tx\t3\n", encoding="ascii")
    with pytest.raises(LoadFailed, match="torn log"):
        H2load().parse(output(1), job)


def test_it_is_found_by_its_name() -> None:
    """The command line's --load h2load."""
    assert LOADS["h2load"].tool == "h2load"


def evenly(count: int, rate: float, *, took_us: int = 100) -> list[Request]:
    """Return requests that were all sent in time."""
    return [Request(round(number * 1e6 / rate), 200, took_us) for number in range(count)]


@given(st.integers(1, 500), rates, st.integers(1, 64))
def test_requests_sent_in_time_keep_their_latency(count: int, rate: float, connections: int) -> None:
    """Nothing is added where nothing was late."""
    requests = evenly(count, rate)
    corrected, pacing = pacing_of(requests, rate, connections)
    assert corrected == requests
    assert (pacing.late, pacing.late_max_us) == (0, 0)


def test_requests_held_back_by_a_stall_are_charged_their_delay() -> None:
    """1,000 req/s over 2 connections, a stall of 300 ms in which nothing is sent: each waited until it was over."""
    requests = [replace(one, start_us=max(one.start_us, 800_000)) if one.start_us >= 500_000 else one
                for one in evenly(2000, 1000)]  # fmt: skip
    corrected, pacing = pacing_of(requests, 1000, 2)
    true = sorted(100 + max(0, 800_000 - number * 1000) if number >= 500 else 100 for number in range(2000))
    found = sorted(request.latency_us for request in corrected)
    assert pacing.late_max_us == pytest.approx(300_000, abs=1000)
    assert max(abs(one - other) for one, other in zip(found, true, strict=True)) <= 10_000


@given(st.lists(st.tuples(st.integers(0, 10**7), st.integers(0, 10**5)), max_size=200), rates)
def test_a_correction_never_shortens(rows: list[tuple[int, int]], rate: float) -> None:
    """A request that was sent early is not the server's merit."""
    requests = sorted((Request(start, 200, took) for start, took in rows), key=lambda one: one.start_us)
    corrected, pacing = pacing_of(requests, rate, 4)
    assert len(corrected) == len(requests)
    assert all(after.latency_us >= before.latency_us for before, after in zip(requests, corrected, strict=True))
    assert 0 <= pacing.late <= len(requests)


def test_bunching_tells_a_metronome_from_connections_that_send_at_once() -> None:
    """One request each millisecond is 0; 64 at once every 64 ms is about 64."""
    assert bunching(evenly(1000, 1000)) == pytest.approx(0)
    assert bunching([Request(64_000 * (number // 64), 200, 1) for number in range(6400)]) == pytest.approx(63, abs=1)
    assert bunching([]) == 0


@given(st.lists(st.tuples(st.integers(0, 10**9), st.sampled_from([200, 404, -1]), st.integers(0, 10**6))))
def test_a_log_is_read_in_the_order_of_its_starts(rows: list[tuple[int, int, int]]) -> None:
    """Threads may write out of order."""
    requests = read_requests("".join(f"{start}\t{status}\t{took}\n" for start, status, took in rows).encode())
    assert sorted(rows) == sorted((one.start_us, one.status, one.latency_us) for one in requests)
    assert [one.start_us for one in requests] == sorted(row[0] for row in rows)


def test_a_window_holds_its_begin_and_not_its_end() -> None:
    """Counted from the first request."""
    requests = evenly(100, 100)
    assert window_of(requests, 0.1, 0.5) == requests[10:60]
    assert window_of([], 0.1, 0.5) == []
