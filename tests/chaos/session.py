"""A command of ours at work: plainly, with its words in files, or on a terminal that can be closed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import signal
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

LOOK_S = 0.002
CTRL_C = b"\x03"


class Session:
    """A process that was started, until its end."""

    def __init__(
        self, argv: Sequence[str], cwd: Path, env: Mapping[str, str], log: Path, *, on_terminal: bool = False
    ) -> None:
        self.argv, self.log, self.master = list(argv), log, -1
        self._shown = bytearray()
        if on_terminal:
            self._begin_on_terminal(cwd, env)
            return
        with log.with_suffix(".out").open("wb") as out, log.with_suffix(".err").open("wb") as err:
            self.process = subprocess.Popen(
                self.argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err, process_group=0
            )

    def _begin_on_terminal(self, cwd: Path, env: Mapping[str, str]) -> None:
        self.master, theirs = pty.openpty()
        os.set_blocking(self.master, False)

        def begin() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            self.argv, cwd=cwd, env={**env, "TERM": "xterm"}, stdin=theirs, stdout=theirs, stderr=theirs,
            start_new_session=True, preexec_fn=begin,  # noqa: PLW1509 - one thread
        )  # fmt: skip
        os.close(theirs)

    @property
    def pid(self) -> int:
        """Return the pid of the command."""
        return self.process.pid

    @property
    def code(self) -> int | None:
        """Return the exit code, negative for a signal; None while it runs."""
        self._drain()
        return self.process.poll()

    @property
    def said(self) -> str:
        """Return what it said on stderr, or on its terminal."""
        self._drain()
        file = self.log.with_suffix(".err")
        said = file.read_bytes() if file.exists() else bytes(self._shown)
        return said.decode("utf-8", "replace")

    @property
    def heeds_signals(self) -> bool:
        """Return whether our own handlers are installed; before that, Python itself answers a signal."""
        with contextlib.suppress(OSError, StopIteration):
            lines = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8").splitlines()
            caught = int(next(line for line in lines if line.startswith("SigCgt")).split()[1], 16)
            return bool(caught >> (signal.SIGTERM - 1) & 1)
        return False

    def _drain(self) -> None:
        with contextlib.suppress(OSError):
            while self.master >= 0 and (data := os.read(self.master, 65536)):
                self._shown += data

    def until(self, what: Callable[[], bool], limit_s: float) -> bool:
        """Wait until something is true; return whether that was before the end, and in time."""
        deadline = time.monotonic() + limit_s
        while self.code is None and time.monotonic() < deadline:
            if what():
                return True
            time.sleep(LOOK_S)
        return False

    def wait(self, limit_s: float) -> bool:
        """Wait for the end; return whether it came in time."""
        self.until(lambda: False, limit_s)
        return self.code is not None

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the command alone."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def send_to_group(self, number: signal.Signals) -> None:
        """Send a signal to the command's process group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def press_ctrl_c(self) -> None:
        """Press Ctrl-C on its terminal."""
        with contextlib.suppress(OSError):
            os.write(self.master, CTRL_C)

    def close_terminal(self) -> None:
        """Close the terminal, as a window or a connection that goes away."""
        self._drain()
        if self.master >= 0:
            os.close(self.master)
            self.master = -1

    def close(self) -> None:
        """End it, if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.close_terminal()
