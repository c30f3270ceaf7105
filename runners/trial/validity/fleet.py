"""Did all clients of a fleet load, and together? Does the time in which all did give the same rate as the whole?"""

from __future__ import annotations

from runners.matrix.model import Validity
from runners.records.trial import Check, Evidence
from runners.trial.validity.forms import at_most, holds, percent, unknown

ALONE = "there is one client only, on the server's machine"


def v22_hosts(evidence: Evidence, _limits: Validity) -> Check:
    """V22: the client hosts opened all connections, and each got answers. A host that is lost fails it at once."""
    hosts = evidence.clients
    if not hosts:
        return unknown("V22", "hosts", ALONE)
    shared, silent = sum(host.connections for host in hosts), [host.name for host in hosts if not host.requests]
    saw = f"{len(hosts)} client host{'s' if len(hosts) > 1 else ''} with {shared} of {evidence.connections} connections"
    saw += f"; no answers: {', '.join(silent)}" if silent else ""
    whole = shared == evidence.connections and not silent
    return holds("V22", "hosts", whole, saw=saw, limit="all, with answers", advice="see the output of that client")


def v28_together(evidence: Evidence, limits: Validity) -> Check:
    """V28: time from the first client's start to the last one's, as far as clocks tell; drift of the clocks."""
    hosts = evidence.clients
    if not hosts:
        return unknown("V28", "together", ALONE)
    apart_us = max(host.started_us for host in hosts) - min(host.started_us for host in hosts)
    unsure_us = max(host.clock_uncertainty_us for host in hosts)
    moved_us = max(abs(host.clock_drift_us) - host.clock_uncertainty_us for host in hosts)
    return at_most(
        "V28",
        "together",
        max(apart_us + unsure_us, moved_us) / 1e6,
        fail=limits.start_skew_fail,
        warn=limits.start_skew_warn,
        saw=f"started {apart_us / 1000:.2f} ms apart, clocks known within {unsure_us / 1000:.2f} ms",
        advice="a faster link to the clients, less to do on them; see whether a clock was set",
        form=lambda seconds: f"{seconds * 1000:g} ms",
    )


def v29_window(evidence: Evidence, limits: Validity) -> Check:
    """V29: rate while all clients load, against all requests / measured time."""
    if evidence.window_per_s is None:
        return unknown("V29", "common window", _why_no_window(evidence))
    whole_per_s = evidence.requests / evidence.duration_us * 1e6
    change = abs(evidence.window_per_s / whole_per_s - 1)
    return at_most(
        "V29",
        "common window",
        change,
        fail=limits.window_fail,
        warn=limits.window_warn,
        saw=f"{evidence.window_per_s:,.0f} req/s while all load, {whole_per_s:,.0f} in all ({percent(change)})",
        advice="measure longer; see which client started late, ended early or was slow",
    )


def _why_no_window(evidence: Evidence) -> str:
    if not evidence.clients:
        return ALONE
    exact = evidence.load == "locust"
    return "all clients count over the same time" if exact else "too short, or a client cannot count"
