"""The options that say what to ask a server that is started to learn about it, and what was learned, in a line."""

from __future__ import annotations

from speedup.arguments import duration, status

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from runners.matrix.starter.learned import Launch, Learned
    from runners.server.learning.learner import Wanted


def add_question(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Add the options to a command."""
    parser.add_argument("--path", help="path to request (default: /)")
    parser.add_argument(
        "--status", type=status, metavar="N", help="status that is right (default: any from 200 to 299)"
    )
    parser.add_argument(
        "--timeout", type=duration, metavar="TIME", help="how long it may take to start and answer (default: 60s)"
    )


def wanted_of(arguments: argparse.Namespace, body: str | None = None) -> Wanted:
    """Return what the options ask for."""
    from runners.matrix.starter.writing import check_path
    from runners.server.learning.learner import Wanted

    path = arguments.path or "/"
    check_path(path)
    return Wanted(path, arguments.status, body, arguments.timeout or Wanted.timeout_s)


def where(launch: Launch, learned: Learned) -> str:
    """Return how fast it started and how it is told its port, in words."""
    if launch.port is not None:
        port = f"always listens on port {launch.port}"
    elif "PORT" in launch.env and not any("{port}" in word for word in launch.run):
        port = "reads its port from PORT"
    else:
        port = "listens where it is told"
    return f"answered {learned.ready_s:.1f} s after its start, {port}"


def answer(learned: Learned) -> str:
    """Return what it answered, in a line."""
    from runners.matrix.requests.request import shown
    from runners.units import plural

    body = learned.bodies[0]
    first = body.strip().splitlines()[0] if body.strip() else b""
    kind = learned.content_type or "no content type"
    return f"{learned.method} {learned.path}: {learned.status}, {kind}, {plural(len(body), 'byte')}: {shown(first)}"


def expected(learned: Learned) -> str:
    """Return what is expected of each answer, and how it can be loaded."""
    from runners.matrix.starter.expecting import in_words

    modes = " and ".join(learned.modes)
    why = f" ({learned.why_no_more})" if learned.why_no_more else ""
    return f"each answer must be {in_words(learned.expect)}; connections: {modes}, {learned.connections} at once{why}"
