"""`speedup check`: the honesty gates for servers of the matrix, or for any server at an address."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from runners.errors import BadInput
from runners.honesty import gates
from runners.honesty.examiner import Examiner
from runners.honesty.gates import Target
from runners.loads import LOADS
from runners.plan.planning import Plan, layouts
from runners.records.run import BuildInfo, Gate, Honesty
from runners.run.preparing import build, build_context, programs_of

Say = Callable[[str], None]

_ROW = re.compile(r"(?P<variant>[^@/]+)@(?P<threads>[0-9]+)")


def is_url(word: str) -> bool:
    """Return whether a word names an address rather than a server of the matrix."""
    return "://" in word


def cell_glob(word: str) -> str:
    """Return the glob of a word that may be written like a table's row: "go@4" is "go/t4"."""
    match = _ROW.fullmatch(word)
    return f"{match['variant']}/t{match['threads']}" if match else word


def check_url(url: str, class_: str, body: str, *, remote: bool) -> Honesty:
    """Ask a server that runs somewhere; BadInput where the address cannot be used."""
    parts, port = _address(url)
    host = parts.hostname or ""
    if not remote and not _is_loopback(url, host):
        raise BadInput(
            f"{url} is not on this machine. The gates open 1,100 connections and send garbage: add --allow-remote if"
            " that server is yours"
        )
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    with gates.many_files():
        found = gates.examine(Target(host, port, path, os.fsencode(body)), class_)
    return Honesty(url, 1, class_, found)


def _address(url: str) -> tuple[SplitResult, int]:
    """Return the parts of an address and its port; BadInput where it is none."""
    try:
        parts = urlsplit(url)
        port = 80 if parts.port is None else parts.port
    except ValueError as error:
        raise BadInput(f"{url}: {error}; write an address such as http://127.0.0.1:8080/") from error
    plain = url.isascii() and url.isprintable() and " " not in url
    if parts.scheme != "http" or not parts.hostname or not port or not plain:
        raise BadInput(f"{url}: write an address such as http://127.0.0.1:8080/")
    return parts, port


def _is_loopback(url: str, host: str) -> bool:
    try:
        addresses = {info[4][0] for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError) as error:
        raise BadInput(f"{url}: no address of '{host}' is known ({error})") from error
    return all(ipaddress.ip_address(address).is_loopback for address in addresses)


def check_servers(plan: Plan, say: Say) -> tuple[Honesty, ...]:
    """Build and start each variant of a plan, and ask it."""
    plan = _without_load(plan)
    with tempfile.TemporaryDirectory(prefix="speedup-check-") as name:
        context = build_context(plan, Path(name))
        broken = {name: info for name, info in build(plan, context).items() if info.status == "failed"}
        examiner = Examiner(
            programs_of(plan, context), layouts(plan), context.folder, context.tool_versions, cache=None
        )
        cells = [cell for cell in plan.measurable if cell.program.name not in broken]
        asked = examiner.examine(cells, lambda honesty: say(line_of(honesty)))
    classes = {cell.program.name: cell.program.class_ for cell in plan.measurable}
    return (*asked, *(_not_built(info, classes[name]) for name, info in broken.items()))


def _without_load(plan: Plan) -> Plan:
    """Return the plan with the cells that lack nothing but the load generator, which asking does not take."""
    lacking = (LOADS[plan.load].tool,)
    cells = (replace(each, status="planned", lacks=()) if each.lacks == lacking else each for each in plan.cells)
    return replace(plan, cells=tuple(cells))


def _not_built(info: BuildInfo, class_: str) -> Honesty:
    saw = info.output_tail[-500:].strip() or "no output"
    return Honesty(
        info.variant, 1, class_, (Gate("build", "It can be built.", required=True, outcome="fail", saw=saw),)
    )


def line_of(honesty: Honesty) -> str:
    """Return in a line what became of a server."""
    name = f"{honesty.variant}, {honesty.threads} {'thread' if honesty.threads == 1 else 'threads'}, {honesty.class_}"
    if honesty.failed:
        return f"{name}: fails {', '.join(gate.id for gate in honesty.failed)}"
    done = sum(gate.outcome == "pass" for gate in honesty.gates)
    others = "; the others are not asked of it or cannot be told" if done < len(honesty.gates) else ""
    return f"{name}: passes ({done} of {len(honesty.gates)} gates{others})"


def as_json(found: Iterable[Honesty]) -> list[dict[str, Any]]:
    """Return what the gates said as plain data."""
    return [{**asdict(honesty), "passed": not honesty.failed} for honesty in found]


def print_tables(found: Sequence[Honesty]) -> None:
    """Print a table for each server, and what failed below it."""
    console = Console()
    for honesty in found:
        table = Table(title=escape(line_of(honesty)), title_justify="left")
        for column in ("gate", "outcome", "what it demands"):
            table.add_column(column)
        for gate in honesty.gates:
            outcome = gate.outcome if gate.required else f"({gate.outcome})"
            table.add_row(gate.id, outcome, escape(gate.demand))
        console.print(table)
        for gate in honesty.gates:
            if gate.outcome != "pass":
                console.print(escape(explanation(gate)), highlight=False, soft_wrap=True)


def explanation(gate: Gate) -> str:
    """Return what a gate saw, with what was sent and received."""
    lines = [f"{gate.id}{'' if gate.required else ' (not required)'}: {gate.saw}"]
    lines += [f"  sent     {gate.sent}"] if gate.sent else []
    lines += [f"  received {gate.received}"] if gate.received else []
    return "\n".join(lines)
