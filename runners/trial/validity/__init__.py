"""Validity checks V1 to V29: small pure functions over a trial's evidence, each with its id, formula and thresholds.

A failed check invalidates its trial by name; nothing is ever dropped by value. Thresholds come from the matrix's
`[validity]` table; docs/explanation/methodology.md has the reasons. Two checks live elsewhere: V0 probes the server
before the load (`runners.server.process`), V23 compares a family's baseline with its A/A twin
(`runners.stats.comparison`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from runners.matrix.model import Validity
from runners.records.trial import Bound, Check, Evidence
from runners.trial.validity import connections, counts, cpu, fleet, health, machine, pace

Function = Callable[[Evidence, Validity], Check]

CHECKS: Sequence[Function] = (
    counts.v1_errors,
    counts.v2_conservation,
    counts.v3_kernel_agrees,
    connections.v4_connection_mode,
    connections.v5_accept_queue,
    connections.v6_segments_lost,
    connections.v7_ports,
    cpu.v8_client_saturated,
    cpu.v9_client_starved,
    cpu.v10_bottleneck,
    cpu.v11_headroom,
    counts.v12_enough,
    counts.v13_steady,
    machine.v14_steal,
    machine.v15_calm,
    machine.v16_pressure,
    machine.v17_quota,
    machine.v18_throttle,
    machine.v19_clock,
    health.v20_server_health,
    machine.v21_affinity,
    fleet.v22_hosts,
    health.v24_response_length,
    pace.v25_offered_rate,
    pace.v26_on_schedule,
    pace.v27_evenly_sent,
    fleet.v28_together,
    fleet.v29_window,
)

OF_ANSWERS: Sequence[Function] = (counts.v1_errors, health.v24_response_length)


@dataclass(frozen=True)
class Kind:
    """A kind of trial that some checks are only for."""

    name: str
    includes: Callable[[Evidence], bool]


# In a closed loop every connection asks all the time. Paced ones, and users of a locustfile, may wait.
CLOSED = Kind("closed loops", lambda evidence: evidence.offered_per_s is None and evidence.locustfile is None)
PACED = Kind("paced loads", lambda evidence: evidence.offered_per_s is not None)
FLEETS = Kind("fleets", lambda evidence: bool(evidence.clients))
ALL = Kind("all", lambda _evidence: True)

ONLY_FOR: Mapping[Function, Kind] = {
    cpu.v10_bottleneck: CLOSED,
    cpu.v11_headroom: CLOSED,
    counts.v12_enough: CLOSED,
    fleet.v22_hosts: FLEETS,
    pace.v25_offered_rate: PACED,
    pace.v26_on_schedule: PACED,
    pace.v27_evenly_sent: PACED,
    fleet.v28_together: FLEETS,
    fleet.v29_window: FLEETS,
}


def kind_of(check: Function) -> Kind:
    """Return which trials a check is for."""
    return ONLY_FOR.get(check, ALL)


def judge(evidence: Evidence, limits: Validity) -> tuple[Check, ...]:
    """Return all checks that are for such a trial, in the order of their ids.

    Where answers were read beside the load, no figure counts but how many of them were right.
    """
    checks = OF_ANSWERS if evidence.checked else CHECKS
    return tuple(check(evidence, limits) for check in checks if kind_of(check).includes(evidence))


def bound(evidence: Evidence, limits: Validity) -> Bound | None:
    """Return what limited the trial, from the CPU time of both sides; None if the kernel does not report it."""
    if evidence.shared_cpus or evidence.duet:
        return "shared"
    server, client = evidence.server_share, evidence.client_share
    if server is None or client is None:
        return None
    if server >= limits.server_busy and server >= client:
        return "server"
    if client >= limits.client_busy:
        return "client"
    return "server" if server >= limits.server_busy else "neither"
