"""This machine: the facts to record, the profile that matches it, and how server and client share its CPUs."""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from runners.errors import BadInput
from runners.matrix.model import Machine
from runners.units import format_size

SYS_CPU = Path("/sys/devices/system/cpu")


@dataclass(frozen=True)
class Layout:
    """CPU numbers for the server and for the load generator; `shared` if any CPU is in both."""

    server: tuple[int, ...]
    client: tuple[int, ...]

    @property
    def shared(self) -> bool:
        """Return whether server and client compete for a CPU."""
        return bool(set(self.server) & set(self.client))


def choose_profile(machines: Mapping[str, Machine], wanted: str | None, facts: Mapping[str, str]) -> str:
    """Return a profile's name: `wanted`, else the first that matches, else the first without a match; or BadInput."""
    if wanted is not None:
        if wanted not in machines:
            raise BadInput(f"no machine profile '{wanted}' in the matrix; it has: {', '.join(machines)}")
        return wanted
    for name, machine in machines.items():
        if machine.match is not None and _fits(machine, facts):
            return name
    for name, machine in machines.items():
        if machine.match is None:
            return name
    raise BadInput(
        f"no machine profile matches this machine ({facts.get('cpu')}); add one, or choose one with --machine"
    )


def _fits(machine: Machine, facts: Mapping[str, str]) -> bool:
    wanted = machine.match.model_dump(exclude_none=True) if machine.match else {}
    return bool(wanted) and all(fnmatchcase(facts.get(key, ""), glob) for key, glob in wanted.items())


def share_cpus(cores: Sequence[Sequence[int]], threads: int) -> Layout:
    """Divide CPUs between a server with `threads` threads and its client; `cores` lists each core's CPUs.

    The server gets one CPU per thread, each on a core of its own as long as there are enough. The client gets the cores
    that the server does not use, or else the CPUs that it does not use. If no CPU is left, both use all of them.
    """
    by_turn = [core[turn] for turn in range(max(map(len, cores))) for core in cores if turn < len(core)]
    if threads >= len(by_turn):
        return Layout(tuple(sorted(by_turn)), tuple(sorted(by_turn)))
    server = by_turn[:threads]
    apart = [cpu for core in cores if not set(core) & set(server) for cpu in core]
    client = apart or [cpu for cpu in by_turn if cpu not in server]
    return Layout(tuple(sorted(server)), tuple(sorted(client)))


def fixed_layout(server: str, client: str) -> Layout:
    """Return the layout that a matrix prescribes, from CPU lists such as "0-3,8"."""
    return Layout(parse_cpus(server), parse_cpus(client))


def parse_cpus(text: str) -> tuple[int, ...]:
    """Return the CPU numbers of a list such as "0-3,8"."""
    numbers: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        numbers.update(range(int(first), int(last or first) + 1))
    return tuple(sorted(numbers))


def format_cpus(numbers: Sequence[int]) -> str:
    """Return CPU numbers as a list such as "0-3,8"."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def available_cores() -> tuple[tuple[int, ...], ...]:
    """Return the CPUs that this process may use, grouped by physical core."""
    cores: dict[str, list[int]] = {}
    for cpu in sorted(os.sched_getaffinity(0)):
        siblings = _read(SYS_CPU / f"cpu{cpu}/topology/thread_siblings_list") or str(cpu)
        cores.setdefault(siblings, []).append(cpu)
    return tuple(tuple(core) for core in cores.values())


def machine_facts() -> dict[str, str]:
    """Return what a reader needs to know about this machine; facts that are not available are left out."""
    facts = {
        "hostname": socket.gethostname(),
        "cpu": _cpu_model(),
        "cpus": f"{os.cpu_count()} ({len(available_cores())} cores for this run)",
        "memory": format_size(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")),
        "kernel": f"{platform.system()} {platform.release()}",
        "distribution": _distribution(),
        "python": platform.python_version(),
        "hypervisor": "yes" if " hypervisor" in _read(Path("/proc/cpuinfo")) else "",
        "clocksource": _read(Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")),
        "governor": _read(SYS_CPU / "cpu0/cpufreq/scaling_governor"),
        "turbo": {"0": "on", "1": "off"}.get(_read(SYS_CPU / "intel_pstate/no_turbo"), ""),
        "smt": _read(SYS_CPU / "smt/control"),
        "mitigations": _mitigations(),
        "ip_local_port_range": _read(Path("/proc/sys/net/ipv4/ip_local_port_range")).replace("\t", "-"),
        "tcp_tw_reuse": _read(Path("/proc/sys/net/ipv4/tcp_tw_reuse")),
        "somaxconn": _read(Path("/proc/sys/net/core/somaxconn")),
        "load_average_1min": f"{os.getloadavg()[0]:.2f}",
    }
    return {name: fact for name, fact in facts.items() if fact}


def _cpu_model() -> str:
    for line in _read(Path("/proc/cpuinfo")).splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        return ""


def _mitigations() -> str:
    states = {file.name: _read(file) for file in sorted((SYS_CPU / "vulnerabilities").glob("*"))}
    return ", ".join(name for name, state in states.items() if state.startswith("Mitigation"))


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
