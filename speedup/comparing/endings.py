"""How a comparison ends: exit codes for people and gates, and those that `git bisect run` understands."""

from __future__ import annotations

from runners.errors import BadInput, SpeedupError

SLOWER, BAD_INPUT, UNFIT = 1, 2, 4
SKIP, ABORT = 125, 128  # of `git bisect run`: this revision cannot be tested; stop


class DoesNotStart(BadInput):
    """One side of a comparison does not build, start or stay up."""


class Ended(SpeedupError):
    """A comparison that failed, with the exit code that says why."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def failure_code(error: BaseException, *, bisecting: bool) -> int:
    """Return the exit code of a failure: never 1, which is kept for a slowdown."""
    from runners.errors import Interrupted

    if isinstance(error, Interrupted):
        return Interrupted.exit_code
    if isinstance(error, DoesNotStart):
        return SKIP if bisecting else BAD_INPUT
    if bisecting:
        return ABORT
    code = error.exit_code if isinstance(error, SpeedupError) else UNFIT
    return {1: UNFIT, 3: BAD_INPUT}.get(code, code)


def gate_code(outcome: str | None, *, bisecting: bool) -> int:
    """Return the exit code of an answer; without bounds every answer is fine, and what nobody measured is not green."""
    if outcome == "slower":
        return SLOWER
    if outcome == "not measured":
        return SKIP if bisecting else UNFIT
    return SKIP if bisecting and outcome == "not resolved" else 0
