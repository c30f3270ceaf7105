"""Which side had CPU time to spare: the client, the server, neither? A saturated client makes a rate a lower bound."""

from __future__ import annotations

from runners.matrix.model import Validity
from runners.records.trial import Check, Evidence
from runners.trial.validity.forms import at_most, exact_percent, outcome_of, percent, unknown

SHARED = "server and client share CPUs by design"


def v8_client_saturated(evidence: Evidence, limits: Validity) -> Check:
    """V8: CPU time of the generator's busiest thread / measured time. Saturated, its rate is only a lower bound."""
    if evidence.duet or evidence.shared_cpus:
        return unknown("V8", "client not saturated", SHARED)
    shares = [share for share in (evidence.client_thread_share, evidence.client_share) if share is not None]
    busiest = max(shares, default=None)
    return at_most(
        "V8",
        "client not saturated",
        busiest,
        fail=None,
        warn=limits.client_busy,
        saw=f"busiest thread {percent(busiest)}",
        advice="the rate is a lower bound: compare CPU per request, or give the client more CPUs or hosts",
    )


def v9_client_starved(evidence: Evidence, limits: Validity) -> Check:
    """V9: time for which the generator's threads waited for a CPU / measured time."""
    if evidence.duet or evidence.shared_cpus:
        return unknown("V9", "client not starved", SHARED)
    return at_most(
        "V9",
        "client not starved",
        evidence.client_wait_share,
        fail=limits.client_wait_fail,
        warn=limits.client_wait_warn,
        saw=f"waited for a CPU {percent(evidence.client_wait_share)} of the time",
        advice="something else runs on the client's CPUs",
    )


def little(evidence: Evidence) -> float | None:
    """Return rate x mean latency / connections: 1 if every connection always has a request under way."""
    if evidence.mean_latency_us is None:
        return None
    return evidence.requests / evidence.duration_us * evidence.mean_latency_us / evidence.connections


def v10_bottleneck(evidence: Evidence, limits: Validity) -> Check:
    """V10: rate x mean latency / connections (Little's law). Idle connections are dead, or wait in the generator.

    If most of them are idle although neither side is short of CPU time, they are dead, and the check fails.
    """
    name, value = "connections at work", little(evidence)
    if value is None:
        return unknown("V10", name, "the load generator keeps no histogram")
    if evidence.mode == "non-persistent":
        return unknown("V10", name, "the time to connect is not part of the latency")
    dead = value < limits.little_fail and _at_leisure(evidence, limits)
    outcome = outcome_of(fails=dead, warns=not limits.little <= value <= limits.little_high_warn)
    saw = f"{value:.2f} of the connections have a request under way (server {percent(evidence.server_share)} busy)"
    low, least, high = map(exact_percent, (limits.little_fail, limits.little, limits.little_high_warn))
    limit = f"fails below {low} if neither side is busy, warns below {least} or above {high}"
    advice = "connections without an answer: see the server" if dead else "dead connections, or a generator that lags"
    return Check("V10", name, outcome, saw, limit, advice)


def _at_leisure(evidence: Evidence, limits: Validity) -> bool:
    """Return whether both sides are known to have had CPU time to spare, each on CPUs of its own."""
    server, client, wait = evidence.server_share, evidence.client_thread_share, evidence.client_wait_share
    if evidence.duet or evidence.shared_cpus or server is None or client is None or wait is None:
        return False
    return server < limits.server_busy and client + wait < limits.client_busy


def v11_headroom(evidence: Evidence, limits: Validity) -> Check:
    """V11: rate / the generator's ceiling on this machine, if the machine profile gives one (`ceiling`)."""
    if evidence.ceiling_per_s is None:
        return unknown("V11", "generator headroom", "no ceiling is known for this machine")
    rate = evidence.requests / evidence.duration_us * 1e6
    return at_most(
        "V11",
        "generator headroom",
        rate / evidence.ceiling_per_s,
        fail=None,
        warn=limits.headroom,
        saw=f"{rate:,.0f} of {evidence.ceiling_per_s:,.0f} req/s",
        advice="the generator is near its limit: the rate is a lower bound",
    )
