"""Waits for a moment and becomes another program.

    python starting.py MOMENT_US PROGRAM ARGUMENT...

The moment is one of the monotonic clock. Started ahead of it, so that neither starting Python nor a busy parent
delays the program. Prints when it did, as the first line of the program's output.
"""

from __future__ import annotations

import os
import sys
import time

SPIN_US = 500  # a sleep ends up to this late


def main() -> None:
    """Sleep, then spin, then go."""
    moment_us, *argv = sys.argv[1:]
    early_us = int(moment_us) - SPIN_US - time.monotonic_ns() // 1000
    time.sleep(max(0, early_us) / 1e6)
    while time.monotonic_ns() // 1000 < int(moment_us):
        pass
    os.write(1, f"speedup:started {time.monotonic_ns() // 1000}\n".encode())
    os.execvp(argv[0], argv)  # noqa: S606 - an argument list, as any program is started here


if __name__ == "__main__":
    main()
