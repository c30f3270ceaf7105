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


class BuildFailed(SpeedupError):
    """A server's build command failed; its rows are `failed`, the run goes on."""


class Interrupted(SpeedupError):
    """The run was stopped by a person or a signal; what was measured is kept."""

    exit_code = 130
