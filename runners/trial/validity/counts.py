"""Do the counts hold? Errors, conservation, the kernel's own count, enough of them, steady over time."""

from __future__ import annotations

import itertools
import statistics

from runners.matrix.model import Validity
from runners.records.trial import Check, Evidence
from runners.trial.validity.forms import at_most, holds, unknown

# Least and most segments that one exchange takes: question, answer and, where the connection ends with it, two FINs,
# which the kernel counts too unless they travel with data.
SEGMENTS_PER_REQUEST = {"persistent": (2, 2), "non-persistent": (2, 4)}
FOREIGN_SEGMENTS = 0.02  # of a host that serves a fleet and little else
WINDOW_SAMPLES = 5  # of 100 ms
LEAST_WINDOWS = 4


def v1_errors(evidence: Evidence, _limits: Validity) -> Check:
    """V1: the generator met no error. Errors of any kind > 0 fail."""
    found = ", ".join(f"{name} {count}" for name, count in vars(evidence.errors).items() if count)
    advice = "look at the server's output; a rate with errors is not a rate of answers"
    return holds("V1", "no errors", not found, saw=found or "none", limit="0 errors", advice=advice)


def v2_conservation(evidence: Evidence, _limits: Validity) -> Check:
    """V2: histogram sum + timeouts = requests, no negative count once wrk's correction is undone."""
    if evidence.histogram_sum is None:
        return unknown("V2", "counts conserved", why="the generator keeps no histogram")
    counted = evidence.requests - evidence.errors.timeout
    whole = evidence.histogram_sum == counted and (evidence.least_count or 0) >= 0
    saw = f"{evidence.histogram_sum} in the histogram, {counted} answered in time"
    return holds("V2", "counts conserved", whole, saw=saw, limit="equal", advice="distrust the generator")


def v3_kernel_agrees(evidence: Evidence, _limits: Validity) -> Check:
    """V3: segments with data = 2 x requests, and up to 2 more where connections end, within those in flight.

    Two segments of each request under way at the end, and the two FINs of each connection and of wrk's probe.
    """
    name, sent = "kernel agrees", evidence.tcp.get("TCPOrigDataSent")
    if evidence.locustfile:
        return unknown("V3", name, why=f"the users of {evidence.locustfile} ask what they want")
    if evidence.clients:
        return _server_agrees(evidence, sent)
    if sent is None or evidence.network == "host":
        return unknown("V3", name, why="the network is shared with others" if sent is not None else "not counted")
    least, most = SEGMENTS_PER_REQUEST[evidence.mode]
    slack = 2 * evidence.connections + 1 + evidence.tcp.get("RetransSegs", 0)
    agrees = sent / most - slack <= evidence.served <= sent / least + slack
    each = f"{least}" if least == most else f"{least} to {most}"
    saw = f"the kernel counted {sent} segments with data, the generator {evidence.served} requests"
    advice = "answers are sent unasked, split over segments, or lost"
    return holds("V3", name, agrees, saw=saw, limit=f"{each} a request, within {slack} requests", advice=advice)


def _server_agrees(evidence: Evidence, sent: int | None) -> Check:
    """Return V3 of a fleet: the server's host sends one segment for each answer, and few others.

    Whoever counts more requests than that made them up; whoever counts fewer lost some.
    """
    if sent is None:
        return unknown("V3", "kernel agrees", why="not counted")
    answers = 2 if evidence.mode == "non-persistent" else 1  # and perhaps a FIN
    slack = 2 * evidence.connections + evidence.tcp.get("RetransSegs", 0) + FOREIGN_SEGMENTS * evidence.served
    agrees = sent / answers - slack <= evidence.served <= sent + slack
    saw = f"the server's kernel counted {sent} segments with data, the clients {evidence.served} requests"
    limit = f"1 to {answers} a request, within {slack:.0f} requests"
    return holds("V3", "kernel agrees", agrees, saw=saw, limit=limit, advice="distrust a client, or end other traffic")


def v12_enough(evidence: Evidence, limits: Validity) -> Check:
    """V12: requests per connection, and how much longer or shorter than asked it took."""
    each = evidence.requests / evidence.connections
    over_s = (evidence.duration_us - evidence.asked_us) / 1e6
    limit = f"fails < {limits.requests_per_connection_fail:g}, warns < {limits.requests_per_connection_warn:g}"
    saw = f"{each:.0f} requests per connection, {over_s * 1000:+.0f} ms against what was asked"
    if each < limits.requests_per_connection_fail or abs(over_s) > limits.overshoot_fail:
        return Check("V12", "enough data", "fail", saw, limit, "measure longer or with fewer connections")
    outcome = "warn" if each < limits.requests_per_connection_warn else "pass"
    return Check("V12", "enough data", outcome, saw, limit, "measure longer")  # type: ignore[arg-type]


def v13_steady(evidence: Evidence, limits: Validity) -> Check:
    """V13: second half against first half of the throughput series, and spread of its 0.5 s windows."""
    rates = window_rates(evidence)
    if len(rates) < LEAST_WINDOWS:
        return unknown("V13", "steady", why="too short to tell (under 2 s)")
    half = len(rates) // 2
    change = abs(statistics.mean(rates[-half:]) / statistics.mean(rates[:half]) - 1)
    spread = statistics.pstdev(rates) / statistics.mean(rates)
    worst = max(change / limits.drift_fail, spread / limits.spread_fail)
    return at_most(
        "V13",
        "steady",
        worst,
        fail=1.0,
        warn=max(limits.drift_warn / limits.drift_fail, limits.spread_warn / limits.spread_fail),
        shown=f"halves differ by {change:.1%}, 0.5 s windows vary by {spread:.1%}",
        advice="a longer warm-up, a calmer machine",
        unit=" of its limit",
    )


def window_rates(evidence: Evidence) -> list[float]:
    """Return segments per microsecond in windows of 0.5 s; empty where they were not counted.

    A fleet's are those in which all clients load: the counters are read before the clients are told to begin.
    """
    series = evidence.series
    low, high = evidence.window_us or (0, max(series.at_us, default=0))
    counted = zip(series.at_us, series.segments, strict=True)
    points = [(at, sent) for at, sent in counted if sent is not None and low <= at <= high]
    chosen = points[::WINDOW_SAMPLES]
    pairs = itertools.pairwise(chosen)
    rates = [(sent - sent0) / (at - at0) for (at0, sent0), (at, sent) in pairs if at > at0]
    return rates if rates and min(rates) >= 0 and sum(rates) > 0 else []
