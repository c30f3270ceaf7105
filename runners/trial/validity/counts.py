"""Are the counts right? Errors, conservation, the kernel's own count, enough requests, a steady rate."""

from __future__ import annotations

import itertools
import math
import statistics
from dataclasses import replace

from runners.matrix.model import Validity
from runners.records.trial import Check, Evidence
from runners.trial.validity.forms import holds, limits_of, outcome_of, unknown

# Fewest and most segments of one exchange: request, response and, if the connection ends with it, two FINs, which the
# kernel counts too unless they travel with data.
SEGMENTS_PER_REQUEST = {"persistent": (2, 2), "non-persistent": (2, 4)}
HAS_OWN = 0.9  # a server over whose clients' connections less goes has others of its own, as a proxy has
HOP_ERROR = 0.05  # of this share: the kernel's list of connections and its counters are read one after the other
RARE = 5.0  # standard deviations by which the number of expected errors in a mix may differ from their share
WINDOW_SAMPLES = 5  # of 100 ms
LEAST_WINDOWS = 4


def v1_errors(evidence: Evidence, _limits: Validity) -> Check:
    """V1: no errors of any kind, as the load generator counted them.

    Two kinds are none: a status that is expected, and, where the server closes a connection without having announced
    it, the read error by which wrk notices that after a whole answer.
    """
    errors, served = evidence.errors, evidence.requests + evidence.connections
    errors = replace(errors, status=_unexpected(evidence))
    if evidence.closing == "unannounced" and not replace(errors, read=0).total and 0 < errors.read <= served:
        saw = f"{errors.read} read errors, since the server closes without saying so in Connection: close"
        return Check("V1", "no errors", "warn", saw, "no errors", "let it announce that it closes")
    counts = [(name, count) for name, count in vars(errors).items() if count]
    found = ", ".join(f"{count} {name} error{'s' if count > 1 else ''}" for name, count in counts)
    advice = "see the server's output; a rate that includes errors is not a rate of answers"
    if evidence.closing == "as its end":
        advice = "wrk opens a second connection for each answer that only ends with it; use --load locust"
    return holds("V1", "no errors", not found, saw=found or "none", limit="no errors", advice=advice)


def _unexpected(evidence: Evidence) -> int:
    """Return how many answers had, or lacked, the status of an error beyond what is expected of them.

    In a mix, chance and what was under way at the end decide how many of the expected ones there are.
    """
    share, count = evidence.expected_error_share, evidence.requests
    chance = RARE * math.sqrt(count * share * (1 - share)) + evidence.connections if 0 < share < 1 else 0.0
    beyond = abs(evidence.errors.status - share * count)
    return round(beyond) if beyond > chance else 0


def v2_conservation(evidence: Evidence, _limits: Validity) -> Check:
    """V2: sum of the histogram + timeouts = requests, and no negative count once wrk's correction is undone."""
    if evidence.histogram_sum is None:
        why = "the load generator does not count requests separately from its histogram"
        return unknown("V2", "counts conserved", why)
    counted = evidence.requests - evidence.errors.timeout
    whole = evidence.histogram_sum == counted and (evidence.least_count or 0) >= 0
    saw = f"{evidence.histogram_sum} in the histogram, {counted} answered in time"
    advice = "do not trust the load generator's counts"
    return holds("V2", "counts conserved", whole, saw=saw, limit="equal", advice=advice)


def v3_kernel_agrees(evidence: Evidence, limits: Validity) -> Check:
    """V3: the kernel counted two segments with data per request, up to four if each request has its own connection.

    Within what was in flight at the end: two segments of each connection, and the two FINs of wrk's probe. Fewer cannot
    be: answers came that nobody asked for. More only warn: answers are written in pieces, or the server has connections
    of its own. Where connections last, the kernel tells these apart, within what its two lists can differ by.
    """
    name, sent = "kernel agrees", evidence.tcp.get("TCPOrigDataSent")
    if evidence.locustfile:
        return unknown("V3", name, f"the users in {evidence.locustfile} may send any requests")
    if sent is None or evidence.shares_network:
        return unknown(
            "V3", name, "the kernel does not count them" if sent is None else "other programs use the network"
        )
    if evidence.clients:
        return _server_agrees(evidence, sent, limits)
    least, most = SEGMENTS_PER_REQUEST[evidence.mode]
    slack = 2 * evidence.connections + 1 + evidence.tcp.get("RetransSegs", 0)
    saw = f"the kernel counted {sent} segments with data, the load generator {evidence.served} requests"
    pieces = "answers in several pieces, or connections of the server's own"
    if evidence.hop_share is not None and evidence.hop_share < HAS_OWN:
        sent, slack = round(sent * evidence.hop_share), slack + math.ceil(HOP_ERROR * evidence.served)
        saw += f"; {sent} of these between them, others over connections of the server's own"
        pieces = "answers in several pieces"
    warns = sent / most - slack > evidence.served
    each = f"{least}" if least == most else f"{least} to {most}"
    if warns:
        saw += f": {pieces}"
    outcome = outcome_of(fails=evidence.served > sent / least + slack, warns=warns)
    limit = f"{each} per request, within {slack} requests"
    return Check("V3", name, outcome, saw, limit, "see whether responses are sent unasked, or split, or lost")


def _server_agrees(evidence: Evidence, sent: int, limits: Validity) -> Check:
    """Return V3 of a fleet: the server's host sends one segment per response, and little else.

    A client that counts more requests made them up; one that counts fewer lost some.
    """
    most = 2 if evidence.mode == "non-persistent" else 1  # the response, and perhaps a FIN
    foreign = limits.foreign_segments_fail * evidence.served
    slack = 2 * evidence.connections + evidence.tcp.get("RetransSegs", 0) + foreign
    agrees = sent / most - slack <= evidence.served <= sent + slack
    saw = f"the server's kernel counted {sent} segments with data, the clients {evidence.served} requests"
    limit = f"{'1' if most == 1 else '1 to 2'} per request, within {slack:.0f} requests"
    advice = "do not trust one of the clients, or stop other traffic of the server's host"
    return holds("V3", "kernel agrees", agrees, saw=saw, limit=limit, advice=advice)


def v12_enough(evidence: Evidence, limits: Validity) -> Check:
    """V12: requests per connection, and how far the measured time is from the time that was asked for."""
    each = evidence.requests / evidence.connections
    over_s = (evidence.duration_us - evidence.asked_us) / 1e6
    fail, warn = limits.requests_per_connection_fail, limits.requests_per_connection_warn
    outcome = outcome_of(fails=each < fail or abs(over_s) > limits.overshoot_fail, warns=each < warn)
    limit = f"{limits_of('below', fail, warn, '{:g}'.format)}, fails beyond ±{limits.overshoot_fail * 1000:g} ms"
    saw = f"{each:.0f} requests per connection, {over_s * 1000:+.0f} ms from the time asked for"
    advice = "measure longer, or with fewer connections"
    return Check("V12", "enough data", outcome, saw, limit, advice)


def v13_steady(evidence: Evidence, limits: Validity) -> Check:
    """V13: rate of the second half of the trial against the first, and spread of the rates in windows of 0.5 s."""
    rates = window_rates(evidence)
    if len(rates) < LEAST_WINDOWS:
        return unknown("V13", "steady", "too short to tell (under 2 s)")
    half = len(rates) // 2
    first, second = statistics.mean(rates[:half]), statistics.mean(rates[-half:])
    drift = abs(second / first - 1) if first else math.inf
    spread = statistics.pstdev(rates) / statistics.mean(rates)
    outcome = outcome_of(
        fails=drift > limits.drift_fail or spread > limits.spread_fail,
        warns=drift > limits.drift_warn or spread > limits.spread_warn,
    )
    halves = limits_of("above", limits.drift_fail, limits.drift_warn)
    windows = limits_of("above", limits.spread_fail, limits.spread_warn)
    limit = f"halves: {halves}; windows: {windows}"
    saw = f"halves differ by {drift:.1%}, windows of 0.5 s vary by {spread:.1%}"
    return Check("V13", "steady", outcome, saw, limit, "a longer warm-up, a quieter machine")


def window_rates(evidence: Evidence) -> list[float]:
    """Return segments per microsecond in windows of 0.5 s; empty if they were not counted.

    They are those of the measured time: Locust, and the clients of a fleet, start after the counters are first read.
    """
    series = evidence.series
    low, high = evidence.window_us or (0, max(series.at_us, default=0))
    counted = zip(series.at_us, series.segments, strict=True)
    points = [(at, sent) for at, sent in counted if sent is not None and low <= at <= high]
    chosen = points[::WINDOW_SAMPLES]
    pairs = itertools.pairwise(chosen)
    rates = [(sent - sent0) / (at - at0) for (at0, sent0), (at, sent) in pairs if at > at0]
    return rates if rates and min(rates) >= 0 and sum(rates) > 0 else []
