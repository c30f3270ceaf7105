"""Whether numbers agree with each other: each rule finds its own fault, and nothing in numbers that are sound."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.trust.consistency import RULES, Consistency, apply_rules, consistency_of, wrk_split
from reports.view.view import view_run
from runners.records.folder import read_folder
from runners.records.run import RunFolder
from runners.records.trial import Bound, Check, Command, Trial
from tests.support import ROOT
from tests.support.example_run import example_run, published_runs

SOUND: dict[str, Any] = {
    "cell": "a/t1/c64/persistent#1", "server": "a", "variant": None, "threads": 1, "connections": 64,
    "mode": "persistent", "machine": "local", "verdict": "ok", "load": "wrk", "requests": 100_000,
    "duration_us": 10_000_000, "requests_per_s": 10_000.0, "bytes_read": 15_200_000,
    "latency_us": {"min": 900.0, "p50": 6000.0, "p90": 8000.0, "p99": 9000.0, "max": 20_000.0, "mean": 6400.0},
    "commands": (Command("load", ("wrk", "-c", "64", "-t", "4", "http://127.0.0.1/")),),
}  # fmt: skip


def trial(**changed: Any) -> Trial:
    """Return a trial whose numbers all agree, but for these; the cell is named after the server and the mode."""
    known = {**SOUND, **changed}
    name = f"{known['server']}/t{known['threads']}/c{known['connections']}/{known['mode']}#1"
    return Trial(**{**known, "cell": changed.get("cell", name)})


def found(*trials: Trial) -> list[tuple[str, str]]:
    """Return the rule of each finding and what it saw."""
    return [(finding.rule.id, finding.saw) for result in apply_rules(trials) for finding in result.findings]


def checked(*trials: Trial) -> dict[str, int]:
    """Return how many numbers each rule could check."""
    return {result.rule.id: result.checked for result in apply_rules(trials)}


def test_sound_numbers_are_checked_and_no_contradiction_is_found() -> None:
    """By every rule that one server's numbers in both modes are enough for."""
    both = [trial(), trial(mode="non-persistent", requests_per_s=5000.0, requests=50_000, bytes_read=9_000_000)]
    twice = [*both, *both]

    assert found(*twice) == []
    assert checked(*twice) == {"L1": 4, "L2": 4, "L3": 2, "L4": 4, "L5": 4, "L6": 1, "L7": 0}


def test_the_document_s_own_numbers_hold_two_mistakes() -> None:
    """One rate was copied into the other mode, and wrk opened fewer connections than it was asked for."""
    folder = read_folder(ROOT / "published" / "2015-core2quad-q9300")

    assert found(*folder.trials) == [
        ("L5", "wrk -c 400 -t 12 opens 396 connections, 33 per thread (33 numbers)"),
        ("L6", "asynchttp: 13746 requests per second, persistent and non-persistent"),
    ]


def test_the_document_s_second_machine_got_fewer_connections_too() -> None:
    """For the same reason."""
    folder = read_folder(ROOT / "published" / "2015-xeon-e5-2680")

    assert found(*folder.trials) == [("L5", "wrk -c 800 -t 24 opens 792 connections, 33 per thread (5 numbers)")]


def test_a_run_of_our_own_raises_no_false_alarm() -> None:
    """Its published numbers are told apart from it."""
    run, trials, _ = example_run()
    own, *beside = consistency_of(view_run(RunFolder(Path("nowhere"), run, trials)))

    assert own.source == "local (Example CPU @ 2.50GHz)"
    assert own.findings == ()
    assert own.unchecked == "L2 percentiles in order"
    assert [(item.source, len(item.findings)) for item in beside] == [
        ("Core2Quad Q9300, 2015", 2),
        ("2x 8-core Xeon E5-2680 (16 cores, 32 threads total), 2015", 1),
    ]


def test_a_rate_must_be_requests_over_duration() -> None:
    """Told once for each cell."""
    wrong = trial(requests_per_s=11_000.0, latency_us={})

    assert found(wrong, wrong) == [
        (
            "L1",
            "a/t1/c64/persistent: 11000 requests per second, but 100000 in 10 s are 10000 (and 1 more of its trials)",
        )
    ]
    assert found(trial(requests_per_s=10_040.0)) == []


@pytest.mark.parametrize(
    ("latency_us", "saw"),
    [
        ({"p50": 9.0, "p99": 8.0}, "p50 9 µs > p99 8 µs"),
        ({"p99": 9.0, "max": 8.0}, "p99 9 µs > max 8 µs"),
        ({"min": -1.0, "max": 8.0}, "min -1 µs is below 0"),
        ({"p50": 1.0, "max": 8.0, "mean": 9.0}, "mean 9 µs > max 8 µs"),
    ],
)
def test_percentiles_must_be_in_order(latency_us: dict[str, float], saw: str) -> None:
    """As must be extremes and mean."""
    assert ("L2", f"a/t1/c64/persistent: {saw}") in found(trial(latency_us=latency_us, requests_per_s=0.001))


@given(st.lists(st.floats(0, 1e9), min_size=2, max_size=6))
def test_percentiles_of_sorted_values_are_in_order(values: Sequence[float]) -> None:
    """Whatever they are, equal ones too."""
    names = ("min", "p50", "p90", "p99", "p99.9", "max")
    known = dict(zip(names, sorted(values), strict=False))

    assert not [finding for finding in found(trial(latency_us=known)) if finding[0] == "L2"]


@pytest.mark.parametrize(("mean", "kept"), [(3200.0, "32.0"), (12_800.0, "128.0")])
def test_little_s_law_must_hold(mean: float, kept: str) -> None:
    """Connections that idle are found, and latencies that cannot be of these requests."""
    saw = f"a/t1/c64/persistent: 10000/s x {mean / 1000:g} ms mean latency keeps {kept} of 64 connections busy"

    assert found(trial(latency_us={"mean": mean})) == [("L3", saw)]


def test_little_s_law_holds_only_where_it_can() -> None:
    """Connecting is not counted, paced connections may idle, and V10 knows more than the numbers."""
    low = {"mean": 3200.0}
    judged = (Check("V10", "connections at work", "warn", "0.5"),)

    assert found(trial(latency_us=low, mode="non-persistent")) == []
    assert found(trial(latency_us=low, design="paced")) == []
    assert found(trial(latency_us=low, checks=judged)) == []
    assert len(found(trial(latency_us={"mean": 12_800.0}, checks=judged))) == 1


def test_answers_of_one_program_are_of_one_length() -> None:
    """But for those in flight; another program or mode may answer something else."""
    longer = trial(bytes_read=15_600_000)

    assert found(trial(), longer) == [("L4", "a, persistent: 152.0 to 156.0 bytes per request over 2 trials")]
    assert found(trial(), trial(bytes_read=15_300_000)) == []
    assert found(trial(), dataclasses.replace(longer, server="b")) == []


@pytest.mark.parametrize(
    ("argv", "asked"),
    [
        ("wrk -c 400 -d 10 -t 12 http://localhost:8080", (400, 12)),
        ("/usr/bin/wrk -c400 -t12 http://localhost", (400, 12)),
        ("wrk2 --connections=400 --threads 12 -R 100 http://localhost", (400, 12)),
        ("wrk http://localhost", (10, 2)),
        ("h2load -c 400 -t 12 http://localhost", None),
        ("wrk -t 0 http://localhost", None),
        ("", None),
    ],
)
def test_a_command_line_of_wrk_is_understood(argv: str, asked: tuple[int, int] | None) -> None:
    """In all the forms that its options take."""
    assert wrk_split(tuple(argv.split())) == asked


def test_the_same_number_in_both_modes_is_found() -> None:
    """To the last digit only, and not where servers that sleep answer a few requests."""

    def pair(persistent: float, other: float) -> list[tuple[str, str]]:
        both = {"persistent": persistent, "non-persistent": other}
        return found(
            *(trial(mode=mode, requests_per_s=rate, requests=None, latency_us={}) for mode, rate in both.items())
        )

    assert pair(13_746, 13_746) == [("L6", "a: 13746 requests per second, persistent and non-persistent")]
    assert pair(13_746, 13_745) == []
    assert pair(640, 640) == []


@pytest.mark.parametrize(("bound", "count"), [(None, 1), ("client", 1), ("neither", 1), ("server", 0), ("shared", 0)])
def test_servers_at_a_ceiling_are_found(bound: Bound | None, count: int) -> None:
    """Unless it is known that each was the limit itself."""
    rates = {"a": 10_000.0, "b": 9_950.0, "c": 9_900.0, "d": 5_000.0}
    trials = [
        trial(server=name, requests_per_s=rate, requests=None, latency_us={}, bound=bound)
        for name, rate in rates.items()
    ]
    saws = [("L7", "a, b, c, persistent: all between 9900 and 10000 requests per second")]

    assert found(*trials) == saws * count
    assert found(*trials[:2], trials[3]) == []


def test_variants_of_one_server_are_no_ceiling() -> None:
    """They may well be alike."""
    alike = [
        trial(cell=f"a.{name}", variant=name, requests_per_s=10_000.0, requests=None, latency_us={}) for name in "abcd"
    ]

    assert found(*alike, trial(server="b", requests_per_s=9990.0, requests=None, latency_us={})) == []


def test_trials_that_do_not_count_are_not_checked() -> None:
    """They are shown with their own reason, and the report does not say that they agree."""
    wrong = trial(requests_per_s=1.0, verdict="invalid")

    assert found(wrong) == []
    none = Consistency("x", apply_rules([wrong]))
    assert (none.nothing, none.unchecked) == ("no numbers to check", "")
    assert Consistency("x", apply_rules([trial()])).nothing == "no contradictions"
    assert Consistency("x", apply_rules([dataclasses.replace(wrong, verdict="ok")])).nothing == ""


def test_every_rule_can_find_something_in_numbers_that_others_published() -> None:
    """The rules that need no more than a rate and a command line can check published trials."""
    able = {result.rule.id for item in published_runs() for result in apply_rules(item.trials) if result.checked}

    assert able == {"L5", "L6", "L7"}
    assert [rule.id for rule in RULES] == [f"L{number}" for number in range(1, 8)]


def test_a_pipelined_connection_has_as_many_requests_under_way_as_its_pipeline_is_deep() -> None:
    """And fewer at times, since each of a batch is timed from the first one's start: that is no false alarm."""
    deep = {"mode": "pipelined", "requests_per_s": 160_000.0, "requests": 1_600_000}
    assert found(trial(**deep, pipeline_depth=16)) == []
    assert found(trial(**deep, pipeline_depth=64)) == []
    assert found(trial(**deep, pipeline_depth=4)) == [
        ("L3", "a/t1/c64/pipelined: 160000/s x 6.4 ms mean latency keeps 1024.0 of 64 x 4 pipelined requests busy")
    ]


@pytest.mark.parametrize("mode", ["pipelined", "multiplexed", "reconnecting", "non-persistent"])
def test_what_is_under_way_is_not_judged_where_nobody_told_how_much_can_be(mode: str) -> None:
    """A pipeline of unknown depth, for one."""
    assert checked(trial(mode=mode))["L3"] == 0


def test_an_open_loop_is_not_asked_to_keep_its_connections_busy() -> None:
    """It sends on a schedule; percentiles and counts are judged all the same."""
    idle = trial(design="paced", latency_us={"mean": 100.0, "p50": 90.0, "max": 80.0})
    assert [rule for rule, _ in found(idle)] == ["L2"]
    assert checked(idle)["L3"] == 0


@pytest.mark.parametrize(("load", "findings"), [("k6", []), ("wrk", ["L3"])])
def test_users_of_a_script_may_wait(load: str, findings: list[str]) -> None:
    """So that few requests under way contradict nothing; too many still do."""
    idle = {**SOUND["latency_us"], "mean": 1000.0}
    assert [rule for rule, _ in found(trial(load=load, latency_us=idle, commands=()))] == findings
    busy = {**SOUND["latency_us"], "mean": 12_800.0}
    assert [rule for rule, _ in found(trial(load=load, latency_us=busy, commands=()))] == ["L3"]


def test_different_requests_are_not_held_against_each_other() -> None:
    """Their answers differ in length, and may differ in nothing else."""
    sizes = [trial(request="json"), trial(request="plaintext", bytes_read=30_400_000)]
    assert checked(*sizes)["L4"] == 0
    modes = [trial(request="json"), trial(request="db", mode="non-persistent")]
    assert checked(*modes)["L6"] == 0
