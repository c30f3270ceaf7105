"""How far a run is: a live bar on a terminal, a line for each trial elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from runners.plan.order import Slot
from runners.plan.pace import Pace
from runners.records.trial import Trial
from runners.stats.answers import judged
from runners.units import format_duration
from speedup.messages import is_terminal
from speedup.terminal import message_console

log = logging.getLogger(__name__)

REFRESH_S = 0.5
BAR = 20
BESIDE = BAR + 30  # what the bar, the count and the time left take of a line, in characters


def reporter() -> LiveReporter | PlainReporter:
    """Return the reporter that suits stderr."""
    return LiveReporter(message_console()) if is_terminal(sys.stderr) else PlainReporter()


def slug(slot: Slot) -> str:
    """Return how people call what a slot measures."""
    return " with ".join(cell.split("#")[0] for cell in slot.cells)


def outcome(trials: Sequence[Trial]) -> str:
    """Return what a trial gave in a few words: its rate, a duet's cost ratio, or why there is none."""
    bad = next((trial for trial in trials if trial.verdict != "ok"), None)
    if bad is not None:
        return f"{bad.verdict}: {bad.reason}"
    if trials[0].design == "checked":
        check = judged(trials[0])
        return check.saw if check else "ok"
    costs = [trial.server_cpu_us_per_request for trial in trials]
    if len(costs) == 2 and costs[0] and costs[1]:
        return f"{costs[0]:6.2f} and {costs[1]:6.2f} us CPU  ok"
    cost = f"  {costs[0]:6.2f} us CPU" if costs[0] is not None else ""
    return f"{trials[0].requests_per_s or 0:10,.0f} req/s{cost}  ok"


class PlainReporter:
    """One line for each trial, for logs."""

    def __init__(self) -> None:
        self.pace: Pace | None = None

    def begin(self, pace: Pace) -> None:
        """Remember the pace."""
        self.pace = pace

    def trial(self, slot: Slot, trials: Sequence[Trial]) -> None:
        """Tell what the trial gave, and the time left."""
        if self.pace is None:
            return
        width = len(str(self.pace.total))
        left = format_duration(self.pace.left_s())
        log.info(f"[{self.pace.done:{width}}/{self.pace.total}] {slug(slot):<48} {outcome(trials)}  ({left} left)")

    def tick(self) -> None:
        """Do nothing."""

    def end(self) -> None:
        """Do nothing."""


class LiveReporter:
    """A bar with the current trial and the time left; it redraws at most twice a second, from the run's own loop."""

    def __init__(self, console: Console) -> None:
        self.pace: Pace | None = None
        self.progress = Progress(
            TextColumn("{task.completed}/{task.total}"),
            BarColumn(bar_width=BAR),
            TextColumn("{task.fields[left]} left  {task.description}", markup=False),
            console=console,
            auto_refresh=False,
            transient=True,
        )
        self.drawn = 0.0

    def begin(self, pace: Pace) -> None:
        """Draw the bar."""
        self.pace = pace
        left = format_duration(pace.left_s())
        self.task = self.progress.add_task("starting", total=pace.total, completed=pace.done, left=left)
        self.progress.start()

    def trial(self, slot: Slot, trials: Sequence[Trial]) -> None:
        """Advance the bar; a trial that does not count gets a line above it."""
        if self.pace is None:
            return
        if any(trial.verdict != "ok" for trial in trials):
            log.info(f"{slug(slot)} {outcome(trials)}")
        self.progress.update(
            self.task,
            completed=self.pace.done,
            total=self.pace.total,
            left=format_duration(self.pace.left_s()),
            description=self._fitting(self.text(slot, trials)),
        )
        self._draw()

    def text(self, slot: Slot, trials: Sequence[Trial]) -> str:
        """Return what stands beside the bar after a trial."""
        return f"{slug(slot)} {outcome(trials)}"

    def _fitting(self, text: str) -> str:
        """Return as much of a text as there is room for, so that the count and the time left stay whole."""
        room = max(0, self.progress.console.width - BESIDE)
        return text if len(text) <= room else f"{text[: max(0, room - 3)]}..."

    def tick(self) -> None:
        """Redraw now and then."""
        if time.monotonic() - self.drawn >= REFRESH_S:
            self._draw()

    def _draw(self) -> None:
        self.drawn = time.monotonic()
        self.progress.refresh()

    def end(self) -> None:
        """Take the bar away."""
        self.progress.stop()
