"""Validity checks: small pure functions over what a trial saw. A failed check invalidates the trial by name.

Ids and formulas follow docs/explanation/methodology.md; nothing is ever dropped by value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from runners.matrix import Mode
from runners.records import Bound, Check, Errors, Outcome

CLIENT_SATURATED = 0.95
SERVER_SATURATED = 0.90
MOST_OPENED_PERSISTENT = 0.01
LEAST_OPENED_NON_PERSISTENT = 0.99
MOST_OVERSHOOT_S = 0.25
LEAST_REQUESTS_PER_CONNECTION = 10


@dataclass(frozen=True)
class Seen:
    """What one trial saw, as the checks need it; shares are of the CPUs that a side may use.

    `requests` were counted, `served` includes those that the same command sent outside the measured time.
    """

    mode: Mode
    connections: int
    asked_s: float
    requests: int
    served: int
    duration_us: int
    errors: Errors
    histogram_sum: int | None
    least_count: int | None
    connections_opened: int | None
    bytes_per_request: float | None
    probed_bytes: int | None
    server_share: float | None
    client_share: float | None
    shared_cpus: bool
    server_exit_clean: bool
    server_exit: str


def v1_errors(seen: Seen) -> Check:
    """The load generator met no error."""
    errors = seen.errors
    saw = ", ".join(f"{name} {count}" for name, count in vars(errors).items() if count) or "none"
    return Check("V1", "no errors", "fail" if errors.total else "pass", saw, "0", "look at the server's output")


def v2_conservation(seen: Seen) -> Check:
    """Every request is in the histogram, and no count is negative once wrk's correction is undone."""
    if seen.histogram_sum is None:
        return Check("V2", "counts conserved", "unknown", "no histogram", "sum = requests")
    whole = seen.histogram_sum + seen.errors.timeout == seen.requests and (seen.least_count or 0) >= 0
    saw = f"{seen.histogram_sum} in the histogram, {seen.requests} requests"
    return Check("V2", "counts conserved", "pass" if whole else "fail", saw, "sum = requests", "distrust the generator")


def v4_connection_mode(seen: Seen) -> Check:
    """Connections were kept, or opened for every request, as the mode says; counted by the kernel."""
    limit = f"<= {MOST_OPENED_PERSISTENT:g}" if seen.mode == "persistent" else f">= {LEAST_OPENED_NON_PERSISTENT:g}"
    if seen.connections_opened is None or not seen.served:
        return Check("V4", "connection mode", "unknown", "connections not counted", limit)
    beyond_first = max(0, seen.connections_opened - seen.connections - 1)
    opened = (beyond_first if seen.mode == "persistent" else seen.connections_opened) / seen.served
    kept = opened <= MOST_OPENED_PERSISTENT if seen.mode == "persistent" else opened >= LEAST_OPENED_NON_PERSISTENT
    saw = f"{opened:.3f} connections opened per request"
    return Check("V4", "connection mode", "pass" if kept else "fail", saw, limit, "see how the server treats close")


def v8_client(seen: Seen) -> Check:
    """The load generator had CPU time to spare; if not, the rate is a lower bound (a warning, not a fault)."""
    if seen.client_share is None:
        return Check("V8", "client not saturated", "unknown", "client CPU not known", f"< {CLIENT_SATURATED:g}")
    full = seen.client_share >= CLIENT_SATURATED
    saw = f"{seen.client_share:.2f} of its CPUs"
    advice = "give the client more CPUs or machines; compare CPU per request"
    return Check("V8", "client not saturated", "warn" if full else "pass", saw, f"< {CLIENT_SATURATED:g}", advice)


def v12_enough(seen: Seen) -> Check:
    """Enough requests were counted, in the time that was asked for."""
    over_s = seen.duration_us / 1e6 - seen.asked_s
    few = seen.requests < LEAST_REQUESTS_PER_CONNECTION * seen.connections
    saw = f"{seen.requests} requests, {over_s * 1000:+.0f} ms against what was asked"
    limit = f">= {LEAST_REQUESTS_PER_CONNECTION} per connection, +{MOST_OVERSHOOT_S:g} s at most"
    outcome: Outcome = "warn" if few or over_s > MOST_OVERSHOOT_S else "pass"
    return Check("V12", "enough data", outcome, saw, limit, "measure longer")


def v20_health(seen: Seen) -> Check:
    """The server ended as asked when the trial was over."""
    outcome: Outcome = "pass" if seen.server_exit_clean else "warn"
    return Check("V20", "server ends cleanly", outcome, seen.server_exit, "by INT or TERM", "see its output")


def v24_response_length(seen: Seen) -> Check:
    """Every response was as long as the probed one."""
    if seen.bytes_per_request is None or seen.probed_bytes is None:
        return Check("V24", "response length", "unknown", "bytes not counted", "as probed")
    in_flight = seen.connections * seen.probed_bytes / seen.requests
    same = abs(seen.bytes_per_request - seen.probed_bytes) <= 1 + in_flight
    saw = f"{seen.bytes_per_request:.1f} bytes per response, probed {seen.probed_bytes}"
    return Check("V24", "response length", "pass" if same else "fail", saw, "as probed", "the body changes under load")


CHECKS: Sequence[Callable[[Seen], Check]] = (
    v1_errors,
    v2_conservation,
    v4_connection_mode,
    v8_client,
    v12_enough,
    v20_health,
    v24_response_length,
)


def judge(seen: Seen) -> tuple[Check, ...]:
    """Return all checks of a trial, in the order of their ids."""
    return tuple(check(seen) for check in CHECKS)


def bound(seen: Seen) -> Bound | None:
    """Return what limited the trial; None where the kernel does not tell."""
    if seen.shared_cpus:
        return "shared"
    if seen.client_share is None or seen.server_share is None:
        return None
    if seen.server_share >= SERVER_SATURATED and seen.client_share < CLIENT_SATURATED:
        return "server"
    if seen.client_share >= CLIENT_SATURATED and seen.server_share < SERVER_SATURATED:
        return "client"
    return "neither" if seen.server_share < SERVER_SATURATED else "server"
