"""Is a server warm? Whether its CPU time per request still falls: within one start, and over the starts of many trials.

Interpreters, just-in-time compilers and caches make the first seconds dearer than the rest. What falls by less than the
machine's own noise cannot be seen, and is called steady.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from runners.records.trial import Trial
from runners.stats.statistics import Estimate, ratio
from runners.units import format_duration

WINDOW_S = 0.1  # of a sample, each of which gives one cost
RECENT = 10  # windows that are looked at, at least: the last second; later on, the last half of all
LEAST = 6
FALL_PER_S = 0.01  # the fall of the cost, as a share, below which a server counts as steady
AGREEING = 3  # so many looks in turn must find it steady, since noise may hide a fall from one
NORMAL = 1.4826  # standard deviations in a median absolute deviation
MEDIAN_ERROR = 1.2533  # standard errors of the mean in that of the median
MOST_ERROR = 0.1  # of the fall, above which it is not known whether there is one,
PATIENCE = 30  # windows after which that is accepted: some servers are never calm
CAUTION = 0.5  # standard errors by which a cost may fall and still count as steady: more would let noise hide a fall
VISIBLE_FALL = 0.05  # within one measured window, over all starts; a connection's first request costs a little more
LEVEL = 0.99
LARGEST_FALL = 0.2  # that the interval of a server that needs no warm-up may still hold
STARTS = 6  # that are warmed up before it is judged whether a server needs it
MANY_STARTS = 12  # after which a fall that is still not certain is no reason for more
WARM_ALREADY_S = 0.05  # the warm-up of one that does not


def costs(run_us: Sequence[float | None], segments: Sequence[int | None]) -> list[float]:
    """Return the CPU time per segment in each window between two samples; windows without either are left out."""
    found = []
    for at in range(1, min(len(run_us), len(segments))):
        values = (run_us[at - 1], run_us[at], segments[at - 1], segments[at])
        if None in values:
            continue
        then_us, now_us, then, now = (float(value or 0) for value in values)
        if now > then and now_us > then_us:
            found.append((now_us - then_us) / (now - then))
    return found


def is_steady(found: Sequence[float]) -> bool:
    """Return whether the last looks at the costs of a start, one for each window, all found it steady."""
    looks = [found[: len(found) - back] for back in range(AGREEING)]
    patient = len(found) > PATIENCE
    return all(len(look) >= LEAST and _is_steady(look[-max(RECENT, len(look) // 2) :], patient) for look in looks)


def _is_steady(recent: Sequence[float], patient: bool) -> bool:  # noqa: FBT001
    half = len(recent) // 2
    earlier, later = ([math.log(cost) for cost in part] for part in (recent[:half], recent[-half:]))
    centers = statistics.median(earlier), statistics.median(later)
    apart = [abs(value - center) for part, center in zip((earlier, later), centers, strict=True) for value in part]
    error = NORMAL * statistics.median(apart) * MEDIAN_ERROR * math.sqrt(2 / half)
    allowed = max(FALL_PER_S * half * WINDOW_S, CAUTION * error)
    return (error <= MOST_ERROR or patient) and centers[0] - centers[1] <= allowed


def drift(found: Sequence[float]) -> float | None:
    """Return the log ratio of the later costs of a measured window to the earlier ones; None with fewer than two."""
    half = len(found) // 2
    return math.log(statistics.median(found[-half:]) / statistics.median(found[:half])) if half else None


def needs_warm_up(starts: Sequence[Trial]) -> bool:
    """Return whether a server's starts must be warmed up: false once several show that its cost hardly falls.

    On a machine so noisy that this does not show, it is false once many starts show no certain fall either. What is
    cold nevertheless is still seen in the measured time.
    """
    drifts = [trial.warmup_drift for trial in starts if trial.warmup_drift is not None]
    found = ratio(drifts).interval if len(drifts) >= STARTS else None
    if found is None:
        return True
    if found.low >= 1 - LARGEST_FALL and statistics.median(drifts) >= math.log(1 - VISIBLE_FALL):
        return False
    certain = ratio(drifts, level=LEVEL).interval if len(drifts) >= MANY_STARTS else None
    return certain is None or certain.high < 1


def cold_side(*sides: tuple[str, Sequence[Trial]]) -> str:
    """Return the first named server that was not warm, and how that shows; empty if all were, as far as is known."""
    return next((f"{name} was not warm: {why}" for name, trials in sides if (why := why_cold(trials))), "")


def why_cold(trials: Sequence[Trial]) -> str:
    """Return in words what shows that a server was not warm in most of its valid starts; empty if nothing does."""
    trials = [trial for trial in trials if trial.verdict == "ok"]
    watched = [trial for trial in trials if trial.steady is not None and trial.warmed_us is not None]
    unsteady = [trial.warmed_us or 0 for trial in watched if not trial.steady]
    if len(unsteady) * 2 > len(watched):
        return f"its CPU time per request still fell after {format_duration(max(unsteady) / 1e6)} of load"
    found = fall([trial.cost_drift for trial in trials if trial.cost_drift is not None])
    if found is None:
        return ""
    advice = "" if watched else '; warm it up longer, or with warmup = "auto"'
    return f"its CPU time per request fell by {1 - found.value:.0%} within the measured time{advice}"


def fall(drifts: Sequence[float]) -> Estimate | None:
    """Return how the cost changed within the measured windows of many starts, if it certainly and visibly fell."""
    if not drifts:
        return None
    found = ratio(drifts, level=LEVEL)
    falls = found.interval is not None and found.interval.high < 1 - VISIBLE_FALL
    return found if falls else None
