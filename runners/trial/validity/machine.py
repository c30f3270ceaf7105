"""Was the machine quiet, and did it stay the same machine throughout the trial?"""

from __future__ import annotations

from runners.matrix.model import Validity
from runners.records.trial import Check, Evidence
from runners.trial.validity.forms import at_most, exact_percent, holds, outcome_of, percent, unknown


def v14_steal(evidence: Evidence, limits: Validity) -> Check:
    """V14: time that the hypervisor took from the CPUs in use / their time."""
    return at_most(
        "V14",
        "steal",
        evidence.steal_share,
        fail=limits.steal_fail,
        warn=limits.steal_warn,
        saw=percent(evidence.steal_share),
        advice="other guests of this host take CPU time; compare by duets, or at another time",
    )


def v15_calm(evidence: Evidence, limits: Validity) -> Check:
    """V15: CPU time of anything but server, client and harness / measured time of one CPU."""
    return at_most(
        "V15",
        "calm machine",
        evidence.foreign_share,
        fail=limits.foreign_fail,
        warn=limits.foreign_warn,
        saw=f"other programs used {percent(evidence.foreign_share)} of a CPU",
        advice="stop other programs",
    )


def v16_pressure(evidence: Evidence, limits: Validity) -> Check:
    """V16: time in which tasks stalled for memory or disk / measured time."""
    shares = evidence.pressure_share
    return at_most(
        "V16",
        "no pressure",
        max(shares.values(), default=None),
        fail=limits.pressure_fail,
        warn=limits.pressure_warn,
        saw=", ".join(f"{kind} {percent(share)}" for kind, share in shares.items()),
        advice="more memory, less disk traffic",
    )


def v17_quota(evidence: Evidence, limits: Validity) -> Check:
    """V17: time for which a cgroup's CPU quota held the trial back."""
    held_us = evidence.throttled_us
    return at_most(
        "V17",
        "no CPU quota",
        held_us,
        fail=limits.throttled_fail * 1e6,
        warn=None,
        saw=f"held back for {held_us} us",
        advice="run outside the container, or lift its quota",
        form=lambda us: f"{us:g} us",
    )


def v18_throttle(evidence: Evidence, limits: Validity) -> Check:
    """V18: swapping, thermal throttling, and change of the CPU frequency."""
    swaps, heat, drift = evidence.swapped_pages, evidence.thermal_throttles, evidence.frequency_drift
    if swaps is None and heat is None and drift is None:
        return unknown("V18", "no throttling")
    pages, times, most = limits.swapped_pages_fail, limits.thermal_throttles_fail, limits.frequency_drift
    moved = None if drift is None else percent(drift)
    saw = {"pages swapped": swaps, "times throttled": heat, "change of frequency": moved}
    return Check(
        "V18",
        "no throttling",
        outcome_of(fails=(swaps or 0) > pages or (heat or 0) > times, warns=(drift or 0.0) > most),
        ", ".join(f"{value} {what}" for what, value in saw.items() if value is not None),
        f"fails above {pages} pages or {times} times, warns above {exact_percent(most)}",
        "better cooling, a fixed frequency, more memory",
    )


def v19_clock(evidence: Evidence, limits: Validity) -> Check:
    """V19: movement of the wall clock against the monotonic clock; wrk reads the wall clock."""
    step_us = evidence.clock_step_us
    if step_us is None:
        return unknown("V19", "clock")
    limit_us = limits.clock_step_fail * 1e6 + limits.clock_slew_fail * evidence.watched_us
    return holds(
        "V19",
        "clock",
        abs(step_us) <= limit_us,
        saw=f"the wall clock moved {step_us} us against the monotonic clock",
        limit=f"at most {limit_us:.0f} us",
        advice="let the time service slew the clock instead of setting it",
    )


def v21_affinity(evidence: Evidence, _limits: Validity) -> Check:
    """V21: threads of both sides seen on CPUs that are not theirs, and other CPUs that the server may use."""
    if evidence.strayed_cpus is None:
        return unknown("V21", "affinity held", "both sides may use every CPU, or no thread was seen")
    strayed = ", ".join(map(str, evidence.strayed_cpus))
    return holds(
        "V21",
        "affinity held",
        not strayed,
        saw=f"threads ran, or may run, on CPU {strayed}" if strayed else "all threads on their own CPUs",
        limit="no other CPU",
        advice="keep the server from changing its CPU affinity",
    )
