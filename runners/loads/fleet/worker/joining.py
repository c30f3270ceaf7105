"""`speedup worker`: what a client host is and has, and how it joins."""

from __future__ import annotations

import logging
import os
import platform
import select
import socket
import sys
import tempfile
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
from runners.matrix.locustfile import read_locustfile, sha256_of
from runners.system.machine import machine_facts
from runners.tools.find import ToolStatus, find_tools, known_tools, this_host, tool_environment
from runners.tools.install import install_tools
from runners.version import VERSION

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WorkerOptions:
    """What a person asked for: the master, the token, this client's name, and which hosts it may load."""

    host: str
    port: int
    token_file: Path
    name: str | None = None
    targets: tuple[str, ...] = ()
    install: bool = False
    locustfile: Path | None = None


def work(options: WorkerOptions) -> None:
    """Be a client of a fleet until ended; BadInput and UnfitMachine where that cannot begin."""
    token = read_token(options.token_file)
    if options.locustfile:
        read_locustfile(str(options.locustfile))
    host = this_host()
    known = known_tools()
    tools = install_tools(known, TOOLS, host) if options.install else find_tools(known, TOOLS, host)
    for tool in tools.values():
        if not tool.found:
            raise UnfitMachine(f"{tool.title} is missing here. {tool.remedy}")
    env = {**os.environ, **tool_environment(tools, host)}
    name = options.name or name_of(socket.gethostname())
    targets = frozenset({options.host, *_addresses(options.host), *options.targets})
    tick = end_with_input if str(options.token_file) == "-" else lambda: None
    member = Membership(name, token, targets, lambda: facts_of(tools, options.locustfile))
    log.info(f"{name}: joining {options.host}:{options.port}; may load {', '.join(sorted(targets))}")
    with tempfile.TemporaryDirectory(prefix="speedup-worker-") as folder:
        place = Place(env, Path(folder), len(os.sched_getaffinity(0)), options.locustfile)
        arguments = worker_arguments(options.host, options.port)
        with suppress(KeyboardInterrupt):  # the usual end of a worker
            serve(
                lambda: LocustLink(arguments, env, sys.stderr.buffer),
                lambda link: Worker(member, place, link, tick),
            )
    log.info(f"{name}: left")


def end_with_input() -> None:
    """End this worker where its standard input has ended: the connection that started it is gone."""
    ready, _, _ = select.select([sys.stdin], [], [], 0)
    if ready and not os.read(sys.stdin.fileno(), 1024):
        raise KeyboardInterrupt


def _addresses(host: str) -> set[str]:
    """Return the addresses that a host's name stands for; none where it is not known."""
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(host, None, socket.AF_INET)}
    except OSError:
        return set()


def facts_of(tools: Mapping[str, ToolStatus], locustfile: Path | None = None) -> Facts:
    """Return what this host is and has, now."""
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
