"""A signal during a run is never lost, wherever Python is."""

from __future__ import annotations

import os
import signal
import time

import pytest

from runners.errors import Interrupted
from runners.run.interruption import signals


class Swallowing:
    """Python swallows what is raised when it is deleted, as it does around a fork."""

    def __del__(self) -> None:
        """Get a signal just then."""
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0)


def test_a_signal_that_python_swallows_comes_again(capfd: pytest.CaptureFixture[str]) -> None:
    """Soon, although nobody checks, and without a traceback on the terminal."""
    with signals():
        swallowing = Swallowing()
        with pytest.raises(Interrupted, match="SIGINT"):  # noqa: PT012 - the first one is swallowed
            del swallowing
            time.sleep(10)
    assert capfd.readouterr().err == ""
