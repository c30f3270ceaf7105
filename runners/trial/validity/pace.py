"""Was a paced load what it was meant to be: the offered rate, each request on time, evenly spread?"""

from __future__ import annotations

from runners.matrix.model import Validity
from runners.records.trial import Check, Evidence
from runners.trial.validity.forms import at_most, exact_percent, holds, percent, unknown


def v25_offered_rate(evidence: Evidence, limits: Validity) -> Check:
    """V25: requests sent in the measured time / requests offered; one per connection may be missing."""
    name, offered = "offered rate reached", (evidence.offered_per_s or 0.0) * evidence.duration_us / 1e6
    if evidence.connections >= limits.offered * offered:
        return unknown("V25", name, "too few requests are offered to tell")
    return holds(
        "V25",
        name,
        evidence.requests + evidence.connections >= limits.offered * offered,
        saw=f"{percent(evidence.requests / offered)} of {evidence.offered_per_s or 0:,.0f} req/s",
        limit=f"at least {exact_percent(limits.offered)}",
        advice="the server cannot keep up, or the generator cannot: see V8",
    )


def v26_on_schedule(evidence: Evidence, limits: Validity) -> Check:
    """V26: requests sent more than a tick late / all requests; the delay is part of their latency."""
    late = evidence.late_requests
    share = None if late is None or not evidence.requests else late / evidence.requests
    return at_most(
        "V26",
        "sent on schedule",
        share,
        fail=None,
        warn=limits.late_warn,
        saw=f"{percent(share)} late, the latest by {(evidence.late_max_us or 0) / 1000:.0f} ms",
        advice="the server stalls, or the generator does: see V9, V14 and V15",
    )


def v27_evenly_sent(evidence: Evidence, limits: Validity) -> Check:
    """V27: how bunched the requests are (variance / mean of the requests in each millisecond) / connections."""
    bunching = evidence.bunching
    return at_most(
        "V27",
        "evenly sent",
        None if bunching is None else bunching / evidence.connections,
        fail=None,
        warn=limits.bunching_warn,
        saw=f"bunching {bunching or 0:.1f}; 1 is chance, {evidence.connections} is all connections at once",
        advice="part of the latency is waiting for requests sent at the same moment; use a quieter machine",
    )
