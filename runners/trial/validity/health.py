"""Was the server the same healthy server from beginning to end, and were its answers?"""

from __future__ import annotations

from runners.matrix.model import Validity
from runners.records.trial import Check, Evidence
from runners.trial.validity.forms import percent, unknown
from runners.units import format_size


def v20_server_health(evidence: Evidence, limits: Validity) -> Check:
    """V20: same processes, threads as asked, memory bounded, the right answer afterwards, a clean end."""
    faults = list(_faults(evidence, limits))
    if faults:
        return Check("V20", "server health", "fail", "; ".join(faults), "none", "look at the server's output")
    saw = f"{evidence.processes_after} processes, {evidence.threads_after} threads, ended with {evidence.server_exit}"
    if not evidence.server_exit_clean:
        return Check("V20", "server health", "warn", saw, "ends by INT or TERM", "let the server end when asked")
    return Check("V20", "server health", "pass", saw, "none")


def _faults(evidence: Evidence, limits: Validity) -> list[str]:
    found = []
    before, after = evidence.processes_before, evidence.processes_after
    if before is not None and after is not None and before != after:
        found.append(f"{before} processes became {after}")
    if evidence.threads_after is not None and evidence.threads_after < evidence.server_threads:
        found.append(f"{evidence.threads_after} threads, asked for {evidence.server_threads}")
    growth, share = evidence.rss_growth_bytes, evidence.rss_growth_share
    if (
        growth is not None
        and share is not None
        and growth > limits.memory_growth
        and share > limits.memory_growth_share
    ):
        found.append(f"memory grew by {format_size(growth)} ({percent(share)})")
    if evidence.answers_afterwards:
        found.append(f"afterwards it {evidence.answers_afterwards}")
    return found


def v22_hosts(evidence: Evidence, _limits: Validity) -> Check:
    """V22: every client host loaded the whole time, and said what it counted."""
    hosts = len(evidence.clients) or 1
    return Check("V22", "hosts", "pass", f"{hosts} client host{'s' if hosts > 1 else ''}", "all present")


def v24_response_length(evidence: Evidence, _limits: Validity) -> Check:
    """V24: bytes read per request = the probed response's, within what was in flight at the end."""
    each, probed = evidence.bytes_per_request, evidence.probed_bytes
    if each is None or probed is None:
        return unknown("V24", "response length", why="the generator does not count bytes")
    slack = 1 + evidence.connections * probed / evidence.requests
    saw = f"{each:.1f} bytes per response, probed {probed}"
    same = abs(each - probed) <= slack
    advice = "the answer under load is another one than the probed answer"
    return Check("V24", "response length", "pass" if same else "fail", saw, f"within {slack:.1f}", advice)
