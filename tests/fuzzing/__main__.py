"""`python -m tests.fuzzing`: fuzzes each reader of foreign input in turn, and ends with 1 if anything was found.

Each target is a hypothesis test. Atheris invents the bytes from which hypothesis makes its examples, and keeps those
that reach new branches; they are the beginning of the next time.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from runners.tools.find import cache_folder
from tests.fuzzing.targets import targets
from tests.support import ROOT

EXECUTED = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
COVERED = re.compile(r"cov: (\d+)")
MARGIN_S = 600  # to begin, to end, and for the last input; a busy machine is no hang
LEAST_S = 1
MOST_LINES = 60  # of what a target that failed printed


@dataclass(frozen=True)
class Fuzzed:
    """What came of one target: how many inputs were executed, the branches that they reached, and what was found."""

    name: str
    executed: int
    covered: int
    finding: str = ""


def main() -> int:
    """Fuzz as the arguments say, and return the exit code."""
    arguments = _arguments()
    chosen = [name for name in targets() if not arguments.only or arguments.only in name]
    if not chosen:
        sys.stderr.write(f"no target has '{arguments.only}' in its name: {', '.join(targets())}\n")
        return 2
    seconds = max(LEAST_S, round(arguments.minutes * 60 / len(chosen)))
    found = [_fuzz(name, seconds) for name in chosen]
    sys.stdout.write(table(found, seconds) + "\n")
    for each in found:
        if each.finding:
            sys.stdout.write(f"\n{each.name}:\n{each.finding}\n")
    return 1 if any(each.finding for each in found) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzzing", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long, all targets together (default: 10)")
    parser.add_argument("--only", metavar="WORDS", help="only targets with this in their name")
    return parser.parse_args()


def _fuzz(name: str, seconds: int) -> Fuzzed:
    """Fuzz a target in a process of its own, which a finding ends."""
    folder = cache_folder() / "fuzz" / name
    folder.mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, "-m", "tests.fuzzing.target", name, str(folder), str(seconds)]
    sys.stderr.write(f"{name}: {seconds} s\n")
    try:
        ended = subprocess.run(
            argv, cwd=ROOT, env=_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=seconds + MARGIN_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        return concluded(name, 1, f"{_text(error.output)}\nit did not end")
    return concluded(name, ended.returncode, _text(ended.stdout))


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONHASHSEED": "0", "NO_COLOR": "1"}


def _text(output: bytes | None) -> str:
    return (output or b"").decode("utf-8", "replace")


def concluded(name: str, code: int, output: str) -> Fuzzed:
    """Return what a target's process says of it. Pure."""
    executed, covered = EXECUTED.findall(output), COVERED.findall(output)
    finding = "" if code == 0 else "\n".join(output.splitlines()[-MOST_LINES:]) or f"it ended with {code}"
    return Fuzzed(name, int(executed[-1]) if executed else 0, int(covered[-1]) if covered else 0, finding)


def table(found: Sequence[Fuzzed], seconds: int) -> str:
    """Return a line for each target. Pure."""
    width = max(len(each.name) for each in found)
    lines = [f"{'target':{width}}  executed  branches  found  ({seconds} s each)"]
    lines += [
        f"{each.name:{width}}  {each.executed:8}  {each.covered:8}  {'yes' if each.finding else 'no':>5}"
        for each in found
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
