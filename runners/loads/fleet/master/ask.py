"""A trial's command for a fleet: passes one order to the master, waits, and prints the answer as one line.

    python -m runners.loads.fleet.master.ask SOCKET ORDER

ORDER is JSON. If this program is stopped, so is the order.
"""

from __future__ import annotations

import socket
import sys


def ask(path: str, order: str) -> str:
    """Return the master's answer to an order, a line of JSON; raise OSError if there is no master."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        connection.sendall(order.encode() + b"\n")
        with connection.makefile("r", encoding="utf-8") as lines:
            return lines.readline().strip()


def main() -> int:
    """Pass on the order and print the answer; return the exit code."""
    path, order = sys.argv[1:]
    try:
        answer = ask(path, order)
    except OSError as error:
        sys.stderr.write(f"the fleet's master does not answer: {error}\n")
        return 1
    sys.stdout.write(f"speedup:fleet {answer}\n")
    return 0 if answer else 1


if __name__ == "__main__":
    sys.exit(main())
