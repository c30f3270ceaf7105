"""`speedup selftest`: injects known faults into real trials, and shows whether each was named."""

from __future__ import annotations

import re
import sys
import time
from collections import Counter

from speedup.arguments import add_globs, add_json, path

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from runners.selftest.case import CaseResult
    from speedup.terminal import ResultConsole

SCHEMA = "speedup.selftest/1"
COLOURS = {"passed": "green", "failed": "red", "not run": "yellow"}
WIDTH = 160  # where nothing else says how wide the table may be


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    add_globs(parser, "--only", "run only matching cases, such as 'port*'")
    parser.add_argument("--keep", type=path, metavar="DIR", help="keep the logs of all trials in this folder")
    add_json(parser)


def act(arguments: argparse.Namespace) -> int:
    """Run the cases; 0 only if every fault was named and the healthy server was clean."""
    from runners.run.alone import alone_on_machine
    from runners.selftest.session import passed, run_selftest

    began = time.monotonic()
    with alone_on_machine():
        results = run_selftest(arguments.only, arguments.keep)
    seconds = time.monotonic() - began
    if arguments.json:
        import json

        print(json.dumps(results_json(results, seconds), indent=1))
    else:
        print_results(results, seconds)
    return 0 if passed(results) else 1


def results_json(results: Sequence[CaseResult], seconds: float) -> Mapping[str, Any]:
    """Return the results as plain data; times in seconds."""
    from dataclasses import asdict

    counts = Counter(result.status for result in results)
    return {
        "schema": SCHEMA,
        "cases": [asdict(result) for result in results],
        "passed": counts["passed"],
        "failed": counts["failed"],
        "not_run": counts["not run"],
        "seconds": round(seconds, 1),
    }


def print_results(results: Sequence[CaseResult], seconds: float, console: ResultConsole | None = None) -> None:
    """Print what was injected, who must name it, what was reported, and whether that is right."""
    from rich.text import Text

    from speedup.terminal import ResultConsole, table

    console = console or ResultConsole(width=None if sys.stdout.isatty() else WIDTH)
    rows = table("case", "injected", "must be named by", "verdict", "reported", "", padding=(0, 2, 0, 0))
    for result in results:
        rows.add_row(*_cells(result), Text(result.status, style=COLOURS[result.status]))
    console.print(rows)
    counts = Counter[str](result.status for result in results)
    told = ", ".join(f"{counts[status]} {status}" for status in COLOURS if counts[status])
    console.print(f"{told} in {seconds:.0f} s")


def _cells(result: CaseResult) -> Iterator[str]:
    yield from (result.name, result.truth, result.named_by)
    yield result.verdict or "-"
    lines = [*result.reported, *(f"! {why}" for why in result.why)]
    lines += [f"noise of the machine: {_ids(result.noise)}"] if result.noise else []
    lines += [f"measured again: {_ids(result.retried)}"] if result.retried else []
    yield "\n".join(lines) or "nothing"


def _ids(texts: Sequence[str]) -> str:
    """Return the ids of the checks that texts begin with, each text's own; the whole texts are in the JSON."""
    return "; ".join(" ".join(re.findall(r"\bV\d+\b", text)) for text in texts)
