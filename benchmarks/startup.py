"""How long the command line takes to answer: --help, --version, a misspelt option, and `plan` on our own matrix.

    python -m benchmarks.startup
    python -m benchmarks.startup --rounds 50

Each round starts a bare Python (`python -c pass`) and then each command, so that whatever slows the machine down slows
all of them. This prints the median and the fastest time of each process, and the median of how much longer it took than
the bare Python of its round. The exit code is 1 if a command's median is above its target. The bare Python takes 10 to
20 ms on an idle machine; if it takes longer here, try again later.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PASS = (sys.executable, "-c", "pass")


@dataclass(frozen=True)
class Command:
    """A command, its exit code, and how long its process may take."""

    words: tuple[str, ...]
    code: int
    target_ms: float

    @property
    def argv(self) -> tuple[str, ...]:
        """Return the command line that starts it."""
        return (sys.executable, "-m", "speedup", *self.words)


COMMANDS = (
    Command(("--help",), 0, 100),
    Command(("--version",), 0, 100),
    Command(("plan", "--perset"), 2, 100),
    Command(("plan",), 0, 500),
)


def took_ms(argv: tuple[str, ...], code: int = 0) -> float:
    """Return how long a process takes from start to end, in milliseconds."""
    began = time.perf_counter()
    ended = subprocess.run(argv, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    took_s = time.perf_counter() - began
    if ended.returncode != code:
        raise RuntimeError(f"{' '.join(argv)} ended with exit code {ended.returncode}, not {code}")
    return took_s * 1000


def measured(rounds: int) -> tuple[list[float], dict[Command, list[float]]]:
    """Return the times of the bare Python and of each command by round, after a first round that fills caches."""
    bare: list[float] = []
    times: dict[Command, list[float]] = {command: [] for command in COMMANDS}
    for _ in range(rounds + 1):
        bare.append(took_ms(PASS))
        for command, found in times.items():
            found.append(took_ms(command.argv, command.code))
    return bare[1:], {command: found[1:] for command, found in times.items()}


def main() -> int:
    """Measure, print, and return 1 if a command is too slow."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="how often each command is started (default: 15)")
    bare, times = measured(parser.parse_args().rounds)
    print(f"{'python -c pass':<22} {statistics.median(bare):5.0f} ms (fastest {min(bare):.0f})")
    slow = False
    for command, found in times.items():
        whole_ms = statistics.median(found)
        more_ms = statistics.median(took - least for took, least in zip(found, bare, strict=True))
        verdict = "ok" if whole_ms <= command.target_ms else "too slow"
        slow |= whole_ms > command.target_ms
        print(
            f"speedup {' '.join(command.words):<14} {whole_ms:5.0f} ms (fastest {min(found):.0f}), {more_ms:.0f} more;"
            f" target {command.target_ms:.0f} ms: {verdict}"
        )
    return int(slow)


if __name__ == "__main__":
    sys.exit(main())
