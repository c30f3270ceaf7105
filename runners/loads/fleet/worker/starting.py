"""Waits for a moment and becomes another program.

    python starting.py MOMENT_US PROGRAM ARGUMENT...

The moment is a time of the monotonic clock. This program is started ahead of it, so that neither Python's start nor a
busy parent delays PROGRAM. It prints the actual time as the first line of the output.
"""

from __future__ import annotations

import os
import sys
import time

SPIN_US = 500  # a sleep may end this much too late


def main() -> None:
    """Sleep, spin, and become the program."""
    moment_us, *argv = sys.argv[1:]
    early_us = int(moment_us) - SPIN_US - time.monotonic_ns() // 1000
    time.sleep(max(0, early_us) / 1e6)
    while time.monotonic_ns() // 1000 < int(moment_us):
        pass
    os.write(1, f"speedup:started {time.monotonic_ns() // 1000}\n".encode())
    os.execvp(argv[0], argv)  # noqa: S606 - an argument list, as any program is started here


if __name__ == "__main__":
    main()
