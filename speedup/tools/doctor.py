"""Says what this machine has and lacks for measuring: its tools, our rights, its processors."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import IO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from runners.matrix.model import Tool
from runners.system.machine import machine_facts
from runners.tools.find import Host, ToolStatus, find_tools, serving, short_version, this_host
from runners.tools.install import install_tools

SCHEMA = "speedup.doctor/1"
COLOURS = {"found": "green", "installable": "yellow", "missing": "red"}
RIGHTS = {
    "root": "root: packages may be installed",
    "sudo": "sudo without a password: packages may be installed",
    "none": "ordinary user: tools are brought into the user's cache",
}
NAMESPACE_DEADLINE_S = 5.0


def doctor_report(tools: Mapping[str, Tool], *, purposes: Collection[str], install: bool, as_json: bool) -> int:
    """Write what is here and what is missing to stdout, as a table or as JSON, and return exit code 0.

    `purposes` limits the tools to those that serve them (none: all tools); `install` brings what is missing
    first, which is never an error where it cannot be done.
    """
    host = this_host()
    statuses = examine(tools, purposes, host, install=install)
    facts = machine_lines(host)
    if as_json:
        sys.stdout.write(to_json(statuses, facts) + "\n")
    else:
        write_text(statuses, facts, sys.stdout)
    return 0


def examine(
    tools: Mapping[str, Tool], purposes: Collection[str], host: Host, *, install: bool = False
) -> list[ToolStatus]:
    """Return the status of each tool that serves one of the purposes, in the order of the tool data."""
    names = serving(tools, purposes)
    found = install_tools(tools, names, host, say=_say) if install else find_tools(tools, names, host)
    return list(found.values())


def machine_lines(host: Host) -> dict[str, str]:
    """Return the machine's facts and what we may do on it."""
    namespaces = "allowed" if may_make_namespaces(host) else "not allowed: trials share the host's network"
    return machine_facts() | {"rights": RIGHTS[host.privilege], "network_namespaces": namespaces}


def may_make_namespaces(host: Host) -> bool:
    """Tell whether a trial may have a network of its own, as root or in a user namespace."""
    return any(_succeeds(["unshare", *options, "--net", "true"], host) for options in ([], ["--map-root-user"]))


def to_json(statuses: Sequence[ToolStatus], facts: Mapping[str, str]) -> str:
    """Return what was found as JSON for programs."""
    tools = [dataclasses.asdict(status) for status in statuses]
    return json.dumps({"schema": SCHEMA, "tools": tools, "machine": dict(facts)}, indent=2, ensure_ascii=False)


def write_text(statuses: Sequence[ToolStatus], facts: Mapping[str, str], stream: IO[str]) -> None:
    """Write what was found as tables, and below them what to do about each tool that is not there."""
    console = Console(file=stream, highlight=False)
    console.print(_tool_table(statuses))
    console.print(_fact_table(facts))
    for status in statuses:
        if not status.found:
            console.print(Text(advice(status)), soft_wrap=True)
    here = sum(status.found for status in statuses)
    console.print(Text(f"{here} of {len(statuses)} tools are here"))


def advice(status: ToolStatus) -> str:
    """Return in a line why a tool is not there and what brings it."""
    brings = f"To get it: {status.brings}." if status.brings else ""
    return " ".join(part for part in (f"{status.title}: {status.reason}.", brings, status.hint) if part)


def _tool_table(statuses: Sequence[ToolStatus]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("tool", "for", "status", "version", "where"):
        table.add_column(heading, overflow="fold")
    for status in statuses:
        table.add_row(
            Text(status.title),
            Text(", ".join(status.purpose)),
            Text(status.status, style=COLOURS[status.status]),
            Text(short_version(status.version) or ""),
            Text(status.path or ""),
        )
    return table


def _fact_table(facts: Mapping[str, str]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, fact in facts.items():
        table.add_row(Text(name.replace("_", " ")), Text(fact))
    return table


def _say(line: str) -> None:
    sys.stderr.write(f"{line} ...\n")
    sys.stderr.flush()


def _succeeds(argv: list[str], host: Host) -> bool:
    try:
        ended = subprocess.run(
            argv,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=NAMESPACE_DEADLINE_S,
            env={"PATH": host.path},
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return ended.returncode == 0
