"""Was a paced load what it was to be: the offered rate, each request in its time, evenly spread?"""

from __future__ import annotations

from runners.matrix.model import Validity
from runners.records.trial import Check, Evidence
from runners.trial.validity.forms import at_most, holds, percent


def v25_offered_rate(evidence: Evidence, limits: Validity) -> Check:
    """V25: requests sent within the measured time / requests offered, but for one for each connection."""
    offered = (evidence.offered_per_s or 0.0) * evidence.duration_us / 1e6
    reached = evidence.requests + evidence.connections >= limits.offered * offered
    share = evidence.requests / offered if offered else None
    return holds(
        "V25",
        "offered rate reached",
        reached,
        saw=f"{percent(share)} of {evidence.offered_per_s or 0:,.0f} req/s",
        limit=f">= {limits.offered:g}",
        advice="the server does not keep up, or the generator: see V8",
    )


def v26_on_schedule(evidence: Evidence, limits: Validity) -> Check:
    """V26: requests sent more than a tick late / all; that delay is part of their latency."""
    late = evidence.late_requests
    share = None if late is None or not evidence.requests else late / evidence.requests
    return at_most(
        "V26",
        "sent on schedule",
        share,
        fail=None,
        warn=limits.late_warn,
        shown=f"{percent(share)} late, the latest by {(evidence.late_max_us or 0) / 1000:.0f} ms",
        advice="the server stalls, or the generator does: see V9, V14 and V15",
    )


def v27_evenly_sent(evidence: Evidence, limits: Validity) -> Check:
    """V27: how requests are bunched (variance / mean of those of one millisecond) / connections."""
    bunching = evidence.bunching
    return at_most(
        "V27",
        "evenly sent",
        None if bunching is None else bunching / evidence.connections,
        fail=None,
        warn=limits.bunching_warn,
        shown=f"bunching {bunching or 0:.1f}; 1 is chance, {evidence.connections} is all connections at once",
        advice="part of the latency is waiting for requests sent at the same moment; a calmer machine",
    )
