"""`speedup doctor`: what this machine has and lacks for measuring: its tools, our rights, its processors."""

from __future__ import annotations

from speedup.arguments import add_json, add_matrix

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection, Mapping, Sequence

    from rich.table import Table

    from runners.matrix.model import Tool
    from runners.tools.find import Host, ToolStatus
    from speedup.terminal import ResultConsole

SCHEMA = "speedup.doctor/1"
COLOURS = {"found": "green", "installable": "yellow", "missing": "red"}
RIGHTS = {
    "root": "root: packages may be installed",
    "sudo": "sudo without a password: packages may be installed",
    "none": "ordinary user: tools are installed into the user's cache",
}
NAMESPACE_DEADLINE_S = 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    add_matrix(parser)
    parser.add_argument("--install", action="store_true", help="install what is missing first, if permitted")
    parser.add_argument(
        "--for",
        dest="purpose",
        action="append",
        choices=("server", "load", "tests"),
        default=[],
        help="only tools that servers, load generators or this project's tests need",
    )
    add_json(parser)


def act(arguments: argparse.Namespace) -> int:
    """Show the tools and the machine; what is missing is no error."""
    from runners.plan.planning import tools_of
    from runners.tools.find import this_host

    host = this_host()
    statuses = examine(tools_of(arguments.matrix), arguments.purpose, host, install=arguments.install)
    facts = machine_lines(host)
    if arguments.json:
        print(to_json(statuses, facts))
    else:
        print_report(statuses, facts)
    return 0


def examine(
    tools: Mapping[str, Tool], purposes: Collection[str], host: Host, *, install: bool = False
) -> list[ToolStatus]:
    """Return the status of each tool that serves one of the purposes, in the order of the tool data."""
    from runners.tools.find import find_tools, serving
    from runners.tools.install import install_tools

    names = serving(tools, purposes)
    found = install_tools(tools, names, host) if install else find_tools(tools, names, host, versions=names)
    return list(found.values())


def machine_lines(host: Host) -> dict[str, str]:
    """Return the machine's facts and what we may do on it."""
    from runners.system.machine import machine_facts

    namespaces = "permitted" if may_make_namespaces(host) else "not permitted: trials share the host's network"
    return machine_facts() | {"rights": RIGHTS[host.privilege], "network_namespaces": namespaces}


def may_make_namespaces(host: Host) -> bool:
    """Tell whether a trial may have a network of its own, as root or in a user namespace."""
    return any(_succeeds(["unshare", *options, "--net", "true"], host) for options in ([], ["--map-root-user"]))


def _succeeds(argv: list[str], host: Host) -> bool:
    import subprocess

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


def to_json(statuses: Sequence[ToolStatus], facts: Mapping[str, str]) -> str:
    """Return what was found as JSON for programs."""
    import dataclasses
    import json

    tools = [dataclasses.asdict(status) for status in statuses]
    return json.dumps({"schema": SCHEMA, "tools": tools, "machine": dict(facts)}, indent=2, ensure_ascii=False)


def print_report(
    statuses: Sequence[ToolStatus], facts: Mapping[str, str], console: ResultConsole | None = None
) -> None:
    """Print what was found as tables, and below them what to do about each tool that is not there."""
    from speedup.terminal import ResultConsole

    console = console or ResultConsole()
    console.print(_tool_table(statuses))
    console.print(_fact_table(facts))
    for status in statuses:
        if not status.found:
            console.print(advice(status), soft_wrap=True)
    here = sum(status.found for status in statuses)
    console.print(f"{here} of {len(statuses)} tools are installed")


def advice(status: ToolStatus) -> str:
    """Return in a line why a tool is not there and how to get it."""
    brings = f"To get it: {status.brings}." if status.brings else ""
    return " ".join(part for part in (f"{status.title}: {status.reason}.", brings, status.hint) if part)


def _tool_table(statuses: Sequence[ToolStatus]) -> Table:
    from rich.text import Text

    from runners.tools.find import short_version
    from speedup.terminal import table

    rows = table("tool", "for", "status", "version", "where")
    for status in statuses:
        shown = Text(status.status, style=COLOURS[status.status])
        version = short_version(status.version) or ""
        rows.add_row(status.title, ", ".join(status.purpose), shown, version, status.path or "")
    return rows


def _fact_table(facts: Mapping[str, str]) -> Table:
    from speedup.terminal import table

    rows = table("", "", show_header=False)
    for name, fact in facts.items():
        rows.add_row(name.replace("_", " "), fact)
    return rows
