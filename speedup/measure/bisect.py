"""`speedup bisect`: finds the first commit between two revisions that made the server slower."""

from __future__ import annotations

import argparse

from speedup.arguments import duration
from speedup.measure.compare import add_measuring, add_recipe, bound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from speedup.comparing.bisecting import Found, Tried

BUDGET_S = 30.0
UNRESOLVED = 4
EXAMPLES = """\
examples:
  speedup bisect v1.0 HEAD --build 'make' --run './server --port={port}'
  speedup bisect v1.0 HEAD --only my-server              as its matrix says
  speedup bisect v1.0 HEAD --run './server' --fail-slower p99:10%

exit codes: 0 the commit was found; 2 bad input, or BAD is not slower than GOOD; 4 commits that could not be judged are
            in the way; 130 interrupted
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    parser.add_argument("good", metavar="GOOD", help="revision that is fast enough: an ancestor of BAD")
    parser.add_argument("bad", metavar="BAD", help="later revision that is slower")
    parser.add_argument(
        "--fail-slower",
        type=bound,
        metavar="[FIGURE:]SHARE",
        help="slowdown from which on a commit is bad, as for compare (default: half of BAD's, in CPU per request)",
    )
    parser.add_argument(
        "--budget",
        type=duration,
        metavar="TIME",
        default=BUDGET_S,
        help="load for each commit at most; it ends early once it is resolved (default: 30s)",
    )
    add_recipe(parser.add_argument_group("build", "each commit is checked out and built in the cache, beside GOOD"))
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_measuring(parser)


def act(arguments: argparse.Namespace) -> int:
    """Print a line for each commit, and the answer."""
    import json

    from reports.view.words import clean
    from runners.run.alone import alone_on_machine
    from speedup.comparing.bisecting import bisect
    from speedup.messages import log

    with alone_on_machine():
        found = bisect(arguments, lambda line: log.info(line) if arguments.json else print(clean(line), flush=True))
    if arguments.json:
        print(json.dumps(data_of(found), indent=1))
    else:
        print(clean(found.sentence))
    return 0 if found.culprit else UNRESOLVED


def data_of(found: Found) -> dict[str, object]:
    """Return the answer as data; what is not known is null."""
    return {
        "schema": "speedup.bisect/1",
        "sentence": found.sentence,
        "good": found.good,
        "figure": found.aim.figure,
        "mode": found.aim.place.mode,
        "request": found.aim.place.request,
        "limit": found.aim.limit,
        "culprit": _tried(found.culprit) if found.culprit else None,
        "suspects": list(found.suspects),
        "tried": [_tried(each) for each in found.tried],
    }


def _tried(each: Tried) -> dict[str, object]:
    slowdown, interval = each.slowdown, each.slowdown.interval if each.slowdown else None
    return {
        "commit": each.commit,
        "subject": each.subject,
        "verdict": each.told,
        "why": each.why,
        "slowdown": slowdown.value if slowdown else None,
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "level": interval.level if interval else None,
        "blocks": slowdown.count if slowdown else 0,
        "runs": list(each.runs),
    }
