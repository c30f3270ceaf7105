"""`speedup check`: the honesty gates for servers of the matrix, or for any server at an address."""

from __future__ import annotations

import re

from runners.units import plural
from speedup.arguments import add_globs, add_json, add_matrix

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence
    from pathlib import Path
    from typing import Any

    from rich.table import Table

    from runners.plan.candidates import Candidates
    from runners.records.run import BuildInfo, Gate, Honesty

TAIL = 500  # characters of a failed build's output


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument(
        "servers", nargs="*", metavar="SERVER|URL", help="servers such as 'epoll*', or http://127.0.0.1:8080/"
    )
    add_matrix(parser)
    add_globs(parser, "--group", "check servers of matching groups")
    parser.add_argument(
        "--class",
        dest="class_",
        choices=("application", "realistic", "stripped"),
        default="realistic",
        help="what the server at a URL claims to be (default: realistic); an application only has to answer rightly",
    )
    parser.add_argument(
        "--body",
        metavar="TEXT",
        help="exact body that the server at a URL answers (default: Hello World; of an application: any)",
    )
    parser.add_argument(
        "--mode",
        choices=("persistent", "non-persistent"),
        help="check the server at a URL only for this connection mode (default: both)",
    )
    parser.add_argument("--allow-remote", action="store_true", help="also check a URL on another machine")
    add_json(parser)


def act(arguments: argparse.Namespace) -> int:
    """Check the servers; 0 only if every server passes all that its class must."""
    from runners.errors import NothingSelected
    from runners.honesty.address import examine_url
    from runners.matrix.model import MODES

    urls = [word for word in arguments.servers if is_url(word)]
    globs = tuple(cell_glob(word) for word in arguments.servers if not is_url(word))
    body = arguments.body if arguments.body is not None or arguments.class_ == "application" else "Hello World"
    modes = (arguments.mode,) if arguments.mode else MODES
    found = [examine_url(url, arguments.class_, body, modes, remote=arguments.allow_remote) for url in urls]
    if globs or arguments.group or not urls:
        found += examine_servers(arguments.matrix, globs, tuple(arguments.group))
    if not found:
        raise NothingSelected("none of these servers can be started here; speedup plan says why")
    if arguments.json:
        import json

        print(json.dumps(honesty_json(found), indent=1))
    else:
        print_tables(found)
    return 1 if any(honesty.failed or honesty.broken for honesty in found) else 0


def is_url(word: str) -> bool:
    """Return whether a word names an address rather than a server of the matrix."""
    return "://" in word


def cell_glob(word: str) -> str:
    """Return the glob of a word that may be written like a table's row: "go@4" is "go/t4"."""
    match = re.fullmatch(r"(?P<variant>[^@/]+)@(?P<threads>[0-9]+)", word)
    return f"{match['variant']}/t{match['threads']}" if match else word


def examine_servers(matrix: Path | None, globs: tuple[str, ...], groups: tuple[str, ...]) -> tuple[Honesty, ...]:
    """Build and start each selected variant of a matrix, and ask it; a run beside it would measure both."""
    from runners.matrix.cells import Selection
    from runners.plan.candidates import find_candidates
    from runners.records.scratch import scratch_folder
    from runners.run.alone import alone_on_machine
    from runners.run.interruption import signals
    from runners.system.processes import end_leftovers, sweep
    from speedup.messages import log

    found = find_candidates(matrix, Selection(globs, group=groups))
    for name, reason in found.lacking.items():
        log.warning(f"{name} is not checked: {reason}")
    with alone_on_machine(), signals(), scratch_folder("speedup-check-") as folder:
        sweep()
        try:
            return _examined(found, folder)
        finally:
            end_leftovers()


def _examined(candidates: Candidates, folder: Path) -> tuple[Honesty, ...]:
    """Build the candidates, ask those that could be built, and count the others as failed."""
    from runners.honesty.examiner import Examiner
    from runners.server import builds
    from runners.server.process import Programs
    from speedup.messages import log

    context = builds.build_context(candidates.root, candidates.host, candidates.tools, folder, candidates.limits)
    programs = {cell.program.name: cell.program for cell in candidates.cells}
    outputs = {name: builds.program_path(program, context) for name, program in programs.items() if program.build}
    infos = builds.build_all(programs.values(), context, lambda _: None)
    broken = {name: info for name, info in infos.items() if info.status == "failed"}
    places = Programs(candidates.root, outputs, context.env, candidates.limits)
    examiner = Examiner(places, candidates.layouts, folder, context.tool_versions, cache=None)
    cells = [cell for cell in candidates.cells if cell.program.name not in broken]
    asked = examiner.examine(cells, lambda honesty: log.info(line_of(honesty)))
    return (*asked, *(_not_built(info, programs[name].class_) for name, info in broken.items()))


def _not_built(info: BuildInfo, class_: str) -> Honesty:
    from runners.records.run import Gate, Honesty

    saw = info.output_tail[-TAIL:].strip() or "no output"
    gate = Gate("build", "It can be built.", required=True, outcome="fail", saw=saw)
    return Honesty(info.variant, 1, class_, (gate,))


def line_of(honesty: Honesty) -> str:
    """Return in a line what became of a server."""
    from runners.records.run import gate_ids

    name = f"{honesty.variant}, {plural(honesty.threads, 'thread')}, {honesty.class_}"
    if honesty.failed:
        causes = {gate.saw for gate in honesty.failed}
        same = f": {causes.pop()}" if len(honesty.failed) > 1 and len(causes) == 1 else ""
        return f"{name}: not honest, fails {gate_ids(honesty.failed)}{same}"
    if honesty.broken:
        return f"{name}: is timed, but not ranked: its class promises {gate_ids(honesty.broken)}"
    done = sum(gate.outcome == "pass" for gate in honesty.gates)
    badges = f"; is timed without {gate_ids(honesty.badges)}" if honesty.badges else ""
    others = "; the others do not apply, or could not be determined" if done < len(honesty.gates) and not badges else ""
    return f"{name}: passes ({done} of {len(honesty.gates)} gates{others}{badges})"


def honesty_json(found: Iterable[Honesty]) -> list[dict[str, Any]]:
    """Return what the gates found as plain data."""
    from dataclasses import asdict

    return [{**asdict(honesty), "passed": not (honesty.failed or honesty.broken)} for honesty in found]


def print_tables(found: Sequence[Honesty]) -> None:
    """Print a table for each server, and below it what each gate saw that was not passed."""
    from speedup.terminal import ResultConsole

    console = ResultConsole()
    for honesty in found:
        console.print(_table(honesty))
        for gate in honesty.gates:
            if gate.outcome != "pass":
                console.print(explanation(gate), soft_wrap=True)


def _table(honesty: Honesty) -> Table:
    from rich.table import Table

    rows = Table("gate", "outcome", "what it demands", title=line_of(honesty), title_justify="left")
    for gate in honesty.gates:
        rows.add_row(gate.id, gate.outcome if gate.required else f"({gate.outcome})", gate.demand)
    return rows


def explanation(gate: Gate) -> str:
    """Return what a gate saw, with what was sent and received."""
    lines = [f"{gate.id}{'' if gate.required else ' (not required)'}: {gate.saw}"]
    lines += [f"  sent     {gate.sent}"] if gate.sent else []
    lines += [f"  received {gate.received}"] if gate.received else []
    return "\n".join(lines)
