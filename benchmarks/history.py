"""How long the page of a long history takes, and how large it is.

    python -m benchmarks.history
    python -m benchmarks.history --entries 500

The entries are made-up comparisons of seven figures in two modes each, like those that `speedup compare --append`
writes. Printed are the seconds from the file to the page, without Python's start, and the page's size. The exit code
is 1 if a budget is exceeded.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from reports.changes.change import change_of
from reports.changes.change_words import sentences
from reports.changes.history import entry_of_change
from reports.forms.history import History, history, read_lines, render_history, to_line
from tests.support.changes import Truth, comparison

BUDGET_S, BUDGET_BYTES = 5.0, 2_000_000  # for 500 entries, on an idle machine
KINDS = 5  # of different comparisons


def many_comparisons(count: int) -> History:
    """Return a history of so many comparisons, which differ in their CPU time."""
    made = [
        comparison(Truth(seed=seed, cpu=1 + seed / 50, modes=("persistent", "non-persistent"))) for seed in range(KINDS)
    ]
    changes = [change_of([folder]) for folder in made]
    kinds = [
        entry_of_change(change, folder.run, sentences(change)) for change, folder in zip(changes, made, strict=True)
    ]
    began = datetime(2026, 1, 1, tzinfo=UTC)
    stamps = ((began + timedelta(hours=number)).isoformat() for number in range(count))
    return history("made up", (replace(kinds[number % KINDS], at=at) for number, at in enumerate(stamps)))


def main() -> int:
    """Measure once, print the cost, and return whether it is within the budgets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=500, metavar="N", help="how many comparisons (default: 500)")
    count = parser.parse_args().entries
    lines = [to_line(entry) for entry in many_comparisons(count).entries]
    began = time.monotonic()
    page = render_history(read_lines("made up", lines)).encode()
    took_s = time.monotonic() - began
    print(f"{count} entries, {sum(map(len, lines)):,} bytes: a page of {len(page):,} bytes in {took_s:.1f} s")
    return 0 if took_s <= BUDGET_S and len(page) <= BUDGET_BYTES else 1


if __name__ == "__main__":
    sys.exit(main())
