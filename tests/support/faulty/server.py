"""The self-test's server with the faults, the delays and the stalls that only tests want; PYTHONPATH finds it."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping

from runners.selftest.fakes.server import FAULTS, Server, answer


class WrongBody(Server):
    """Answers another body."""

    def reply(self, *, close: bool) -> bytes:
        """Return it."""
        return answer(b"Hello Mars!", close=close)


class DiesLater(Server):
    """Crashes once it is under load."""

    def serve(self, connection: socket.socket, *, close: bool) -> None:
        """Answer, but for the last time."""
        super().serve(connection, close=close)
        if self.later:
            os.kill(os.getpid(), signal.SIGSEGV)


class LeavesChild(Server):
    """Starts a child in a session of its own."""

    def prepare(self) -> None:
        """Start it."""
        super().prepare()
        subprocess.Popen(["sleep", "600"], start_new_session=True)


class Escapes(Server):
    """Starts a child that detaches itself and forgets its environment, and one that changes its pid all the time."""

    def prepare(self) -> None:
        """Start both; their command lines say for which run."""
        super().prepare()
        word = f"escapes-{os.environ['XDG_CACHE_HOME']}"
        subprocess.Popen([sys.executable, "-c", DETACHES, word], env={})
        subprocess.Popen([sys.executable, "-c", HOPS, word], env={})


DETACHES = """
import os, sys
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execve(sys.executable, [sys.executable, "-c", "import time; time.sleep(600)", sys.argv[1]], {})
    os._exit(0)
"""
HOPS = """
import os, time
os.setsid()
while True:
    time.sleep(0.004)
    if os.fork() != 0:
        os._exit(0)
"""


class Hungry(Server):
    """Uses more and more memory once it is under load."""

    def serve(self, connection: socket.socket, *, close: bool) -> None:
        """Answer, and keep 4 MiB that are really used, so that some 50 answers are too many on any machine."""
        super().serve(connection, close=close)
        if self.later:
            HOARD.append(b"x" * (4 << 20))


HOARD: list[bytes] = []


class Forks(Server):
    """Has ever more children once it is under load."""

    def serve(self, connection: socket.socket, *, close: bool) -> None:
        """Answer, and have another one."""
        super().serve(connection, close=close)
        if self.later and os.fork() == 0:
            time.sleep(600)


class Prints(Server):
    """Prints much more than anybody reads, before it listens and under load."""

    def prepare(self) -> None:
        """Print 300 MB."""
        for _ in range(300):
            os.write(1, LINES)
        super().prepare()

    def serve(self, connection: socket.socket, *, close: bool) -> None:
        """Answer, and print 100 KB."""
        super().serve(connection, close=close)
        os.write(1, LINES[:100_000])


LINES = b"I have something to say. \n" * 40_000


class NeverListens(Server):
    """Does something else."""

    def __init__(self, *_: object) -> None:
        print("thinking", flush=True)
        time.sleep(600)


class Exits(Server):
    """Ends before it listens."""

    def __init__(self, *_: object) -> None:
        sys.exit("faulty: no configuration")


class Pace(Server):
    """Takes so long for each request, and loses so much of every second."""

    delay_s = 0.0
    stall_s = 0.0
    stalls_at_s = 1.0

    def serve(self, connection: socket.socket, *, close: bool) -> None:
        """Answer, after a while."""
        time.sleep(self.delay_s)
        super().serve(connection, close=close)

    def turn(self, at_s: float) -> None:
        """Stall when it is due."""
        super().turn(at_s)
        if self.stall_s and at_s >= self.stalls_at_s:
            time.sleep(self.stall_s)
            self.stalls_at_s += 1


KINDS: Mapping[str, type[Server]] = FAULTS | {
    "wrong-body": WrongBody,
    "dies-later": DiesLater,
    "leaves-child": LeavesChild,
    "escapes": Escapes,
    "hungry": Hungry,
    "forks": Forks,
    "prints": Prints,
    "never-listens": NeverListens,
    "exits": Exits,
}
USUAL_DELAY_S = 0.0005  # so that neither the server nor its client takes a whole CPU


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--fault", choices=sorted(KINDS), default="none")
    parser.add_argument("--delay-s", type=float, default=USUAL_DELAY_S)
    parser.add_argument("--stall-s", type=float, default=0.0)
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    Pace.delay_s, Pace.stall_s = options.delay_s, options.stall_s
    kind = KINDS[options.fault]
    paced: type[Server] = type(kind.__name__, (Pace, kind), {})
    paced(options.port).run()


if __name__ == "__main__":
    main()
