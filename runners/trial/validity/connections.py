"""Were the connections what the mode says, and did the network lose or refuse any?"""

from __future__ import annotations

from runners.matrix.model import Validity
from runners.records.trial import Check, Evidence
from runners.trial.validity.forms import at_most, holds, limits_of, outcome_of, percent, unknown

QUEUE_COUNTERS = ("ListenOverflows", "ListenDrops", "TCPReqQFullDrop", "TCPReqQFullDoCookies", "SyncookiesSent")
LOSS_COUNTERS = ("TCPSynRetrans", "RetransSegs", "TCPTimeouts", "TCPBacklogDrop")
CLOSE_ADVICE = "see how the server handles Connection: close, and how many connections it allows"
TIME_WAIT_S = 60.0  # unless the kernel may reuse ports earlier


def opened_per_request(evidence: Evidence) -> float | None:
    """Return how many connections the kernel accepted per request, beyond the first ones if they are kept."""
    opened = evidence.tcp.get("PassiveOpens")
    if opened is None or not evidence.served:
        return None
    first = evidence.connections + 1 if evidence.mode == "persistent" else 0  # and wrk's probe
    return max(0, opened - first) / evidence.served


def v4_connection_mode(evidence: Evidence, limits: Validity) -> Check:
    """V4: connections accepted per request, as the kernel counted them, and connections open halfway through."""
    name, opened = "connection mode", opened_per_request(evidence)
    if opened is None:
        return unknown("V4", name)
    saw = f"{opened:.3f} connections opened per request"
    if evidence.mode == "persistent":
        return _v4_persistent(evidence, limits, opened, saw)
    limit = f"at least {1 - limits.reopened:g}"
    return holds("V4", name, opened >= 1 - limits.reopened, saw=saw, limit=limit, advice=CLOSE_ADVICE)


def _v4_persistent(evidence: Evidence, limits: Validity, opened: float, saw: str) -> Check:
    """Return V4 of persistent connections: those that a server has of its own, as a proxy has, do not count.

    A server that closes each connection after some requests still has its rate, with that said beside it.
    """
    lasting = evidence.lasting_share is not None and evidence.lasting_share >= 1 - limits.reopened
    if lasting and opened > limits.reopened:
        saw = f"all connections lasted; the server opened {opened:.3f} of its own per request"
        opened = 0.0
    whole, limit = True, f"warns above {limits.reopened:g}, fails above {limits.reopened_fail:g}"
    if evidence.established_mid is not None and evidence.network == "namespace":
        whole = evidence.established_mid >= 2 * evidence.connections or opened > limits.reopened
        saw += f", {evidence.established_mid // 2} of {evidence.connections} open halfway through"
        limit += ", all open"
    if limits.reopened < opened <= limits.reopened_fail and whole:
        saw += f": it closes each connection after about {1 / opened:.0f} requests, and clients must reconnect"
    outcome = outcome_of(fails=opened > limits.reopened_fail or not whole, warns=opened > limits.reopened)
    return Check("V4", "connection mode", outcome, saw, limit, CLOSE_ADVICE)


def v5_accept_queue(evidence: Evidence, limits: Validity) -> Check:
    """V5: connections that were dropped because the accept queue was full."""
    known = _known(evidence, QUEUE_COUNTERS)
    if not known:
        return unknown("V5", "accept queue", _why_unknown(evidence))
    return at_most(
        "V5",
        "accept queue",
        sum(known.values()),
        fail=limits.queue_drops_fail,
        warn=None,
        saw=_counts(known),
        advice="a longer listen backlog (and net.core.somaxconn), or more threads that accept",
        form="{:g}".format,
    )


def v6_segments_lost(evidence: Evidence, limits: Validity) -> Check:
    """V6: segments that were sent again or timed out, of all segments sent.

    Those that had only been late do not count: whoever receives one twice says so (a DSACK). That is the machine's noise.
    """
    known = _known(evidence, LOSS_COUNTERS)
    if not known:
        return unknown("V6", "segments lost", _why_unknown(evidence))
    late = min(evidence.tcp.get("TCPDSACKRecv", 0), known.get("RetransSegs", 0))
    lost = sum(known.values()) - late
    return at_most(
        "V6",
        "segments lost",
        lost / max(1, evidence.tcp.get("OutSegs", 2 * evidence.served)),
        fail=limits.lost_segments if lost > limits.lost_segments_least else None,
        warn=limits.lost_segments_warn,
        saw=_counts(known) + (f", of which {late} had only been late" if late else ""),
        advice="on loopback, a receive queue was full; elsewhere, see the link",
    )


def _known(evidence: Evidence, counters: tuple[str, ...]) -> dict[str, int]:
    """Return the counters that the kernel has and that count this trial only."""
    if evidence.shares_network:
        return {}
    return {counter: evidence.tcp[counter] for counter in counters if counter in evidence.tcp}


def _why_unknown(evidence: Evidence) -> str:
    return "other programs use the network" if evidence.shares_network else "the kernel does not count them"


def _counts(known: dict[str, int]) -> str:
    return ", ".join(f"{counter} {count}" for counter, count in known.items() if count) or "none"


def v7_ports(evidence: Evidence, limits: Validity) -> Check:
    """V7: client ports held by connections in TIME_WAIT, of all client ports; overflow of the kernel's table of them.

    Ports that the kernel would already use again are not counted, unless the client could not connect: then no port was
    left, whatever rate remained.
    """
    opened, overflowed = evidence.tcp.get("PassiveOpens"), evidence.tcp.get("TCPTimeWaitOverflow")
    refused = evidence.errors.connect
    if evidence.clients:
        return _ports_of_clients(refused, overflowed)
    if evidence.ports is None or evidence.time_wait_max is None or opened is None:
        return unknown("V7", "ports left")
    reuse_s = TIME_WAIT_S if evidence.port_reuse_s is None else evidence.port_reuse_s
    held = opened / evidence.watched_us * 1e6 * reuse_s
    share = (evidence.time_wait_max if refused else min(evidence.time_wait_max, held)) / evidence.ports
    return Check(
        "V7",
        "ports left",
        outcome_of(fails=bool(overflowed) or share > limits.ports_fail, warns=share > limits.ports_warn),
        f"{percent(share)} of {evidence.ports} ports wait for reuse{_overflows(overflowed)}",
        limits_of("above", limits.ports_fail, limits.ports_warn),
        "a wider net.ipv4.ip_local_port_range, tcp_tw_reuse = 1, more client addresses",
    )


def _ports_of_clients(refused: int, overflowed: int | None) -> Check:
    """Return V7 of a fleet, whose ports are elsewhere: could every client connect, and did the server's table hold?"""
    if overflowed is None and not refused:
        return unknown("V7", "ports left")
    saw = f"clients could not connect {refused} times{_overflows(overflowed)}"
    advice = "a wider net.ipv4.ip_local_port_range on the clients, more client addresses"
    return holds("V7", "ports left", not (overflowed or refused), saw=saw, limit="never", advice=advice)


def _overflows(overflowed: int | None) -> str:
    return "" if overflowed is None else f", the table of TIME_WAIT overflowed {overflowed} times"
