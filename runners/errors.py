"""Every error that a user can meet, each with its exit code.

An error is raised where its cause is known. The command line shows it once: what happened, where, and what to do
next.
"""

from __future__ import annotations


class SpeedupError(Exception):
    """An error whose message is meant for the user; the base of all others."""

    exit_code = 1


class BadInput(SpeedupError):
    """The matrix, a run folder or an argument is wrong."""

    exit_code = 2


class NothingSelected(SpeedupError):
    """The selection contains no cells."""

    exit_code = 3


class UnfitMachine(SpeedupError):
    """The machine cannot measure what was asked, or another run is in progress."""

    exit_code = 4


class DiskFull(SpeedupError):
    """A record could not be written; earlier records are kept."""


class RunStopped(SpeedupError):
    """A run stopped early; what was measured is kept, and the run can be resumed."""


class FleetIncomplete(RunStopped):
    """A client host of the fleet was away for too long."""


class Interrupted(RunStopped):
    """The user or a signal stopped the run."""

    exit_code = 130
