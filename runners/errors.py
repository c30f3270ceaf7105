"""Every error that a person can meet, each with its exit code.

They are raised where the cause is known and shown once, by the command line: what happened, where, and what
to do next.
"""

from __future__ import annotations


class SpeedupError(Exception):
    """An error with a message for people; the parent of all others."""

    exit_code = 1


class BadInput(SpeedupError):
    """The matrix, a run folder or an argument is wrong."""

    exit_code = 2


class NothingSelected(SpeedupError):
    """The selection holds no cell."""

    exit_code = 3


class UnfitMachine(SpeedupError):
    """The machine cannot measure what was asked (strict mode)."""

    exit_code = 4


class DiskFull(SpeedupError):
    """A record could not be written; everything recorded before is kept."""


class RunStopped(SpeedupError):
    """A run ended before its end; what was measured is kept, and it can be resumed."""


class FleetIncomplete(RunStopped):
    """A client machine of the fleet stayed away for too long."""


class Interrupted(RunStopped):
    """A person or a signal stopped the run."""

    exit_code = 130
