"""What a watch says of the load generator that it looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from runners.system.kernel import ThreadTimes, TreeTimes
from runners.system.sampling import Look, Sample, Samples, Snapshot

NOTHING = Snapshot(
    monotonic_us=0, wall_us=0, server=None, server_may_use=frozenset(), cpus={}, tcp={}, time_wait=None,
    pressure_us={}, disk_busy_us={}, throttled_us=None, swapped_pages=None, thermal_throttles=None,
    frequencies_khz={},
)  # fmt: skip


def watched(looks: Sequence[tuple[int, dict[int, tuple[float, float]] | None]]) -> Samples:
    """Return a watch that found, at each moment, these threads of the generator: time run, time waited."""
    points = []
    for at_us, threads in looks:
        times = {
            thread: ThreadTimes(run_us=run, wait_us=wait, cpu=None) for thread, (run, wait) in (threads or {}).items()
        }
        client = None if threads is None else TreeTimes(times, (1,), sum(t.run_us for t in times.values()), 0.0)
        points.append(Sample(at_us, None, None, None, None, None, client))
    return Samples(NOTHING, NOTHING, tuple(points), 0.0)


def test_the_busiest_thread_counts() -> None:
    """One thread at its limit bounds the load, however idle the others are; one that came later is not judged."""
    samples = watched([(0, None), (100, {7: (10, 0), 8: (10, 0)}), (300, {7: (190, 0), 8: (20, 0), 9: (500, 0)})])
    assert samples.client_thread_share == pytest.approx(0.9)


def test_the_time_on_run_queues_is_that_of_all_threads() -> None:
    """Two threads that wait half of the time each have waited as long as it took."""
    assert watched(
        [(100, {7: (0, 5), 8: (0, 5)}), (300, {7: (0, 105), 8: (0, 105)})]
    ).client_wait_share == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("begin_us", "end_us", "run_us"),
    [(0, 400, 70.0), (100, 300, 40.0), (150, 250, 20.0), (50, 350, 55.0), (0, 50, 5.0)],
)
def test_what_a_server_used_in_a_part_of_the_time_lies_on_lines_between_samples(
    begin_us: int, end_us: int, run_us: float
) -> None:
    """It ran 10, then 10, 30 and 20 us in four times of 100 us."""

    def times(run_us: float) -> TreeTimes:
        return TreeTimes({}, (1,), run_us, 0.0)

    points = tuple(
        Sample(at_us, None, None, None, None, times(used), None) for at_us, used in ((100, 10), (200, 20), (300, 50))
    )
    before, after = replace(NOTHING, server=times(0)), replace(NOTHING, monotonic_us=400, server=times(70))
    assert Samples(before, after, points, 0.0).server_run_within_us(begin_us, end_us) == pytest.approx(run_us)
    assert Samples(NOTHING, after, points, 0.0).server_run_within_us(begin_us, end_us) is None


def test_one_look_tells_no_share() -> None:
    """Nothing grew yet."""
    samples = watched([(100, {7: (10, 10)}), (200, None)])
    assert (samples.client_thread_share, samples.client_wait_share) == (None, None)


def test_context_switches_of_the_generator_are_told_for_each_microsecond() -> None:
    """Between its first and its last look, since its whole life includes its start."""
    looks = [ThreadTimes(0.0, 0.0, None, count, 2 * count) for count in (100, 300)]
    points = tuple(
        Sample(at_us, None, None, None, None, None, TreeTimes({7: look}, (1,), 0.0, 0.0))
        for at_us, look in zip((1000, 2000), looks, strict=True)
    )
    assert Samples(NOTHING, NOTHING, points, 0.0).client_switches_per_us == (0.2, 0.4)
    assert Samples(NOTHING, NOTHING, points[:1], 0.0).client_switches_per_us is None


def test_a_look_tells_how_many_of_the_connections_last_and_what_went_over_them() -> None:
    """Of the segments that the whole network sent meanwhile; new connections count, too."""
    first = Look({"a": 10, "b": 20}, 100, 100)
    last = Look({"a": 60, "b": 70, "c": 100}, 500, 500)
    assert (first.lasting_share(last), first.hop_share(last)) == (1.0, 0.5)


@pytest.mark.parametrize(
    "last",
    [
        Look({"a": 9}, 500, 500),
        Look({"a": 9, "b": None}, 500, 500),
        Look({"a": 9, "b": 9}, None, None),
        Look({"a": 9, "b": 9}, 100, 100),
        Look({"a": 60, "b": 70}, 480, 520),
    ],
    ids=["one ended", "not counted", "not the network's", "no traffic", "looked at too slowly"],
)
def test_what_went_over_the_connections_may_be_unknown(last: Look) -> None:
    """Null, never a guess."""
    assert Look({"a": 10, "b": 20}, 100, 100).hop_share(last) is None
