"""Several hosts on one machine: network namespaces joined by a bridge, to test load from many machines without them.

Needs root, `ip` (iproute2), and `sshd` (openssh-server) if clients are reached over SSH. When the context ends, all
processes on the hosts are killed, and the hosts are removed. They share clocks, unlike real hosts, and also CPUs,
unless `apart` divides these.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from runners.tools.find import search_path

SSHD = shutil.which("sshd", path=search_path(os.environ.get("PATH", os.defpath)))
SUBNET = "10.{number}.77"
SSHD_CONFIG = """\
Port 22
ListenAddress {address}
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
StrictModes no
UsePAM no
PidFile none
PermitRootLogin prohibit-password
MaxStartups 100
"""


def reason_without() -> str | None:
    """Return why this machine cannot be several hosts; None if it can."""
    if os.geteuid() != 0:
        return "creating network namespaces needs root"
    if shutil.which("ip") is None:
        return "ip is not installed: speedup doctor --install --for tests"
    return None


@dataclass(frozen=True)
class Host:
    """One host: its name, its network namespace, its address, and its CPUs (empty: all)."""

    name: str
    namespace: str
    address: str
    cpus: tuple[int, ...] = ()

    def argv(self, words: Sequence[str]) -> list[str]:
        """Return the command line that runs a command there."""
        bound = ["taskset", "-c", ",".join(map(str, self.cpus))] if self.cpus else []
        return ["ip", "netns", "exec", self.namespace, *bound, *words]

    def start(
        self, words: Sequence[str], output: IO[bytes], env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a command there."""
        return subprocess.Popen(
            self.argv(words), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=env, cwd=cwd
        )

    def cut(self) -> None:
        """Pull the cable."""
        _ip("-n", self.namespace, "link", "set", "eth0", "down")

    def heal(self) -> None:
        """Put the cable back."""
        _ip("-n", self.namespace, "link", "set", "eth0", "up")

    def narrow(self) -> None:
        """Make the cable slow, so that it loses what does not fit."""
        settings = ("root", "tbf", "rate", "2mbit", "burst", "2kb", "limit", "2kb")
        subprocess.run(["tc", "-n", self.namespace, "qdisc", "add", "dev", "eth0", *settings], check=True)

    def widen(self) -> None:
        """Restore the cable's speed."""
        subprocess.run(["tc", "-n", self.namespace, "qdisc", "del", "dev", "eth0", "root"], check=True)


@dataclass(frozen=True)
class Hosts:
    """A server and its clients; `ssh` has the options with which OpenSSH reaches the clients as root."""

    server: Host
    clients: tuple[Host, ...]
    ssh: tuple[str, ...] = ()


def apart(made: Hosts, cpus: Sequence[int]) -> Hosts:
    """Return the hosts with the first CPU for the server and the others for the clients; a single CPU stays shared."""
    if len(cpus) < 2:
        return made
    clients = tuple(replace(client, cpus=tuple(cpus[1:])) for client in made.clients)
    return replace(made, server=replace(made.server, cpus=tuple(cpus[:1])), clients=clients)


@contextlib.contextmanager
def hosts(count: int, folder: Path | None = None) -> Iterator[Hosts]:
    """Create a server and `count` clients; with a folder for the keys, also start an sshd on each client."""
    prefix, subnet = f"speedup{os.getpid()}", SUBNET.format(number=64 + os.getpid() % 64)
    server = Host("server", f"{prefix}-server", f"{subnet}.1")
    clients = tuple(Host(f"client{n}", f"{prefix}-client{n}", f"{subnet}.{10 + n}") for n in range(1, count + 1))
    daemons: list[subprocess.Popen[bytes]] = []
    try:
        _make_server(server)
        for number, client in enumerate(clients):
            _join(server, client, f"port{number}")
        if folder is not None:
            daemons += _start_sshd(clients, folder)
        yield Hosts(server, clients, _ssh_options(folder) if folder else ())
    finally:
        for host in (server, *clients):
            _remove(host)
        for daemon in daemons:
            daemon.wait(10)


def _make_server(server: Host) -> None:
    _ip("netns", "add", server.namespace)
    _ip("-n", server.namespace, "link", "set", "lo", "up")
    _ip("-n", server.namespace, "link", "add", "bridge", "type", "bridge")
    _ip("-n", server.namespace, "addr", "add", f"{server.address}/24", "dev", "bridge")
    _ip("-n", server.namespace, "link", "set", "bridge", "up")


def _join(server: Host, client: Host, port: str) -> None:
    _ip("netns", "add", client.namespace)
    _ip("-n", client.namespace, "link", "set", "lo", "up")
    cable = ("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", client.namespace)
    _ip("-n", server.namespace, *cable)
    _ip("-n", server.namespace, "link", "set", port, "master", "bridge", "up")
    _ip("-n", client.namespace, "addr", "add", f"{client.address}/24", "dev", "eth0")
    _ip("-n", client.namespace, "link", "set", "eth0", "up")


def _start_sshd(clients: Sequence[Host], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start an sshd on each client that admits the key in the folder."""
    if SSHD is None:
        raise FileNotFoundError("sshd is not installed: speedup doctor --install --for tests")
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    Path("/run/sshd").mkdir(exist_ok=True)
    for client in clients:
        config = folder / f"{client.name}.sshd"
        config.write_text(SSHD_CONFIG.format(address=client.address, folder=folder), encoding="ascii")
        with (folder / f"{client.name}.sshd.txt").open("wb") as output:
            yield client.start([SSHD, "-D", "-e", "-f", str(config)], output)


def _ssh_options(folder: Path) -> tuple[str, ...]:
    settings = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "IdentitiesOnly=yes", "LogLevel=ERROR")
    return ("-F", "/dev/null", "-i", str(folder / "user"), *(word for text in settings for word in ("-o", text)))


def _remove(host: Host) -> None:
    """Kill everything that runs on a host, and remove the host."""
    pids = subprocess.run(["ip", "netns", "pids", host.namespace], capture_output=True, text=True, check=False)
    for pid in pids.stdout.split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    subprocess.run(["ip", "netns", "del", host.namespace], stderr=subprocess.DEVNULL, check=False)


def left_on(host: Host) -> list[str]:
    """Return the command lines of everything that runs on a host."""
    pids = subprocess.run(["ip", "netns", "pids", host.namespace], capture_output=True, text=True, check=True)
    found = []
    for pid in pids.stdout.split():
        with contextlib.suppress(OSError):
            found.append(Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return found


def _ip(*words: str) -> None:
    """Run `ip`; raise OSError with its message if it fails."""
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"ip {' '.join(words)}: {done.stderr.strip()}")
