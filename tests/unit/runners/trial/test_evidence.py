"""What is made of the kernel's counters before and after a trial."""

from __future__ import annotations

import dataclasses

import pytest

from runners.system.kernel import CpuTimes, ThreadTimes, TreeTimes
from runners.system.machine import Layout
from runners.system.sampling import Sample, Samples, Snapshot
from runners.trial.evidence import pressure_shares, samples_within, strayed_cpus

BEFORE = Snapshot(
    monotonic_us=0, wall_us=0, server=None, server_may_use=frozenset(), cpus={}, tcp={}, time_wait=None,
    pressure_us={"cpu some": 0, "memory some": 0, "io some": 0, "io full": 0}, disk_busy_us={"vda": 1000, "loop0": 0},
    throttled_us=None, swapped_pages=None, thermal_throttles=None, frequencies_khz={},
)  # fmt: skip
STALLED = {"cpu some": 900_000, "memory some": 20_000, "io some": 130_000, "io full": 120_000}


def watched(disk_busy_us: dict[str, int]) -> Samples:
    """Return samples of a second in which tasks stalled and disks were busy for this long."""
    after = dataclasses.replace(BEFORE, monotonic_us=1_000_000, pressure_us=STALLED, disk_busy_us=disk_busy_us)
    return Samples(BEFORE, after, (), 0.0)


def test_time_stalled_for_a_disk_is_pressure() -> None:
    """As the kernel reports it; pressure on the CPU is what a benchmark creates."""
    shares = pressure_shares(watched({"vda": 501_000, "loop0": 0}))
    assert shares == pytest.approx({"memory some": 0.02, "io some": 0.13, "io full": 0.12})


def test_a_server_that_waits_for_its_io_uring_does_not_wait_for_a_disk() -> None:
    """The kernel counts that as waiting for I/O, although it waits for the network."""
    shares = pressure_shares(watched({"vda": 3_000, "loop0": 0}))
    assert shares == pytest.approx({"memory some": 0.02, "io some": 0.002, "io full": 0.002})


def test_pressure_counts_in_full_if_nothing_is_known_of_the_disks() -> None:
    """As on old kernels."""
    assert pressure_shares(watched({}))["io some"] == pytest.approx(0.13)


APART = Layout(server=(0,), client=(1,))


def seen_on(server_cpu: int | None, cpus: int, may_use: frozenset[int] = frozenset()) -> Samples:
    """Return samples of a server whose only thread ran on a CPU, on a machine with this many."""
    times = {number: CpuTimes(0, 0, 0) for number in range(cpus)}
    tree = TreeTimes({7: ThreadTimes(100.0, 0.0, server_cpu)}, (7,), 100.0, 0.0)
    sample = Sample(0, None, None, None, None, server=tree, client=None)
    before = dataclasses.replace(BEFORE, cpus=times)
    return Samples(before, dataclasses.replace(before, server_may_use=may_use), (sample,), 0.0)


def test_a_thread_strays_if_it_runs_or_may_run_on_another_cpu() -> None:
    """Seen there, or allowed there."""
    assert strayed_cpus(seen_on(0, 4), APART) == ()
    assert strayed_cpus(seen_on(2, 4), APART) == (2,)
    assert strayed_cpus(seen_on(0, 4, frozenset({0, 3})), APART) == (3,)


def test_straying_is_unknown_if_it_could_not_be_seen() -> None:
    """No thread was seen, or each may use every CPU of the machine."""
    everywhere = Layout(server=(0, 1), client=(0, 1))
    assert strayed_cpus(seen_on(None, 4), APART) is None
    assert strayed_cpus(seen_on(1, 2), everywhere) is None
    assert strayed_cpus(seen_on(2, 4), everywhere) == (2,)


def test_only_samples_of_the_measured_time_tell_of_the_load() -> None:
    """Locust takes a second or more to start, without an open connection."""
    before = dataclasses.replace(BEFORE, monotonic_us=5_000_000)
    after = dataclasses.replace(before, monotonic_us=8_000_000)
    points = tuple(Sample(5_000_000 + at, None, None, None, None, None, None) for at in range(0, 3_000_000, 500_000))
    samples = Samples(before, after, points, 0.0)
    assert len(samples_within(samples, None)) == 6
    assert samples_within(samples, (1_500_000, 2_500_000)) == list(points[3:])
