"""Did the clients of a fleet load together, and does the time in which all did so say the same as the whole?"""

from __future__ import annotations

from runners.matrix.model import Validity
from runners.records.trial import Check, Evidence
from runners.trial.validity.forms import at_most, percent, unknown


def v28_together(evidence: Evidence, limits: Validity) -> Check:
    """V28: first to last start, and as much as the clocks are unsure of; how far the clocks moved meanwhile."""
    hosts = evidence.clients
    apart_us = max(host.started_us for host in hosts) - min(host.started_us for host in hosts)
    unsure_us = max(host.clock_uncertainty_us for host in hosts)
    moved_us = max(abs(host.clock_drift_us) - host.clock_uncertainty_us for host in hosts)
    worst_us = max(apart_us + unsure_us, moved_us)
    return at_most(
        "V28",
        "together",
        worst_us / 1e6,
        fail=limits.start_skew_fail,
        warn=limits.start_skew_warn,
        shown=f"started {apart_us / 1000:.2f} ms apart, clocks known within {unsure_us / 1000:.2f} ms",
        advice="a quicker link to the clients, less to do on them; see whether a clock was set",
        unit=" s",
    )


def v29_window(evidence: Evidence, limits: Validity) -> Check:
    """V29: rate in the common window, against all requests / measured time."""
    if evidence.window_per_s is None:
        exact = evidence.load == "locust"
        why = "all clients count from one moment to another" if exact else "too short, or a client cannot count"
        return unknown("V29", "common window", why=why)
    whole_per_s = evidence.requests / evidence.duration_us * 1e6
    change = abs(evidence.window_per_s / whole_per_s - 1)
    return at_most(
        "V29",
        "common window",
        change,
        fail=limits.window_fail,
        warn=limits.window_warn,
        shown=f"{evidence.window_per_s:,.0f} req/s while all load, {whole_per_s:,.0f} in all ({percent(change)})",
        advice="measure longer; see which client started late, ended early or was slow",
    )
