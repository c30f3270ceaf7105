"""Who had CPU time to spare: the client, the server, neither? A saturated client makes a rate a lower bound."""

from __future__ import annotations

from runners.matrix.model import Validity
from runners.records.trial import Check, Evidence
from runners.trial.validity.forms import at_most, percent, unknown

TOGETHER = "server and client share CPUs by design"
DEAD = 0.5  # V10: this part of the connections without a request under way, while neither side is busy
IMPOSSIBLE = 1.1  # V10: more requests under way than there are connections


def v8_client_saturated(evidence: Evidence, limits: Validity) -> Check:
    """V8: run time of the generator's busiest thread / measured time. Its rate is then only a lower bound."""
    if evidence.duet or evidence.shared_cpus:
        return unknown("V8", "client not saturated", why=TOGETHER)
    shares = [share for share in (evidence.client_thread_share, evidence.client_share) if share is not None]
    return at_most(
        "V8",
        "client not saturated",
        max(shares, default=None),
        fail=None,
        warn=limits.client_busy,
        shown=f"busiest thread {percent(max(shares, default=None))}",
        advice="the rate is a lower bound: compare CPU per request, or give the client more CPUs or hosts",
    )


def v9_client_starved(evidence: Evidence, limits: Validity) -> Check:
    """V9: time that the generator's threads were ready and did not run / measured time."""
    if evidence.duet or evidence.shared_cpus:
        return unknown("V9", "client not starved", why=TOGETHER)
    return at_most(
        "V9",
        "client not starved",
        evidence.client_wait_share,
        fail=limits.client_wait_fail,
        warn=limits.client_wait_warn,
        shown=f"waited {percent(evidence.client_wait_share)} of the time for a CPU",
        advice="something else runs on the client's CPUs",
    )


def little(evidence: Evidence) -> float | None:
    """Return rate x mean latency / connections: 1 when every connection always has a request under way."""
    if evidence.mean_latency_us is None:
        return None
    return evidence.requests / evidence.duration_us * evidence.mean_latency_us / evidence.connections


def v10_bottleneck(evidence: Evidence, limits: Validity) -> Check:
    """V10: Little's law. Connections that idle are dead, or wait inside the generator.

    It fails where most of them idle although neither side is short of CPU time: then they are dead.
    """
    value = little(evidence)
    if value is None:
        return unknown("V10", "connections at work", why="the generator keeps no histogram")
    if evidence.mode == "non-persistent":
        return Check("V10", "connections at work", "pass", f"{value:.2f}; connecting is not counted", "", "")
    saw = f"{value:.2f} of the connections have a request under way (server {percent(evidence.server_share)} busy)"
    advice = "dead connections, or a generator that does not keep up"
    limit = f"fails < {DEAD:g} while neither side is busy, warns < {limits.little:g} or > {IMPOSSIBLE:g}"
    if value < DEAD and _at_leisure(evidence, limits):
        return Check("V10", "connections at work", "fail", saw, limit, "connections got no answer: see the server")
    off = not limits.little <= value <= IMPOSSIBLE
    return Check("V10", "connections at work", "warn" if off else "pass", saw, limit, advice)


def _at_leisure(evidence: Evidence, limits: Validity) -> bool:
    """Return whether both sides are known to have had CPU time to spare, each on CPUs of its own."""
    server, client, wait = evidence.server_share, evidence.client_thread_share, evidence.client_wait_share
    if evidence.duet or evidence.shared_cpus or server is None or client is None or wait is None:
        return False
    return server < limits.server_busy and client + wait < limits.client_busy


def v11_headroom(evidence: Evidence, limits: Validity) -> Check:
    """V11: rate / the generator's ceiling on this machine, where one is known (`ceiling` of the machine profile)."""
    if evidence.ceiling_per_s is None:
        return unknown("V11", "generator headroom", why="no ceiling is known for this machine")
    rate = evidence.requests / evidence.duration_us * 1e6
    return at_most(
        "V11",
        "generator headroom",
        rate / evidence.ceiling_per_s,
        fail=None,
        warn=limits.headroom,
        shown=f"{rate:,.0f} of {evidence.ceiling_per_s:,.0f} req/s",
        advice="the generator is near its limit: the rate is a lower bound",
    )
