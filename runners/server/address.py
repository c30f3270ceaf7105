"""Reads the address of a server that runs already."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from runners.errors import BadInput

EXAMPLE = "http://127.0.0.1:8080/"


@dataclass(frozen=True)
class Address:
    """Where a server runs, and what to ask it."""

    url: str
    host: str
    port: int
    path: str


def read_address(url: str, *, remote: bool = False, harm: str = "") -> Address:
    """Return the parts of an HTTP address; BadInput if it is none, or on another machine, unless `remote`.

    `harm` is a sentence on what asking would do to a machine of somebody else.
    """
    try:
        parts = urlsplit(url)
        port = 80 if parts.port is None else parts.port
    except ValueError as error:
        raise BadInput(f"{url}: {error}; use an address such as {EXAMPLE}") from error
    plain = url.isascii() and url.isprintable() and " " not in url
    if parts.scheme != "http" or not parts.hostname or not port or not plain:
        raise BadInput(f"{url} is not an address that can be asked; use one such as {EXAMPLE}")
    if not remote and not _is_loopback(url, parts.hostname):
        raise BadInput(f"{url} is not on this machine{harm}; if that server is yours, add --allow-remote")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Address(url, parts.hostname, port, path)


def _is_loopback(url: str, host: str) -> bool:
    try:
        addresses = {info[4][0] for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError) as error:
        raise BadInput(f"{url}: cannot resolve '{host}' ({error})") from error
    return all(ipaddress.ip_address(address).is_loopback for address in addresses)
