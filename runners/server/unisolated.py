"""A server whose processes another program starts, as a container's or sudo's: found by the port on which they listen.

It runs in the host's network. What listens there is watched and bound to the server's CPUs, as far as that is allowed,
and ended with the command that started it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Mapping

import psutil

from runners.matrix.cells import Cell
from runners.server.process import HOST, Logs, Programs, ServerProcess, TrialFailed
from runners.system import kernel
from runners.system.machine import Layout
from runners.system.processes import Stopped

# They pass on to a network of their own what arrives, so their CPU time is not the server's.
FORWARDERS = ("docker-proxy", "rootlessport", "slirp4netns", "pasta", "conmon")
FIND_TIMEOUT_S = 2.0
END_TIMEOUT_S = 5.0
LOOK_AGAIN_S = 0.05


class UnisolatedServer(ServerProcess):
    """The command of such a server, and the process that listens once it is ready."""

    listener: int | None = None
    in_namespace = False  # of what another program starts, the kernel would end nothing there

    @property
    def pid(self) -> int:
        """Return the process that listens; before it is known, that of the command."""
        return self.listener or self.process.pid

    def _start(self, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
        if holders := kernel.holders(self.port):
            raise TrialFailed(f"port {self.port} is in use by process {holders[0]}; end it, or use another", self.cell)
        return super()._start(env)

    def _is_alive(self) -> bool:
        """Return whether it may still answer: the command may end well and leave the server behind."""
        return self.process.poll() in {None, 0} and not self.exceeds()

    def _check_own_port(self) -> None:
        """Find the process that listens, and bind it to the server's CPUs; raise TrialFailed if it cannot be seen."""
        deadline = time.monotonic() + FIND_TIMEOUT_S
        while not (holders := kernel.holders(self.port)):
            if time.monotonic() >= deadline:
                raise TrialFailed(
                    f"port {self.port} is answered, but no process can be seen that listens there, so its CPU time is"
                    " unknown: run as root, and outside of virtual machines",
                    self.cell,
                )
            time.sleep(LOOK_AGAIN_S)
        self.listener = next((pid for pid in holders if _parent(pid) not in holders), holders[0])
        if (name := _name(self.listener)) in FORWARDERS:
            raise TrialFailed(
                f"port {self.port} is held by {name}, which only passes on what arrives, so the server's CPU time is"
                " unknown: start the container with --network host",
                self.cell,
            )
        self._bind()

    def _bind(self) -> None:
        for pid in kernel.tree(self.pid):
            for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - numbers, not paths
                with contextlib.suppress(OSError):  # it has ended, or belongs to somebody else
                    os.sched_setaffinity(int(thread), self.layout.server)

    def end(self) -> str | None:
        """Return how what listens ended, whatever became of the command; None as long as it runs."""
        if self.listener is None:
            return super().end()
        return None if psutil.pid_exists(self.listener) else "nobody knows how"

    def stop(self) -> Stopped:
        """Stop the command, then what still listens: the port was free before the command ran."""
        stopped = super().stop()
        left = [psutil.Process(pid) for pid in kernel.holders(self.port)] if self.listener else []
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.terminate()
        _, stubborn = psutil.wait_procs(left, END_TIMEOUT_S)
        for process in stubborn:
            with contextlib.suppress(psutil.Error):
                process.kill()
        return stopped


def _parent(pid: int) -> int:
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).ppid()
    return 0


def _name(pid: int) -> str:
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).name()
    return ""


def server_process(
    cell: Cell, layout: Layout, programs: Programs, logs: Logs, port: int, host: str = HOST
) -> ServerProcess:
    """Start a server as its table says, in the network in which this process is now."""
    kind = ServerProcess if cell.program.isolate else UnisolatedServer
    return kind(cell, layout, programs, logs, port, host)
