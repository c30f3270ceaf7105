"""Makes any server slower by a known share of its own CPU time: `slowing.py 0.02 ./server --port=8080`.

It starts the server as its child and stands for it: it ends as the server ends, and leaves signals to it. Until then it
burns so much CPU time that its own, all overhead included, is the given share of what the server and everything that
the server started have used. It belongs to the server's process tree, so what it burns is counted as the server's. The
program itself is not touched, so this works for static ones, too. With a share of 0 it only waits.

It runs by its path, as what is measured, and so imports nothing of this project.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

CYCLE_S = 0.02  # about ten of them in the shortest window
MOST_CYCLE_S = 0.2
LOOK_S = 0.1  # for processes that the server started since
PROCESS_CLOCK = 2  # of another process, as the kernel numbers them: its exact CPU time
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
LEFT_TO_IT = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)


def tree(pid: int) -> Iterator[int]:
    """Yield a process and all that it started, as far as it still belongs to it."""
    yield pid
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                for child in (thread / "children").read_text("ascii").split():
                    yield from tree(int(child))


def used_s(pids: tuple[int, ...]) -> float:
    """Return the CPU time of processes and of their children that have ended, in seconds."""
    return sum(_used_s(pid) for pid in pids)


def _used_s(pid: int) -> float:
    with suppress(OSError, IndexError, ValueError):
        exact_s = time.clock_gettime((~pid << 3) | PROCESS_CLOCK)
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        return exact_s + (int(fields[13]) + int(fields[14])) * TICK_S
    return 0.0


def slow(server: subprocess.Popen[bytes], share: float) -> None:
    """Burn a share of the server's CPU time until it ends."""
    pids, looked = tuple(tree(server.pid)), time.monotonic()
    began_s, own_began_s, cycle_s, most_s = used_s(pids), time.process_time(), CYCLE_S, 0.0
    while server.poll() is None:
        if time.monotonic() - looked > LOOK_S:
            pids, looked = tuple(tree(server.pid)), time.monotonic()
        most_s = max(most_s, used_s(pids) - began_s)  # less if something has ended and is not yet counted as that
        ahead_s = time.process_time() - own_began_s - share * most_s
        cycle_s = min(MOST_CYCLE_S, 2 * cycle_s) if ahead_s > 0 else CYCLE_S
        while time.process_time() - own_began_s < share * most_s:
            pass
        time.sleep(cycle_s)


def main() -> int:
    """Start the server, burn, and end as it ends."""
    share, command = float(sys.argv[1]), sys.argv[2:]
    server = subprocess.Popen(command)
    for number in LEFT_TO_IT:
        signal.signal(number, lambda *_: None)
    if share > 0:
        slow(server, share)
    code = server.wait()
    if code < 0:  # by a signal: end by the same one
        signal.signal(-code, signal.SIG_DFL) if -code not in {signal.SIGKILL, signal.SIGSTOP} else None
        os.kill(os.getpid(), -code)
    return code


if __name__ == "__main__":
    sys.exit(main())
