"""`speedup worker`: loads a server from this machine for a `run` on another one."""

from __future__ import annotations

from speedup.arguments import path

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("--master", required=True, metavar="HOST[:PORT]", help="machine that runs the server")
    parser.add_argument(
        "--token-file",
        type=path,
        metavar="FILE",
        help="token that `run` created, - reads it from stdin (default: fleet.token here, else in the cache)",
    )
    parser.add_argument("--name", help="this machine's name in the report (default: its host name)")
    parser.add_argument(
        "--target",
        action="append",
        default=[],
        metavar="HOST",
        help="another host that may be loaded from here (default: only the master's)",
    )
    parser.add_argument(
        "--locustfile", type=path, metavar="FILE", help="this machine's copy of the locustfile that the matrix names"
    )
    parser.add_argument("--install", action="store_true", help="install wrk and Locust first, if permitted")


def act(arguments: argparse.Namespace) -> int:
    """Be a client machine of a fleet until ended."""
    from pathlib import Path

    from runners.loads.fleet.master.session import parse_address, token_file
    from runners.loads.fleet.worker import joining

    host, port = parse_address(arguments.master)
    copied = Path("fleet.token")
    options = joining.WorkerOptions(
        host=host,
        port=port,
        token_file=arguments.token_file or (copied if copied.exists() else token_file()),
        name=arguments.name,
        targets=tuple(arguments.target),
        install=arguments.install,
        locustfile=arguments.locustfile,
    )
    joining.work(options)
    return 0
