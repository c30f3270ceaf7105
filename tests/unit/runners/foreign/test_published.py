"""Results that benchmarks publish: by server, request and connections."""

from __future__ import annotations

import json
from typing import Any

from runners.foreign.reading import foreign, samples_in
from runners.foreign.sample import Sample
from runners.records.trial import Errors
from tests.support import foreign_files as files


def samples(data: Any) -> tuple[Sample, ...]:
    """Return the measurements in JSON."""
    return samples_in(foreign("file.json", json.dumps(data).encode()))[1]


def test_techempower_has_each_level_of_each_framework() -> None:
    """Without those that failed its verification, and without empty levels."""
    found = samples(files.TECHEMPOWER)
    assert [(each.server, each.request, each.connections, each.requests_per_s) for each in found] == [
        ("alpha", "json", 64, 100_000.0),
        ("alpha", "json", 512, 125_000.0),
        ("beta", "plaintext", 256, 1_000_000.0),
        ("alpha", "query-20", 512, 50_000.0),
    ]


def test_techempower_s_plaintext_is_pipelined_sixteen_deep() -> None:
    """The others are not known to be."""
    assert [(each.mode, each.pipeline_depth) for each in samples(files.TECHEMPOWER)] == [
        (None, None),
        (None, None),
        ("pipelined", 16),
        (None, None),
    ]


def test_techempower_s_errors_times_and_dates_are_read() -> None:
    """Errors are there only if they happened."""
    first, second, *_ = samples(files.TECHEMPOWER)
    assert (first.errors, second.errors) == (Errors(), Errors(status=2, timeout=3))
    assert (first.latency_us, first.started_at) == ({"mean": 640.0, "max": 9100.0}, "2025-06-15T15:06:40Z")
    assert (first.requests, first.duration_us) == (1_500_000, 15_000_000)


def test_the_benchmarker_s_figures_are_put_together() -> None:
    """By framework and level; microseconds throughout, whatever its names say."""
    first, second = samples(files.BENCHMARKER)
    assert (first.server, first.language, first.connections, first.requests_per_s) == ("alpha", "nim", 64, 40_000.0)
    assert (first.requests, first.duration_us, first.started_at) == (600_000, 15_000_000, "2026-04-15T16:36:50Z")
    assert first.latency_us == {"mean": 1600.5, "min": 12.0, "max": 21_000.0, "p50": 1500.0, "p99": 3900.333}
    assert (second.connections, second.requests, second.errors) == (256, None, Errors(connect=1))


def test_an_average_that_is_no_whole_number_of_bytes_is_not_known() -> None:
    """It was never read by anybody."""
    assert samples(files.BENCHMARKER)[0].bytes_read is None


def test_httparena_s_profiles_are_requests_with_their_depth() -> None:
    """Connections that are closed after some requests are a mode of their own."""
    assert [(each.request, each.connections, each.mode, each.pipeline_depth) for each in samples(files.HTTPARENA)] == [
        ("baseline", 512, None, None),
        ("pipelined", 512, "pipelined", 16),
        ("limited-conn", 512, "reconnecting", None),
    ]


def test_httparena_s_single_results_and_lists_are_read_too() -> None:
    """As its runs leave them."""
    (alone,) = samples(files.HTTPARENA_RESULT)
    assert samples([files.HTTPARENA_RESULT]) == (alone,)
    assert (alone.server, alone.requests_per_s, alone.requests) == ("alpha", 500_000.0, 2_500_000)
    assert alone.latency_us == {"mean": 1020.0, "p99": 4100.0}
