"""Tells a person how far the run is: a live bar on a terminal, one plain line for each trial elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from runners.cells import Cell
from runners.order import OVERHEAD_S
from runners.records import Trial
from runners.units import format_duration

REFRESH_S = 0.5


class Reporter(Protocol):
    """Hears what happens during a run."""

    def say(self, text: str) -> None:
        """Something worth a line happened."""

    def begin(self, total: int, total_s: float) -> None:
        """The trials begin: how many, and how long they will take."""

    def trial(self, cell: Cell, trial: Trial) -> None:
        """A trial ended and is recorded."""

    def tick(self) -> None:
        """Time passes inside a trial; called about ten times a second."""

    def end(self) -> None:
        """No more trials."""


class Pace:
    """How much of the planned time is done, and how long the rest takes at the pace so far."""

    def __init__(self, total: int, total_s: float) -> None:
        self.total, self.total_s = total, total_s
        self.done, self.done_s = 0, 0.0
        self.began = time.monotonic()

    def add(self, planned_s: float) -> None:
        """One more trial ended that was planned to take so long."""
        self.done += 1
        self.done_s += planned_s

    def left_s(self) -> float:
        """Return the seconds left, at the pace of the trials so far."""
        pace = (time.monotonic() - self.began) / self.done_s if self.done_s else 1.0
        return max(0.0, self.total_s - self.done_s) * pace


def planned_s(cell: Cell) -> float:
    """Return how long one trial of a cell should take, in seconds."""
    return cell.load.warmup_s + cell.load.duration_s + OVERHEAD_S


def outcome(trial: Trial) -> str:
    """Return what a trial gave in a few words: its rate, or why there is none."""
    if trial.verdict == "ok" and trial.requests_per_s is not None:
        cpu = trial.server_cpu_us_per_request
        cost = f"  {cpu:6.2f} us CPU" if cpu is not None else ""
        return f"{trial.requests_per_s:10,.0f} req/s{cost}  ok"
    return f"{trial.verdict}: {trial.reason}"


class PlainReporter:
    """One line for each trial, for logs."""

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        self.stream = stream
        self.pace = Pace(0, 0)

    def say(self, text: str) -> None:
        """Print a line."""
        print(text, file=self.stream, flush=True)

    def begin(self, total: int, total_s: float) -> None:
        """Start the clock."""
        self.pace = Pace(total, total_s)

    def trial(self, cell: Cell, trial: Trial) -> None:
        """Print the trial's line with the time left."""
        self.pace.add(planned_s(cell))
        width = len(str(self.pace.total))
        left = format_duration(self.pace.left_s())
        self.say(f"[{self.pace.done:{width}}/{self.pace.total}] {cell.slug:<48} {outcome(trial)}  ({left} left)")

    def tick(self) -> None:
        """Say nothing."""

    def end(self) -> None:
        """Say nothing."""


class LiveReporter:
    """A bar with the current trial and the time left; it redraws at most twice a second, from the run's own loop."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.pace = Pace(0, 0)
        self.progress = Progress(
            TextColumn("{task.completed}/{task.total}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[left]} left  {task.description}"),
            console=console,
            auto_refresh=False,
            transient=True,
        )
        self.drawn = 0.0

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self.console.print(text, markup=False, highlight=False)

    def begin(self, total: int, total_s: float) -> None:
        """Draw the bar."""
        self.pace = Pace(total, total_s)
        self.task = self.progress.add_task("starting", total=total, left=format_duration(total_s))
        self.progress.start()

    def trial(self, cell: Cell, trial: Trial) -> None:
        """Advance the bar; print a line where something is wrong."""
        self.pace.add(planned_s(cell))
        if trial.verdict != "ok":
            self.say(f"{cell.slug}: {outcome(trial)}")
        left = format_duration(self.pace.left_s())
        self.progress.update(self.task, advance=1, left=left, description=f"{cell.slug} {outcome(trial)}")
        self._draw()

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


def reporter(stream: TextIO = sys.stderr) -> Reporter:
    """Return the reporter that suits the stream; NO_COLOR and TERM=dumb are heeded."""
    console = Console(file=stream)
    if stream.isatty() and console.is_terminal and not console.is_dumb_terminal:  # FORCE_COLOR makes no terminal
        return LiveReporter(console)
    return PlainReporter(stream)
