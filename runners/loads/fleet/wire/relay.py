"""The locustfile of a fleet: Locust's master or worker as a carrier of text between hosts, and nothing else.

Runs in Locust's own environment, so it imports nothing of ours. Each line on standard input is a message to send:
`{"to": <id or null>, "text": ...}`. Each line on standard output is a message that arrived: `{"from": <id>, "text":
...}`; the first line is `{}`, once the other end is reached. Anyone who can reach the port can send anything, so all
types of message that a carrier does not need are dropped, and unreadable input ends no greenlet. Whether a text can be
trusted is for its reader to decide.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import gevent
import zmq
from gevent.fileobject import FileObject
from locust import User, events, task
from locust.env import Environment
from locust.exception import RPCReceiveError
from locust.rpc import zmqrpc
from locust.runners import MasterRunner, WorkerRunner

TYPE = "speedup"
MOST_BYTES = 16 * 2**20  # enough for a histogram of some hundred thousand different latencies
NEEDED = ("client_ready", "heartbeat", TYPE, "ack", "reconnect")  # not a set: a peer may send an unhashable type


class Idle(User):
    """Locust wants a user class; none is ever spawned."""

    @task
    def nothing(self) -> None:
        """Do nothing."""


def _limit_messages() -> None:
    """Make sockets close a connection that sends too much at once; this must be set before they bind."""
    opened = zmqrpc.BaseSocket.__init__

    def limited(self: Any, *arguments: Any) -> None:
        opened(self, *arguments)
        self.socket.setsockopt(zmq.MAXMSGSIZE, MOST_BYTES)

    zmqrpc.BaseSocket.__init__ = limited


def _survive_garbage() -> None:
    """Report whatever cannot be unpacked as such; Locust expects only two kinds of garbage."""
    received = zmqrpc.BaseSocket.recv_from_client

    def surviving(self: Any) -> Any:
        try:
            return received(self)
        except (TypeError, ValueError, LookupError, AttributeError) as error:
            raise RPCReceiveError(f"not a message ({type(error).__name__})") from error

    zmqrpc.BaseSocket.recv_from_client = surviving


def _drop_the_rest(runner: type) -> None:
    """Make a runner handle only what a carrier needs, whatever else a peer sends."""
    handled = runner.handle_message  # type: ignore[attr-defined]

    def choosing(self: Any, *arguments: Any) -> None:
        message = arguments[-1]
        if message.type not in NEEDED:
            return
        try:
            handled(self, *arguments)
        except Exception as error:  # noqa: BLE001 - a peer may send anything
            sys.stderr.write(f"dropped a message of type {message.type!r}: {error!r}\n")

    runner.handle_message = choosing  # type: ignore[attr-defined]


_limit_messages()
_survive_garbage()
_drop_the_rest(MasterRunner)
_drop_the_rest(WorkerRunner)


@events.init.add_listener
def _carry(environment: Environment, **_: object) -> None:
    """Carry text until standard input ends; never return, so that Locust begins no test."""
    runner = environment.runner
    output = FileObject(sys.stdout.fileno(), "wb", close=False)

    def came(msg: Any, **_: object) -> None:
        if isinstance(msg.data, str):
            output.write(json.dumps({"from": msg.node_id, "text": msg.data}).encode() + b"\n")
            output.flush()

    runner.register_message(TYPE, came)
    output.write(b"{}\n")  # from now on, texts are sent at once
    output.flush()
    for line in FileObject(sys.stdin.fileno(), "rb", close=False):
        message = json.loads(line)
        try:
            runner.send_message(TYPE, message["text"], message.get("to"))
        except Exception as error:  # noqa: BLE001 - the peer is gone; the reader notices its silence
            sys.stderr.write(f"not sent: {error!r}\n")
        gevent.sleep(0)
    os._exit(0)
