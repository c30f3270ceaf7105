"""Shows during a comparison how its interval narrows: on a terminal in the line of the bar."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from reports.changes.change_words import signed
from runners.matrix.starter.comparison import ALONE, NEW, OLD
from runners.plan.order import Slot
from runners.records.trial import Trial
from runners.stats.comparison import SERVER_COST, block_ratios, counting
from runners.stats.statistics import ratio
from speedup.messages import is_terminal
from speedup.progress import LiveReporter, PlainReporter
from speedup.terminal import message_console


def reporter() -> LiveReporter | PlainReporter:
    """Return the reporter that suits stderr."""
    return NarrowingReporter(message_console()) if is_terminal(sys.stderr) else PlainReporter()


class NarrowingReporter(LiveReporter):
    """A bar with the change of CPU per request so far."""

    recorded: tuple[Trial, ...] = ()

    def text(self, slot: Slot, trials: Sequence[Trial]) -> str:
        """Return the interval so far instead of the trial's outcome."""
        self.recorded += tuple(trials)
        return so_far(self.recorded) or super().text(slot, trials)


def _place(trial: Trial) -> str:
    """Return the connection mode, and the request if there are several."""
    return " ".join(trial.slug.split("/")[3:])


def so_far(trials: Sequence[Trial]) -> str:
    """Return the change of CPU per request in each mode as far as it is known; empty before the first duet."""
    duets = [trial for trial in counting(trials) if trial.design == "duet" and trial.connections != ALONE]
    found = []
    for place in dict.fromkeys(map(_place, duets)):
        new, old = ([trial for trial in duets if (trial.server, _place(trial)) == (side, place)] for side in (NEW, OLD))
        logs = list(block_ratios(new, old, SERVER_COST).values())
        if logs:
            estimate = ratio(logs)
            within = estimate.interval
            ends = f" ({signed(within.low)} to {signed(within.high)})" if within else ""
            found.append(f"{place} CPU {signed(estimate.value)}{ends}")
    return ", ".join(found)
