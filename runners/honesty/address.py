"""Runs the honesty gates against a server that is already running at some address."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

from runners.errors import BadInput
from runners.honesty import gates
from runners.honesty.gates import Target
from runners.matrix.model import MODES, Mode
from runners.matrix.request import Expect, Request
from runners.records.run import Honesty

EXAMPLE = "http://127.0.0.1:8080/"


def examine_url(
    url: str, class_: str, body: str | None, modes: Sequence[Mode] = MODES, *, remote: bool = False
) -> Honesty:
    """Return the gates' results for the server at a URL; raise BadInput if it cannot be tested.

    Without a `body`, every answer with status 200 is right. A server on another machine is rejected, unless `remote`.
    """
    parts, port = _address(url)
    host = parts.hostname or ""
    if not remote and not _is_loopback(url, host):
        raise BadInput(
            f"{url} is not on this machine. The gates open 1,100 connections and send garbage; if that server is"
            " yours, add --allow-remote"
        )
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    asked = Request(path, expect=Expect(body=body))
    target = Target(host, port, asked, keeps="persistent" in modes, closes="non-persistent" in modes)
    with gates.many_files():
        found = gates.examine(target, class_)
    return Honesty(url, 1, class_, found)


def _address(url: str) -> tuple[SplitResult, int]:
    """Return the parts of a URL and its port; raise BadInput if it is not an HTTP address."""
    try:
        parts = urlsplit(url)
        port = 80 if parts.port is None else parts.port
    except ValueError as error:
        raise BadInput(f"{url}: {error}; use an address such as {EXAMPLE}") from error
    plain = url.isascii() and url.isprintable() and " " not in url
    if parts.scheme != "http" or not parts.hostname or not port or not plain:
        raise BadInput(f"{url} is not an address that can be tested; use one such as {EXAMPLE}")
    return parts, port


def _is_loopback(url: str, host: str) -> bool:
    try:
        addresses = {info[4][0] for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError) as error:
        raise BadInput(f"{url}: cannot resolve '{host}' ({error})") from error
    return all(ipaddress.ip_address(address).is_loopback for address in addresses)
