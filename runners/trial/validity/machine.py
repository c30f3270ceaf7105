"""Was the machine calm, and did it stay the same machine during the trial?"""

from __future__ import annotations

from runners.matrix.model import Validity
from runners.records.trial import Check, Evidence
from runners.trial.validity.forms import at_most, holds, percent, unknown

CLOCK_STEP_US = 1000
SLEW = 0.0005  # the most that a disciplined clock is stretched


def v14_steal(evidence: Evidence, limits: Validity) -> Check:
    """V14: time the hypervisor took from the CPUs in use / their time."""
    return at_most(
        "V14",
        "steal",
        evidence.steal_share,
        fail=limits.steal_fail,
        warn=limits.steal_warn,
        shown=percent(evidence.steal_share),
        advice="neighbours on this host take CPU time; compare by duets, or at another time",
    )


def v15_calm(evidence: Evidence, limits: Validity) -> Check:
    """V15: CPU time of others than server, client and harness / measured time of one CPU."""
    return at_most(
        "V15",
        "calm machine",
        evidence.foreign_share,
        fail=limits.foreign_fail,
        warn=limits.foreign_warn,
        shown=f"others used {percent(evidence.foreign_share)} of a CPU",
        advice="end other programs",
    )


def v16_pressure(evidence: Evidence, limits: Validity) -> Check:
    """V16: time that tasks stalled for memory or disk / measured time."""
    if not evidence.pressure_share:
        return unknown("V16", "no pressure")
    worst = max(evidence.pressure_share.values())
    shown = ", ".join(f"{kind} {percent(share)}" for kind, share in evidence.pressure_share.items())
    return at_most(
        "V16",
        "no pressure",
        worst,
        fail=limits.pressure_fail,
        warn=limits.pressure_warn,
        shown=shown,
        advice="more memory, less disk traffic",
    )


def v17_quota(evidence: Evidence, _limits: Validity) -> Check:
    """V17: time that a cgroup's CPU quota held the trial back."""
    held_us = evidence.throttled_us
    return at_most(
        "V17",
        "no CPU quota",
        held_us,
        fail=0.0,
        warn=None,
        shown=f"held back {held_us} us",
        advice="run outside the container, or lift its quota",
        unit=" us",
    )


def v18_throttle(evidence: Evidence, limits: Validity) -> Check:
    """V18: thermal throttling, swapping, drift of the CPU frequency."""
    swaps, heat, drift = evidence.swapped_pages, evidence.thermal_throttles, evidence.frequency_drift
    if swaps is None and heat is None and drift is None:
        return unknown("V18", "no throttling")
    shown = f"swapped {swaps} pages, throttled {heat} times, frequency {percent(drift)}"
    bad = bool(swaps) or bool(heat)
    worst = 2.0 if bad else (drift or 0.0)
    return at_most(
        "V18",
        "no throttling",
        worst,
        fail=1.0,
        warn=limits.frequency_drift,
        shown=shown.replace("None", "unknown"),
        advice="cooling, a fixed frequency, more memory",
    )


def v19_clock(evidence: Evidence, _limits: Validity) -> Check:
    """V19: wall clock against monotonic clock over the trial; wrk reads the wall clock."""
    step_us = evidence.clock_step_us
    limit_us = CLOCK_STEP_US + SLEW * evidence.watched_us
    return holds(
        "V19",
        "clock",
        None if step_us is None else abs(step_us) <= limit_us,
        saw=f"the wall clock moved {step_us} us against the monotonic one",
        limit=f"{limit_us:.0f} us",
        advice="let the time service slew, not step",
    )


def v21_affinity(evidence: Evidence, _limits: Validity) -> Check:
    """V21: every thread of both sides was seen on its own CPUs only, and the server's may run on no others."""
    strayed = ", ".join(map(str, evidence.strayed_cpus))
    return holds(
        "V21",
        "affinity held",
        not strayed,
        saw=f"threads on CPU {strayed}, or free to go there" if strayed else "all threads on their CPUs",
        limit="none outside",
        advice="the server changes its own CPU affinity",
    )
