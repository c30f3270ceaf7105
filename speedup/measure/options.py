"""The options that say what is measured, which `plan` and `run` share."""

from __future__ import annotations

from speedup.arguments import add_globs, add_matrix, duration
from speedup.measure.servers import add_servers, text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from runners.plan.planning import Options


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options to a command."""
    add_matrix(parser)
    add_servers(parser)
    parser.add_argument(
        "--preset", metavar="NAME", help="how long to measure: quick, thorough or another of the matrix"
    )
    parser.add_argument("--machine", metavar="NAME", help="machine profile to use instead of the one that matches")
    parser.add_argument("--load", metavar="KIND", help="load generator (default: wrk if it is installed, else locust)")
    add_globs(parser, "--only", "measure only matching cells, such as 'epoll*/t2/*'")
    add_globs(parser, "--skip", "leave out matching cells")
    add_globs(parser, "--group", "measure only servers of matching groups")
    parser.add_argument(
        "--duet",
        nargs=2,
        metavar=("A", "B"),
        help="measure only A and B, at the same moment, and compare their CPU cost",
    )
    parser.add_argument("--budget", type=duration, metavar="TIME", help="stop after this much load, such as 10m")
    parser.add_argument("--seed", type=int, metavar="N", help="seed of the random order (default: a new one)")


def options_of(arguments: argparse.Namespace) -> Options:
    """Return what the options ask for."""
    from runners.matrix.cells import Selection
    from runners.plan.planning import Options

    return Options(
        matrix=arguments.matrix,
        text=text_of(arguments),
        preset=arguments.preset,
        machine=arguments.machine,
        load=arguments.load,
        selection=Selection(tuple(arguments.only), tuple(arguments.skip), tuple(arguments.group)),
        seed=arguments.seed,
        duet=tuple(arguments.duet) if arguments.duet else None,
        budget_s=arguments.budget,
        clients=getattr(arguments, "expect_workers", None) or 0,
    )
