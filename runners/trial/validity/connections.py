"""Were the connections what the mode says, and did the network lose or refuse any?"""

from __future__ import annotations

from runners.matrix.model import Validity
from runners.records.trial import Check, Evidence
from runners.trial.validity.forms import at_most, holds, percent, unknown

QUEUE_COUNTERS = ("ListenOverflows", "ListenDrops", "TCPReqQFullDrop", "TCPReqQFullDoCookies", "SyncookiesSent")
LOSS_COUNTERS = ("TCPSynRetrans", "RetransSegs", "TCPTimeouts", "TCPBacklogDrop")


def opened_per_request(evidence: Evidence) -> float | None:
    """Return how many connections the kernel accepted for each request, beyond the first ones if they are kept."""
    opened = evidence.tcp.get("PassiveOpens")
    if opened is None or not evidence.served:
        return None
    first = evidence.connections + 1 if evidence.mode == "persistent" else 0  # and wrk's probe
    return max(0, opened - first) / evidence.served


def v4_connection_mode(evidence: Evidence, limits: Validity) -> Check:
    """V4: connections accepted per request, counted by the kernel, and how many are open in the middle."""
    name, opened = "connection mode", opened_per_request(evidence)
    if opened is None:
        return unknown("V4", name)
    persistent = evidence.mode == "persistent"
    kept = opened <= limits.reopened if persistent else opened >= 1 - limits.reopened
    saw = f"{opened:.3f} connections opened per request"
    whole = True
    if persistent and evidence.established_mid is not None and evidence.network == "namespace":
        whole = evidence.established_mid >= 2 * evidence.connections
        saw += f", {evidence.established_mid // 2} of {evidence.connections} open in the middle"
    limit = f"<= {limits.reopened:g}, all open" if persistent else f">= {1 - limits.reopened:g}"
    advice = "see how the server treats Connection: close, and its limit of connections"
    return holds("V4", name, kept and whole, saw=saw, limit=limit, advice=advice)


def _ports_of_clients(evidence: Evidence) -> Check:
    """Return V7 of a fleet, whose ports are elsewhere: could every client connect, and did the server's table hold?"""
    overflow, refused = evidence.tcp.get("TCPTimeWaitOverflow", 0), evidence.errors.connect
    saw = f"{refused} times no port was left to connect from, the server's table overflowed {overflow} times"
    advice = "a wider net.ipv4.ip_local_port_range on the clients, more client addresses"
    return holds("V7", "ports left", not (overflow or refused), saw=saw, limit="none", advice=advice)


def v5_accept_queue(evidence: Evidence, _limits: Validity) -> Check:
    """V5: nothing was dropped for a full accept queue."""
    advice = "a larger listen backlog (and net.core.somaxconn), or more threads that accept"
    return _none_of("V5", "accept queue", evidence, QUEUE_COUNTERS, fail=0.0, advice=advice)


def v6_segments_lost(evidence: Evidence, limits: Validity) -> Check:
    """V6: segments sent again or timed out, as a share of those sent."""
    advice = "a full receive queue on loopback, a bad link elsewhere"
    return _none_of("V6", "segments lost", evidence, LOSS_COUNTERS, fail=limits.lost_segments, advice=advice)


def _none_of(
    identifier: str, name: str, evidence: Evidence, counters: tuple[str, ...], *, fail: float, advice: str
) -> Check:
    """Return a check that counters did not grow; they warn at once and fail above a share of all segments."""
    known = {counter: evidence.tcp[counter] for counter in counters if counter in evidence.tcp}
    if not known or evidence.shares_network:
        return unknown(identifier, name, why="the network is shared with others" if known else "not counted")
    share = sum(known.values()) / max(1, evidence.tcp.get("OutSegs", 2 * evidence.served))
    found = ", ".join(f"{counter} {count}" for counter, count in known.items() if count)
    return at_most(identifier, name, share, fail=fail, warn=0.0, shown=found or "none", advice=advice)


def v7_ports(evidence: Evidence, limits: Validity) -> Check:
    """V7: ports in use by connections in TIME_WAIT, as a share of the client's ports; overflow of their table.

    Those that TIME_WAIT holds longer than the kernel does before it uses a port again do not count, unless the client
    could not connect: then no port was left, whatever the rate that remained.
    """
    if evidence.clients:
        return _ports_of_clients(evidence)
    if evidence.ports is None or evidence.time_wait_max is None:
        return unknown("V7", "ports left")
    overflow = evidence.tcp.get("TCPTimeWaitOverflow", 0)
    lifetime_s = evidence.port_reuse_s if evidence.port_reuse_s is not None else 60.0
    opened_per_s = evidence.tcp.get("PassiveOpens", 0) / evidence.watched_us * 1e6
    waiting = evidence.time_wait_max
    share = (waiting if evidence.errors.connect else min(waiting, opened_per_s * lifetime_s)) / evidence.ports
    return at_most(
        "V7",
        "ports left",
        2.0 if overflow else share,
        fail=limits.ports_fail,
        warn=limits.ports_warn,
        shown=f"{percent(share)} of {evidence.ports} ports wait for reuse, table overflowed {overflow} times",
        advice="a wider net.ipv4.ip_local_port_range, tcp_tw_reuse = 1, more client addresses",
    )
