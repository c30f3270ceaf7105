"""wrk: its output is read exactly, its traps are closed in the command line."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.loads.base import LoadFailed, LoadJob
from runners.loads.wrk import SCRIPT, Wrk
from runners.records.trial import Errors

JOB = LoadJob("127.0.0.1", 18080, "/", "persistent", 4, 2, 0.3, 1.0)
OUTPUT = """\
Running 1s test @ http://127.0.0.1:18080/
  2 threads and 4 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    84.00us   30.00us   1.20ms   91.20%
    Req/Sec    23.77k     1.16k   25.18k    81.82%
  {requests} requests in 1.10s, 6.76MB read
  Socket errors: connect 0, read 1, write 2, timeout 3
Requests/sec:  47280.05
Transfer/sec:      6.14MB
speedup:summary cpu_us=981234 duration_us=1100123 requests={requests} bytes=1500 connect=0 read=1 write=2 status=4 \
timeout=3 histogram=ffi
speedup:histogram {histogram}
"""


def output(requests: int, histogram: str) -> str:
    """Return what wrk and its script print."""
    return OUTPUT.format(requests=requests, histogram=histogram)


def test_the_script_s_lines_are_read_exactly() -> None:
    """Not the rounded ones that wrk prints for people."""
    result = Wrk().parse(output(10, "80:4 90:5 1200:1"), JOB)
    assert result.counted_twice
    assert (result.requests, result.duration_us, result.bytes_read) == (10, 1_100_123, 1500)
    assert result.client_cpu_us == pytest.approx(981_234)
    assert result.errors == Errors(connect=0, read=1, write=2, status=4, timeout=3)
    assert result.latency == {80: 4, 90: 5, 1200: 1}
    assert result.uncounted == 0


def test_the_latency_correction_is_undone() -> None:
    """One answer of 1 s among 12 requests on 4 connections was spread over shorter times by wrk."""
    interval = 1_100_123 // (12 // 4)
    spread = f"80:11 {1_000_000 - interval}:1 1000000:1"
    assert Wrk().parse(output(12, spread), JOB).latency == {80: 11, 1_000_000: 1}


def test_a_run_without_an_answer_has_an_empty_histogram() -> None:
    """The script prints the line all the same."""
    result = Wrk().parse(output(0, ""), JOB)
    assert (result.requests, result.latency) == (0, {})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "unable to connect to 127.0.0.1:18080 Connection refused\n",
        output(10, "80:10").replace("speedup:", "other:"),
        output(10, "80:10").partition("speedup:histogram")[0],
    ],
    ids=["nothing", "no connection", "no script", "no histogram"],
)
def test_output_without_a_result_is_refused(text: str) -> None:
    """Zero requests would be a lie."""
    with pytest.raises(LoadFailed, match="wrk printed no result"):
        Wrk().parse(text, JOB)


@pytest.mark.parametrize(
    "text",
    [
        output(10, "80:10").replace("requests=10", "requests="),
        output(10, "80:10").replace(" timeout=3 ", " "),
        output(10, "80:10").replace("read=1", "read"),
        output(10, "80"),
        output(10, "80:x"),
    ],
    ids=["no number", "no timeouts", "no sign", "no count", "no digits"],
)
def test_a_torn_result_is_refused(text: str) -> None:
    """As after a kill in the middle of a line."""
    with pytest.raises(LoadFailed, match="wrk printed a torn result"):
        Wrk().parse(text, JOB)


@given(st.text())
def test_any_output_is_a_result_or_is_refused(text: str) -> None:
    """Servers and systems print what they like."""
    with pytest.raises(LoadFailed):
        Wrk().parse(f"speedup:summary {text}\nspeedup:histogram {text}\n", JOB)


@given(connections=st.integers(1, 2000), cpus=st.integers(1, 128), wanted=st.none() | st.integers(1, 64))
def test_wrk_s_threads_always_divide_the_connections(connections: int, cpus: int, wanted: int | None) -> None:
    """Wrk would drop the rest silently; as many threads as allowed are used otherwise."""
    threads = Wrk().threads(connections, cpus, wanted)
    most = wanted or cpus
    assert 1 <= threads <= most
    assert connections % threads == 0
    assert not any(connections % more == 0 for more in range(threads + 1, min(most, connections) + 1))


def value(argv: tuple[str, ...], option: str) -> str:
    """Return the word behind an option."""
    return argv[argv.index(option) + 1]


def test_the_measured_command_says_all_that_is_asked() -> None:
    """Threads, connections, duration, the script and the address, in wrk's own spelling."""
    argv = Wrk().phases(JOB)[-1].argv
    assert argv[0] == "wrk"
    assert (value(argv, "-t"), value(argv, "-c"), value(argv, "-d")) == ("2", "4", "1s")
    assert value(argv, "-s") == SCRIPT.name
    assert SCRIPT.is_file()
    assert argv[-1] == "http://127.0.0.1:18080/"


@given(warmup_s=st.floats(0, 30), duration_s=st.integers(1, 60))
def test_the_timeout_always_lies_above_the_duration(warmup_s: float, duration_s: int) -> None:
    """Else slow answers would be missing from the histogram."""
    for phase in Wrk().phases(replace(JOB, warmup_s=warmup_s, duration_s=float(duration_s))):
        duration, timeout = value(phase.argv, "-d"), value(phase.argv, "--timeout")
        assert int(timeout.removesuffix("s")) > int(duration.removesuffix("s"))
        assert phase.limit_s > int(duration.removesuffix("s"))


def test_the_close_header_is_spelled_so_that_wrk_sends_it() -> None:
    """With a space behind the colon; and only where it is wanted."""
    for phase in Wrk().phases(replace(JOB, mode="non-persistent")):
        assert value(phase.argv, "-H") == "Connection: close"
    for phase in Wrk().phases(JOB):
        assert "-H" not in phase.argv


@given(st.floats(0.001, 20))
def test_a_warm_up_of_part_of_a_second_is_ended_early(warmup_s: float) -> None:
    """Wrk itself counts in whole seconds; the warm-up has no script, so that it prints no result."""
    warmup, measured = Wrk().phases(replace(JOB, warmup_s=warmup_s))
    whole_s = math.ceil(warmup_s)
    assert (warmup.purpose, measured.purpose) == ("warm-up", "load")
    assert value(warmup.argv, "-d") == f"{whole_s}s"
    assert warmup.stop_after_s == (warmup_s if warmup_s < whole_s else None)
    assert "-s" not in warmup.argv
    assert measured.stop_after_s is None


@given(st.floats(0.2, 20))
def test_a_duet_of_part_of_a_second_is_ended_early_and_prints_its_result(duration_s: float) -> None:
    """The script says how long it really took."""
    _, measured = Wrk().phases(replace(JOB, duration_s=duration_s))
    whole_s = math.ceil(duration_s)
    assert value(measured.argv, "-d") == f"{whole_s}s"
    assert measured.stop_after_s == (duration_s if duration_s < whole_s else None)
    assert value(measured.argv, "-s") == SCRIPT.name


def test_without_a_warm_up_there_is_one_command() -> None:
    """Zero seconds are none."""
    assert [phase.purpose for phase in Wrk().phases(replace(JOB, warmup_s=0.0))] == ["load"]
