"""Reads a file of URLs or paths, one in a line; empty lines and those that begin with # are left out."""

from __future__ import annotations

from collections.abc import Iterator

from runners.matrix.requests.lists.listed import Unreadable, host_of, request_of
from runners.matrix.requests.request import Request


def read_urls(data: bytes) -> Iterator[Request]:
    """Yield a request for each line; raise Unreadable for one that is no URL, or that names another host."""
    first_host = None
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), start=1):
        url = line.strip()
        if not url or url.startswith("#"):
            continue
        try:
            yield request_of("GET", url)
        except ValueError as error:
            raise Unreadable(str(error), number) from error
        host = host_of(url)
        first_host = host if first_host is None else first_host
        if host != first_host:
            raise Unreadable(f"names the host {host or 'of no URL'!r}, the lines above {first_host!r}", number)
