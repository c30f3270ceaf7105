"""Runs the honesty gates against a server that is already running at some address."""

from __future__ import annotations

from collections.abc import Sequence

from runners.honesty import gates
from runners.honesty.gates import Target
from runners.matrix.model import MODES, Mode
from runners.matrix.requests.request import Expect, Request
from runners.records.run import Honesty
from runners.server.address import read_address

HARM = ". The gates open 1,100 connections and send garbage"


def examine_url(
    url: str, class_: str, body: str | None, modes: Sequence[Mode] = MODES, *, remote: bool = False
) -> Honesty:
    """Return the gates' results for the server at a URL; raise BadInput if it cannot be tested.

    Without a `body`, every answer with status 200 is right. A server on another machine is rejected, unless `remote`.
    """
    address = read_address(url, remote=remote, harm=HARM)
    asked = Request(address.path, expect=Expect(body=body))
    keeps, closes = "persistent" in modes, "non-persistent" in modes
    target = Target(address.host, address.port, asked, keeps=keeps, closes=closes)
    with gates.many_files():
        found = gates.examine(target, class_)
    return Honesty(url, 1, class_, found)
