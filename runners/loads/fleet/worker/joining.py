"""`speedup worker`: gathers the facts of a client host, and joins a fleet."""

from __future__ import annotations

import logging
import os
import platform
import select
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from runners.errors import UnfitMachine
from runners.loads.fleet.master.members import LOCUSTFILE
from runners.loads.fleet.master.session import TOOLS
from runners.loads.fleet.wire.link import LocustLink, worker_arguments
from runners.loads.fleet.wire.messages import PROTOCOL, Facts, name_of
from runners.loads.fleet.wire.seal import read_token
from runners.loads.fleet.worker.loading import Place
from runners.loads.fleet.worker.worker import Membership, Worker, serve
from runners.matrix.requests.locustfile import read_locustfile, sha256_of
from runners.records.scratch import scratch_folder
from runners.system.machine import machine_facts
from runners.tools.find import ToolStatus, find_tools, known_tools, this_host, tool_environment
from runners.tools.install import install_tools
from runners.version import VERSION

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WorkerOptions:
    """The options of a worker: the master, the token, this client's name, and the hosts that it may load."""

    host: str
    port: int
    token_file: Path
    name: str | None = None
    targets: tuple[str, ...] = ()
    install: bool = False
    locustfile: Path | None = None


def work(options: WorkerOptions) -> None:
    """Be a client of a fleet until stopped; raise BadInput or UnfitMachine if that cannot begin."""
    token = read_token(options.token_file)
    if options.locustfile:
        read_locustfile(str(options.locustfile))
    host = this_host()
    known = known_tools()
    tools = install_tools(known, TOOLS, host) if options.install else find_tools(known, TOOLS, host)
    for tool in tools.values():
        if not tool.found:
            raise UnfitMachine(f"on this machine, {tool.fault}")
    env = {**os.environ, **tool_environment(tools, host)}
    name = options.name or name_of(socket.gethostname())
    targets = frozenset({options.host, *_addresses(options.host), *options.targets})
    tick = end_with_input if str(options.token_file) == "-" else lambda: None
    member = Membership(name, token, targets, lambda: facts_of(tools, options.locustfile))
    log.info(f"{name}: joining {options.host}:{options.port}; may load {', '.join(sorted(targets))}")
    with scratch_folder("speedup-worker-") as folder:
        place = Place(env, folder, len(os.sched_getaffinity(0)), options.locustfile)
        arguments = worker_arguments(options.host, options.port)
        with suppress(KeyboardInterrupt):  # the usual end of a worker
            serve(
                lambda: LocustLink(arguments, env, sys.stderr.buffer),
                lambda link: Worker(member, place, link, tick),
            )
    log.info(f"{name}: left")


def end_with_input() -> None:
    """Stop this worker if its standard input has ended, since then the connection that started it is gone."""
    ready, _, _ = select.select([sys.stdin], [], [], 0)
    if ready and not os.read(sys.stdin.fileno(), 1024):
        raise KeyboardInterrupt


def _addresses(host: str) -> set[str]:
    """Return the addresses of a host name; none if it cannot be resolved."""
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(host, None, socket.AF_INET)}
    except OSError:
        return set()


def facts_of(tools: Mapping[str, ToolStatus], locustfile: Path | None = None) -> Facts:
    """Return the current facts about this host and its tools."""
    machine = machine_facts()
    versions = {name: tool.version or "unknown" for name, tool in tools.items()}
    users = sha256_of(locustfile)
    return Facts(
        protocol=PROTOCOL,
        version=VERSION,
        tools={**versions, **({LOCUSTFILE: users} if users else {})},
        cpus=len(os.sched_getaffinity(0)),
        cpu=machine.get("cpu", "unknown"),
        kernel=f"{platform.system()} {platform.release()}",
        wall_us=time.time_ns() // 1000,
    )
