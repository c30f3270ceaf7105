"""Validity checks V0 to V29: small pure functions over a trial's evidence, each with its id, formula and threshold.

A failed check invalidates its trial by name; nothing is ever dropped by value. Thresholds come from the matrix's
`[validity]` table; docs/explanation/methodology.md has the reasons. V23, the twin, is a check of a family of cells
and lives in `runners.stats.comparison`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
    health.v22_hosts,
    health.v24_response_length,
)


ONLY_CLOSED: frozenset[Function] = frozenset({cpu.v10_bottleneck, cpu.v11_headroom, counts.v12_enough})
OPEN_CHECKS: Sequence[Function] = tuple(check for check in CHECKS if check not in ONLY_CLOSED)
PACED_CHECKS: Sequence[Function] = (
    *OPEN_CHECKS,
    pace.v25_offered_rate,
    pace.v26_on_schedule,
    pace.v27_evenly_sent,
)

FLEET_CHECKS: Sequence[Function] = (fleet.v28_together, fleet.v29_window)


def judge(evidence: Evidence, limits: Validity) -> tuple[Check, ...]:
    """Return all checks of a trial, in the order of their ids."""
    checks = _closed_or_open(evidence)
    if evidence.clients:
        checks = (*checks, *FLEET_CHECKS)
    return tuple(check(evidence, limits) for check in checks)


def _closed_or_open(evidence: Evidence) -> Sequence[Function]:
    """Return what fits the load: connections may idle where it is paced, or where users of a person's own may wait."""
    if evidence.offered_per_s is not None:
        return PACED_CHECKS
    return CHECKS if evidence.locustfile is None else OPEN_CHECKS


def bound(evidence: Evidence, limits: Validity) -> Bound | None:
    """Return what limited the trial, from both sides' CPU; None where the kernel does not tell."""
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
