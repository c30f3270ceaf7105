"""Was the server the same healthy server from start to end, and were its responses?"""

from __future__ import annotations

from collections.abc import Iterator

from runners.matrix.model import Validity
from runners.records.trial import Check, Checked, Evidence
from runners.trial.validity.forms import holds, percent, unknown
from runners.units import format_size

RESPONSE = "response length"
ADVICE = "see what the server logs under load"
DOUBT = 0.05  # that a larger share of wrong answers would have been missed


def v20_server_health(evidence: Evidence, limits: Validity) -> Check:
    """V20: no process lost, all threads, bounded memory, the right answer after the load, a clean end.

    What makes no answer wrong only warns: more processes than before, and memory that grows.
    """
    faults = "; ".join(_faults(evidence))
    if faults:
        return Check("V20", "server health", "fail", faults, "no faults", "see the server's output")
    if changes := "; ".join(_changes(evidence, limits)):
        return Check("V20", "server health", "warn", changes, "no changes", "see whether it goes on in a longer trial")
    counts = ((evidence.processes_after, "processes"), (evidence.threads_after, "threads"))
    known = [f"{count} {what}" for count, what in counts if count is not None]
    saw = ", ".join([*known, f"ended with {evidence.server_exit or 'an unknown status'}"])
    if not evidence.server_exit_clean:
        return Check(
            "V20", "server health", "warn", saw, "ends on INT or TERM", "let the server end when it is asked to"
        )
    return Check("V20", "server health", "pass", saw, "no faults")


def _changes(evidence: Evidence, limits: Validity) -> Iterator[str]:
    before, after = evidence.processes_before, evidence.processes_after
    if before is not None and after is not None and before < after:
        yield f"{before} processes became {after}"
    growth, share = evidence.rss_growth_bytes or 0, evidence.rss_growth_share or 0.0
    if growth > limits.memory_growth and share > limits.memory_growth_share:
        yield f"memory grew by {format_size(growth)} ({percent(share)})"


def _faults(evidence: Evidence) -> Iterator[str]:
    before, after = evidence.processes_before, evidence.processes_after
    if before is not None and after is not None and before > after:
        yield f"{before} processes became {after}"
    if evidence.threads_after is not None and evidence.threads_after < evidence.server_threads:
        yield f"{evidence.threads_after} threads, not {evidence.server_threads}"
    if evidence.answers_afterwards:
        yield f"after the load it {evidence.answers_afterwards}"


def v24_response_length(evidence: Evidence, limits: Validity) -> Check:
    """V24: bytes read per request = length of the probed response, within what was in flight at the end.

    Where lengths cannot tell, a checker reads answers during the load, in trials apart.
    """
    if evidence.checked:
        return _checked(evidence.checked)
    if evidence.mixed:
        return unknown("V24", RESPONSE, "the answers of a mix differ in length")
    each = evidence.bytes_per_request
    shortest, probed = evidence.probed_bytes or (None, None)
    if shortest != probed:
        return unknown("V24", RESPONSE, f"its answers differ in length: {shortest} to {probed} bytes")
    if each is None or probed is None:
        why = "the load generator does not count bytes" if each is None else "the probed response was not the right one"
        return unknown("V24", RESPONSE, why)
    slack = limits.response_bytes_fail + evidence.connections * probed / evidence.requests
    return holds(
        "V24",
        RESPONSE,
        abs(each - probed) <= slack,
        saw=f"{each:.1f} bytes per response, {probed} in the probed one",
        limit=f"within {slack:.1f} bytes",
        advice="under load the server sends other responses than the probed one",
    )


def _checked(checked: Checked) -> Check:
    """Return V24 of answers that were read: every one must be right, and there must be some."""
    if not checked.answers:
        return unknown("V24", RESPONSE, checked.how or "no answer was read")
    if checked.wrong:
        saw = f"{checked.wrong} of {checked.answers} answers under load were wrong; the first: it {checked.how}"
    else:
        saw = f"{checked.answers} answers under load were right; the share of wrong ones is below "
        saw += _most(checked.answers)
    return holds("V24", RESPONSE, not checked.wrong, saw=saw, limit="none wrong", advice=ADVICE)


def _most(answers: int) -> str:
    """Return the largest share of wrong answers that is not ruled out (95 % sure) if none of so many was: about 3/n."""
    return f"{(1 - DOUBT ** (1 / answers)) * 100:.2g} %"
