"""Whether two runs agree: on the direction of every verdict that both resolved.

    python -m benchmarks.agreement results/ONE results/OTHER

Rows are matched by table, name, cell and load; duets by their cells. A verdict is resolved if it is faster, slower,
cheaper, costlier or equivalent. Two of them disagree if one says better and the other worse. Printed are the verdicts
that disagree, those whose intervals lie apart though they agree, and how many each run resolved. The exit code is 1 if
two verdicts disagree, and 3 if the runs have no resolved verdict in common.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from reports.changes.reproduced import DIRECTIONS, apart
from reports.forms.answers import ComparisonData, RunData, run_data
from reports.forms.recipe import comparisons
from reports.forms.summary import summaries
from runners.errors import NothingSelected, SpeedupError
from runners.records.folder import read_folder

Verdicts = Mapping[tuple[str, ...], ComparisonData]


@dataclass(frozen=True)
class Agreement:
    """What two runs say of the same rows."""

    one: Verdicts
    other: Verdicts

    @property
    def common(self) -> tuple[tuple[str, ...], ...]:
        """Return the rows that both runs compare."""
        return tuple(name for name in self.one if name in self.other)

    @property
    def resolved(self) -> tuple[tuple[str, ...], ...]:
        """Return the rows whose verdict both runs resolved."""
        return tuple(name for name in self.common if is_resolved(self.one[name]) and is_resolved(self.other[name]))

    @property
    def opposed(self) -> tuple[tuple[str, ...], ...]:
        """Return the rows that one run calls better and the other worse."""
        return tuple(name for name in self.resolved if _direction(self.one[name]) * _direction(self.other[name]) < 0)

    @property
    def apart(self) -> tuple[tuple[str, ...], ...]:
        """Return the rows whose intervals do not meet, though the verdicts do not oppose each other."""
        return tuple(
            name for name in self.resolved if name not in self.opposed and _apart(self.one[name], self.other[name])
        )


def is_resolved(comparison: ComparisonData) -> bool:
    """Return whether a comparison has a verdict that says something."""
    return comparison.verdict in DIRECTIONS


def _direction(comparison: ComparisonData) -> int:
    return DIRECTIONS.get(comparison.verdict or "", 0)


def _apart(one: ComparisonData, other: ComparisonData) -> bool:
    return one.figure == other.figure and apart((one.low, one.high), (other.low, other.high))


def verdicts(run: RunData) -> dict[tuple[str, ...], ComparisonData]:
    """Return each comparison of a run by what it is about."""
    return dict(comparisons(run))


def read(path: Path) -> Verdicts:
    """Return the verdicts of a run folder."""
    (summary,) = summaries([read_folder(path)])
    return verdicts(run_data(summary))


def lines(agreement: Agreement) -> Iterator[str]:
    """Yield what two runs agree and disagree on."""
    for word, names in (("DISAGREE", agreement.opposed), ("apart", agreement.apart)):
        for name in names:
            yield f"{word}: {name[0]}: {name[1]}: {_said(agreement.one[name])}; {_said(agreement.other[name])}"
    for word, found in (("first", agreement.one), ("second", agreement.other)):
        count = sum(map(is_resolved, found.values()))
        yield f"the {word} run resolved {count} of {len(found)} comparisons ({_share(count, len(found))})"
    both, opposed = len(agreement.resolved), len(agreement.opposed)
    yield f"both resolved {both} of {len(agreement.common)} in common, and disagree on the direction of {opposed}"


def _said(comparison: ComparisonData) -> str:
    interval = f"{comparison.low:.3f} to {comparison.high:.3f}" if comparison.low and comparison.high else "no interval"
    return f"{comparison.verdict} ({interval}, {comparison.basis})"


def _share(count: int, total: int) -> str:
    return f"{count / total * 100:.0f} %" if total else "none"


def main() -> int:
    """Compare two runs, print what was found, and return whether they disagree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs=2, type=Path, metavar="RUN", help="run folders")
    try:
        agreement = Agreement(*map(read, parser.parse_args().runs))
    except SpeedupError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print("\n".join(lines(agreement)))
    return 1 if agreement.opposed else 0 if agreement.resolved else NothingSelected.exit_code


if __name__ == "__main__":
    sys.exit(main())
