"""Gathers the evidence for the validity checks from everything that a trial saw. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runners.records.trial import Closing, Errors, Evidence, Series
from runners.server.probe import Probed
from runners.stats.histogram import mean_us
from runners.system.machine import Layout
from runners.system.sampling import Sample, Samples
from runners.trial.loading import Measured, Side


def gather(side: Side, measured: Measured, ceiling_per_s: float | None, *, duet: bool) -> Evidence:
    """Return the evidence of one side of a trial."""
    result, samples = measured.result, measured.samples
    latency = result.latency
    counts = latency if result.counted_twice else None
    window_us = _window_us(measured)
    return Evidence(
        **_witnessed(side, samples, duet=duet),
        duration_us=result.duration_us,
        requests=result.requests,
        served=measured.served,
        errors=result.errors,
        histogram_sum=None if counts is None else sum(counts.values()),
        least_count=None if counts is None else min(counts.values(), default=0),
        mean_latency_us=None if latency is None else mean_us(latency),
        bytes_per_request=measured.bytes_per_request,
        established_mid=_middle([sample.established for sample in samples_within(samples, window_us)]),
        server_share=measured.share(measured.server_cpu_us_per_request, side.cell.threads, side.layout.server),
        client_share=_client_cpu_share(measured, side),
        client_wait_share=_client_wait_share(measured),
        client_thread_share=_client_thread_share(measured),
        ceiling_per_s=ceiling_per_s,
        foreign_share=_foreign_share(measured, side, duet=duet),
        clients=result.clients,
        window_us=window_us,
        window_per_s=result.window_per_s,
        offered_per_s=side.job.rate_per_s,
        late_requests=result.pacing.late if result.pacing else None,
        late_max_us=result.pacing.late_max_us if result.pacing else None,
        bunching=result.pacing.bunching if result.pacing else None,
    )


def gather_failed(side: Side, samples: Samples, *, duet: bool) -> Evidence:
    """Return the evidence of a side whose load generator counted nothing usable: what the kernel saw meanwhile."""
    return Evidence(
        **_witnessed(side, samples, duet=duet),
        duration_us=samples.wall_us,
        requests=0,
        served=0,
        errors=Errors(),
        client_wait_share=samples.client_wait_share,
        client_thread_share=samples.client_thread_share,
    )


def _witnessed(side: Side, samples: Samples, *, duet: bool) -> dict[str, Any]:
    """Return what is known of a side without its load generator, under the names of the evidence's fields."""
    cell, growth = side.cell, _rss_growth(samples.points)
    return {
        "mode": cell.mode,
        "load": cell.load.kind,
        "network": side.network.kind,
        "duet": duet,
        "connections": cell.connections,
        "server_threads": cell.threads,
        "asked_us": round(side.job.duration_s * 1e6),
        "watched_us": samples.wall_us,
        "shared_cpus": side.layout.shared,
        "probed_bytes": _probed_bytes(side),
        "closing": _closing(side),
        "expected_error_share": cell.error_share,
        "mixed": cell.mix is not None,
        "checked": side.checked,
        "lasting_share": samples.lasting_share,
        "hop_share": samples.hop_share,
        "tcp": {name: grown for name in samples.after.tcp if (grown := samples.tcp(name)) is not None},
        "time_wait_max": max((s.time_wait for s in samples.points if s.time_wait is not None), default=None),
        "ports": _ports(side),
        "port_reuse_s": _port_reuse_s(side),
        "steal_share": _steal_share(samples, side),
        "sampler_share": samples.cost_us / samples.wall_us,
        "pressure_share": pressure_shares(samples),
        "throttled_us": _grown(samples.before.throttled_us, samples.after.throttled_us),
        "thermal_throttles": _grown(samples.before.thermal_throttles, samples.after.thermal_throttles),
        "swapped_pages": _grown(samples.before.swapped_pages, samples.after.swapped_pages),
        "frequency_drift": _frequency_drift(samples, side),
        "clock_step_us": (samples.after.wall_us - samples.before.wall_us) - samples.wall_us,
        "processes_before": len(samples.before.server.pids) if samples.before.server else None,
        "processes_after": len(samples.after.server.pids) if samples.after.server else None,
        "threads_after": len(samples.after.server.threads) if samples.after.server else None,
        "strayed_cpus": strayed_cpus(samples, side.layout),
        "rss_growth_bytes": growth[0] if growth else None,
        "rss_growth_share": growth[1] if growth else None,
        "answers_afterwards": side.afterwards if isinstance(side.afterwards, str) else None,
        "server_exit": side.stopped.exit if side.stopped else "",
        "server_exit_clean": side.stopped.clean if side.stopped else True,
        "locustfile": cell.load.locustfile.path if cell.load.locustfile else None,
        "series": _series(samples),
    }


def _probed_bytes(side: Side) -> tuple[int, int] | None:
    """Return the sizes of the shortest and the longest answer before and after the load; None without any."""
    sizes = [*(side.started.probed.sizes if side.started else ())]
    sizes += side.afterwards.sizes if isinstance(side.afterwards, Probed) else ()
    return (min(sizes), max(sizes)) if side.started else None


def _closing(side: Side) -> Closing | None:
    """Return how the server ends a connection that it does not keep; None if it keeps them."""
    if side.started is None or side.cell.mode == "persistent":
        return None
    answer = side.started.probed.answer
    return "as its end" if answer.ended else "announced" if answer.closes else "unannounced"


def _window_us(measured: Measured) -> tuple[int, int] | None:
    """Return the measured time, counted from the first reading of the counters; None if that is the whole time."""
    window, begin_us = measured.result.window_us, measured.samples.before.monotonic_us
    return None if window is None else (window[0] - begin_us, window[1] - begin_us)


def samples_within(samples: Samples, window_us: tuple[int, int] | None) -> list[Sample]:
    """Return the samples of the measured time: a generator that starts slowly is idle before it."""
    low, high = window_us or (0, samples.wall_us)
    return [sample for sample in samples.points if low <= sample.at_us - samples.before.monotonic_us <= high]


def _grown(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else after - before


def _middle(values: Sequence[int | None]) -> int | None:
    return values[len(values) // 2] if values else None


def _ports(side: Side) -> int | None:
    """Return the number of ports that a client has in this network."""
    bounds = side.network.settings.get("net/ipv4/ip_local_port_range", "").split()
    return int(bounds[1]) - int(bounds[0]) + 1 if len(bounds) == 2 else None


def _port_reuse_s(side: Side) -> float | None:
    """Return the seconds after which loopback may reuse a port in TIME_WAIT; None: the usual 60 s."""
    delay_ms = side.network.settings.get("net/ipv4/tcp_tw_reuse_delay")
    allowed = side.network.settings.get("net/ipv4/tcp_tw_reuse") in {"1", "2"}
    return int(delay_ms) / 1000 if delay_ms and allowed else (1.0 if allowed else None)


def _client_cpu_share(measured: Measured, side: Side) -> float | None:
    """Return the share of its CPU time that the generator used; for a fleet, that of its busiest host."""
    hosts = measured.result.clients
    if hosts:
        known = [host.cpu_us / (host.duration_us * min(host.threads, host.cpus)) for host in hosts if host.cpu_us]
        return max(known) if len(known) == len(hosts) else None
    return measured.share(measured.client_cpu_us_per_request, side.job.threads, side.layout.client)


def _client_wait_share(measured: Measured) -> float | None:
    hosts = measured.result.clients
    if hosts:
        return max((host.wait_share for host in hosts if host.wait_share is not None), default=None)
    return measured.samples.client_wait_share


def _client_thread_share(measured: Measured) -> float | None:
    hosts = measured.result.clients
    if hosts:
        return max((host.thread_share for host in hosts if host.thread_share is not None), default=None)
    return measured.samples.client_thread_share


def _steal_share(samples: Samples, side: Side) -> float | None:
    used = set(side.layout.server) | set(side.layout.client)
    before, after = samples.before.cpus, samples.after.cpus
    cpus = [cpu for cpu in used if cpu in before and cpu in after]
    total = sum(after[cpu].total_us - before[cpu].total_us for cpu in cpus)
    return sum(after[cpu].steal_us - before[cpu].steal_us for cpu in cpus) / total if total > 0 else None


def _foreign_share(measured: Measured, side: Side, *, duet: bool) -> float | None:
    """Return the CPU time used by anything but both sides and the harness, as a share of one CPU; None for duets."""
    samples, elsewhere = measured.samples, bool(measured.result.clients)
    client_us = 0.0 if elsewhere else measured.result.client_cpu_us
    known = (samples.machine_busy_us, samples.server_run_us, client_us)
    if duet or measured.result.uncounted or None in known or not (elsewhere or side.layout.client):
        return None
    busy_us, server_us, client_us = (float(value or 0.0) for value in known)
    return max(0.0, busy_us - server_us - client_us - samples.cost_us) / samples.wall_us


def pressure_shares(samples: Samples) -> dict[str, float]:
    """Return the share of the time in which tasks stalled for memory or disk.

    A task that waits for its io_uring counts as stalled on I/O even if it waits for the network, so the time stalled on
    I/O is capped by the time that some disk was busy.
    """
    before, after = samples.before.pressure_us, samples.after.pressure_us
    kinds = [kind for kind in after if kind in before and not kind.startswith("cpu")]
    shares = {kind: (after[kind] - before[kind]) / samples.wall_us for kind in kinds}
    busy = _disk_share(samples)
    return {kind: min(share, busy) if kind.startswith("io") else share for kind, share in shares.items()}


def _disk_share(samples: Samples) -> float:
    """Return the share of the time in which the busiest disk had requests in flight; 1 if the kernel reports none."""
    before, after = samples.before.disk_busy_us, samples.after.disk_busy_us
    grown = [after[disk] - before[disk] for disk in after if disk in before]
    return max(grown) / samples.wall_us if grown else 1.0


def _frequency_drift(samples: Samples, side: Side) -> float | None:
    before, after = samples.before.frequencies_khz, samples.after.frequencies_khz
    used = {*side.layout.server, *side.layout.client} & before.keys() & after.keys()
    return max((abs(after[cpu] / before[cpu] - 1) for cpu in used), default=None)


def strayed_cpus(samples: Samples, layout: Layout) -> tuple[int, ...] | None:
    """Return CPUs on which a thread of either side was seen, or the server's may run, although it should not be there.

    None if no thread was seen, or if none can stray, because each may use every CPU.
    """
    server, client = set(layout.server), set(layout.client)
    seen = [(cpu, server) for cpu in samples.after.server_may_use]
    for sample in samples.points:
        for times, allowed in ((sample.server, server), (sample.client, client)):
            threads = times.threads.values() if times else ()
            seen += [(thread.cpu, allowed) for thread in threads if thread.cpu is not None and thread.run_us > 0]
    if all(samples.before.cpus.keys() <= allowed for _, allowed in seen):
        return None
    return tuple(sorted({cpu for cpu, allowed in seen if cpu not in allowed}))


def _rss_growth(samples: Sequence[Sample]) -> tuple[int, float] | None:
    """Return the server's memory growth between the first and the last sample, in bytes and as a share."""
    sizes = [sample.rss_bytes for sample in samples if sample.rss_bytes]
    return (sizes[-1] - sizes[0], sizes[-1] / sizes[0] - 1) if len(sizes) > 1 else None


def _series(samples: Samples) -> Series:
    begin, points = samples.before.monotonic_us, samples.points
    return Series(
        at_us=tuple(sample.at_us - begin for sample in points),
        segments=tuple(sample.segments for sample in points),
        established=tuple(sample.established for sample in points),
        time_wait=tuple(sample.time_wait for sample in points),
        rss_bytes=tuple(sample.rss_bytes for sample in points),
        server_run_us=tuple(sample.server.run_us if sample.server else None for sample in points),
        client_run_us=tuple(sample.client.run_us if sample.client else None for sample in points),
    )
