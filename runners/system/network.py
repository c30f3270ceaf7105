"""Gives each server under test its own network: private counters, ports and TIME_WAIT table, gone with the trial.

The harness moves into a fresh network namespace, which everything it starts there inherits, and moves back when the
trial is over. For an ordinary user this requires a user namespace, which the harness enters once and stays in. If
neither is permitted, trials share the host's network: counters are read as differences, and a trial waits while the
table of TIME_WAIT connections is nearly full.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from runners.system.enclosure.namespaces import CLONE_NEWNET, enter_as_same_user, in_child, unshare
from runners.system.kernel import time_wait_count

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1
OWN_NETWORK = "/proc/self/ns/net"

# Room for 45,000 connections in TIME_WAIT; the servers' own ports lie below.
SETTINGS = {
    "net/ipv4/ip_local_port_range": "20000 65535",
    "net/ipv4/tcp_tw_reuse": "1",
}
SHOWN = (*SETTINGS, "net/core/somaxconn", "net/ipv4/tcp_max_tw_buckets", "net/ipv4/tcp_tw_reuse_delay")
# Every trial has its own server port, so connections in TIME_WAIT take no port from the next trial; but their table
# must not overflow.
DRAIN_TIMEOUT_S = 60.0
FULL_SHARE = 0.8
USUAL_TIME_WAIT_MOST = 65536

_libc = ctypes.CDLL(None, use_errno=True)

Kind = Literal["namespace", "host"]


@dataclass(frozen=True)
class Network:
    """Where a server's packets go; `descriptor` is None for the host's network."""

    kind: Kind
    settings: dict[str, str]
    descriptor: int | None = None

    def enter(self) -> None:
        """Move the harness there, so that whatever it starts or reads next is there too; raise OSError if it cannot."""
        if self.descriptor is not None and _libc.setns(self.descriptor, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "cannot enter a network namespace")


def enter_user_namespace() -> bool:
    """Gain the right to create network namespaces, by a user namespace if necessary; return whether it was granted.

    Call it once, before any thread exists. The user keeps the same id inside. There is no way back out of a user
    namespace, and some systems grant one that is only half made, so all of it is tried in a child process first.
    """
    if os.geteuid() == 0:
        return in_child(_unshare_network)
    return in_child(lambda: enter_as_same_user() and _unshare_network()) and enter_as_same_user()


def _unshare_network() -> bool:
    return unshare(CLONE_NEWNET)


@contextmanager
def fresh_networks(kind: Kind, count: int) -> Iterator[tuple[Network, ...]]:
    """Create `count` fresh networks, or wait until the host's has room; afterwards return to the original network."""
    if kind == "host":
        wait_until_drained()
        yield (Network("host", read_settings()),) * count
        return
    with ExitStack() as opened:
        home = _open_own(opened)
        opened.callback(_libc.setns, home, CLONE_NEWNET)  # refused in a user namespace, where nothing depends on it
        yield tuple(_make(opened) for _ in range(count))


def _make(opened: ExitStack) -> Network:
    if not unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "cannot create a network namespace")
    _bring_loopback_up()
    for name, value in SETTINGS.items():
        with suppress(OSError):
            Path("/proc/sys", name).write_text(value, encoding="ascii")
    return Network("namespace", read_settings(), _open_own(opened))


def _open_own(opened: ExitStack) -> int:
    descriptor = os.open(OWN_NETWORK, os.O_RDONLY)
    opened.callback(os.close, descriptor)
    return descriptor


def read_settings() -> dict[str, str]:
    """Return the settings in effect in the current network; those that cannot be read are left out."""
    settings = {}
    for name in SHOWN:
        with suppress(OSError):
            settings[name] = " ".join(Path("/proc/sys", name).read_text(encoding="ascii").split())
    return settings


def wait_until_drained(timeout_s: float = DRAIN_TIMEOUT_S) -> None:
    """Wait until the table of connections in TIME_WAIT has room, or until the timeout expires."""
    most = int(read_settings().get("net/ipv4/tcp_max_tw_buckets", USUAL_TIME_WAIT_MOST))
    deadline = time.monotonic() + timeout_s
    while (time_wait_count() or 0) > FULL_SHARE * most and time.monotonic() < deadline:
        time.sleep(0.25)


def _bring_loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = bytearray(struct.pack("16sh14x", b"lo", 0))
        fcntl.ioctl(control, SIOCGIFFLAGS, request)
        (flags,) = struct.unpack_from("h", request, 16)
        struct.pack_into("h", request, 16, flags | IFF_UP)
        fcntl.ioctl(control, SIOCSIFFLAGS, request)
