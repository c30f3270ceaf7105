"""A network of its own for each trial: private counters, ports and TIME_WAIT table, gone when the trial is over.

The harness itself moves into a fresh network namespace, so that servers and generators inherit it, and moves back
afterwards. As an ordinary user this needs a user namespace, which the harness enters once and stays in. Where
neither is allowed, trials share the host's network: counters count as differences, and a trial waits until the
TIME_WAIT connections of earlier ones have gone.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1

# 45,000 connections in TIME_WAIT find room; the servers' own ports lie below.
SETTINGS = {
    "net/ipv4/ip_local_port_range": "20000 65535",
    "net/ipv4/tcp_tw_reuse": "1",
}
DRAIN_TIMEOUT_S = 70.0
DRAINED = 200

_libc = ctypes.CDLL(None, use_errno=True)

Kind = Literal["namespace", "host"]


@dataclass(frozen=True)
class Network:
    """Where a trial's packets go, and the settings that hold there."""

    kind: Kind
    settings: dict[str, str]


def enter_user_namespace() -> bool:
    """Become able to make network namespaces; True where that is so already or a user namespace grants it.

    Call it once, before any thread exists. The user keeps its own id inside.
    """
    if os.geteuid() == 0:
        return _may_unshare()
    user, group = os.geteuid(), os.getegid()
    if _libc.unshare(CLONE_NEWUSER):
        return False
    with suppress(OSError):
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    return _may_unshare()


def _may_unshare() -> bool:
    """Try it in a child, which costs nothing here."""
    child = os.fork()
    if child == 0:
        os._exit(1 if _libc.unshare(CLONE_NEWNET) else 0)
    return os.waitpid(child, 0)[1] == 0


@contextmanager
def trial_network(kind: Kind) -> Iterator[Network]:
    """Be in a fresh network for the length of a trial, or in the host's once it is quiet."""
    if kind == "host":
        wait_until_drained()
        yield Network("host", read_settings())
        return
    host = os.open("/proc/self/ns/net", os.O_RDONLY)
    try:
        if _libc.unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "cannot make a network namespace")
        _bring_loopback_up()
        for name, value in SETTINGS.items():
            with suppress(OSError):
                Path("/proc/sys", name).write_text(value, encoding="ascii")
        yield Network("namespace", read_settings())
    finally:
        _libc.setns(host, CLONE_NEWNET)  # refused inside a user namespace: the next trial makes its own anyway
        os.close(host)


def read_settings() -> dict[str, str]:
    """Return the settings that hold in the present network; those that it does not tell are left out."""
    names = (*SETTINGS, "net/core/somaxconn", "net/ipv4/tcp_max_tw_buckets", "net/ipv4/tcp_tw_reuse_delay")
    settings = {}
    for name in names:
        with suppress(OSError):
            settings[name] = " ".join(Path("/proc/sys", name).read_text(encoding="ascii").split())
    return settings


def wait_until_drained(timeout_s: float = DRAIN_TIMEOUT_S) -> None:
    """Wait until few connections are in TIME_WAIT, at most until the deadline."""
    deadline = time.monotonic() + timeout_s
    while (time_wait_count() or 0) > DRAINED and time.monotonic() < deadline:
        time.sleep(0.25)


def time_wait_count() -> int | None:
    """Return how many connections are in TIME_WAIT; None where the kernel does not tell."""
    try:
        words = Path("/proc/net/sockstat").read_text(encoding="ascii").split()
        return int(words[words.index("tw") + 1])
    except (OSError, ValueError):
        return None


def _bring_loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = bytearray(struct.pack("16sh14x", b"lo", 0))
        fcntl.ioctl(control, SIOCGIFFLAGS, request)
        (flags,) = struct.unpack_from("h", request, 16)
        struct.pack_into("h", request, 16, flags | IFF_UP)
        fcntl.ioctl(control, SIOCSIFFLAGS, request)
