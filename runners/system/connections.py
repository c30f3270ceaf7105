"""Asks the kernel for the connections to a server's port, and how many segments with data went over each.

The counters of a network know no ports: those of a proxy hold its own connections to the servers behind it, too. The
kernel's list of sockets does (sock_diag(7), struct inet_diag_req_v2; struct tcp_info in linux/tcp.h).
"""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Iterator, Mapping

from runners.system import kernel

NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, DONE, ERROR = 4, 20, 3, 2
REQUEST_DUMP = 0x301
ESTABLISHED, LISTENING = 1 << 1, 1 << 10
INFO = 2  # the attribute that holds a tcp_info
HEADER = struct.Struct("=IHHII")  # nlmsghdr
ASKED = struct.Struct("=BBBxI2s2s16x16xI8x")  # inet_diag_req_v2
DATA_SEGMENTS = struct.Struct("=II")  # of a tcp_info: in, out
FOUND_BYTES, PORT_AT, ADDRESS_AT, QUEUE_AT, SEGMENTS_AT = 72, 6, 24, 60, 152
MOST_BYTES = 1 << 16
PATIENCE_S = 1.0

Segments = Mapping[str, int | None]  # with data, in and out, by the client's address and port; None where unknown


def connections(pid: int, port: int) -> Segments:
    """Return the established connections to a port in the network of a process, which is also this process's."""
    try:
        return {_client(message): _segments(message) for message in _sockets(port, ESTABLISHED)}
    except (OSError, struct.error):  # not in every sandbox, nor does every kernel have that list
        return dict.fromkeys(kernel.client_ports(pid, port))


def accept_queue(port: int) -> int | None:
    """Return how many connections to a port can wait to be accepted, in the queue of it that holds least.

    None if nobody listens there in this process's network, or if the kernel does not tell.
    """
    try:
        found = [message[QUEUE_AT : QUEUE_AT + 4] for message in _sockets(port, LISTENING)]
    except (OSError, struct.error):
        return None
    return min((int.from_bytes(size, sys.byteorder) for size in found), default=None)


def _sockets(port: int, state: int) -> Iterator[bytes]:
    """Yield what the kernel says of each socket of a port in a state; raise OSError if it does not."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_SOCK_DIAG) as asking:
        asking.settimeout(PATIENCE_S)
        for family in (socket.AF_INET, socket.AF_INET6):
            wanted = ASKED.pack(family, socket.IPPROTO_TCP, 1 << (INFO - 1), state, port.to_bytes(2), b"", 0)
            head = HEADER.pack(HEADER.size + len(wanted), SOCK_DIAG_BY_FAMILY, REQUEST_DUMP, 1, 0)
            asking.sendto(head + wanted, (0, 0))
            yield from _messages(asking)


def _messages(asking: socket.socket) -> Iterator[bytes]:
    """Yield the bodies of the kernel's messages up to the one that says it was the last."""
    while True:
        data = asking.recv(MOST_BYTES)
        while len(data) >= HEADER.size:
            length, kind, *_ = HEADER.unpack_from(data)
            if kind == DONE:
                return
            if kind == ERROR or length < HEADER.size:
                raise OSError("the kernel does not list its connections")
            yield data[HEADER.size : length]
            data = data[length + 3 & ~3 :]


def _client(message: bytes) -> str:
    """Return the client's address and port as /proc/net/tcp writes them."""
    count = 4 if message[0] == socket.AF_INET6 else 1
    words = struct.unpack_from(f"={count}I", message, ADDRESS_AT)
    return "".join(f"{word:08X}" for word in words) + f":{int.from_bytes(message[PORT_AT : PORT_AT + 2]):04X}"


def _segments(message: bytes) -> int | None:
    """Return the data segments of one connection, which old kernels do not count."""
    at = FOUND_BYTES
    while at + 4 <= len(message):
        length, kind = struct.unpack_from("=HH", message, at)
        if kind == INFO and length >= 4 + SEGMENTS_AT + DATA_SEGMENTS.size:
            received, sent = DATA_SEGMENTS.unpack_from(message, at + 4 + SEGMENTS_AT)
            return int(received + sent)
        at += max(4, length + 3 & ~3)
    return None
