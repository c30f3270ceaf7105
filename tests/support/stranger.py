"""A locustfile of who holds no token: sends all sorts of things to a fleet's master for a while.

`locust -f stranger.py --headless --host MASTER`
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

import msgpack
import zmq.green as zmq
from locust import User, events, task
from locust.rpc.protocol import Message

PORT = 5557
LASTS_S = 4.0
HUGE_BYTES = 64 * 2**20


class Idle(User):
    """Locust wants a user class."""

    @task
    def nothing(self) -> None:
        """Do nothing."""


def frames() -> list[bytes]:
    """Return what a master of Locust would heed, what it would stumble over, and what imitates a worker of ours."""
    stats = {"stats": [], "stats_total": {"num_requests": 10**9}, "errors": {}, "user_classes_count": {}}
    sealed = {"body": json.dumps({"kind": "result", "trial": "0" * 32}), "number": 1, "mac": "0" * 64}
    messages: list[tuple[str, Any]] = [
        ("client_ready", -1), ("stats", stats), ("spawning_complete", None), ("quit", None), ("exception", None),
        ("heartbeat", None), ("locustfile", {"version": "2.0.0"}), ("logs", None), ("speedup", 7), ("speedup", "hello"),
        ("speedup", json.dumps(sealed)), ("client_stopped", None), ("unknown", {"deep": [[[[]]]]}),
    ]  # fmt: skip
    packed = [Message(kind, data, "stranger").serialize() for kind, data in messages]
    return [*packed, b"", b"\xc1\xff\xfe", b"GET / HTTP/1.1\r\n\r\n", msgpack.packb([1]), msgpack.packb("text")]


@events.init.add_listener
def _bother(environment: Any, **_: object) -> None:
    socket = zmq.Context().socket(zmq.DEALER)
    socket.setsockopt(zmq.IDENTITY, b"stranger")
    socket.connect(f"tcp://{environment.parsed_options.host}:{PORT}")
    ends = time.monotonic() + LASTS_S
    while time.monotonic() < ends:
        for frame in frames():
            socket.send(frame)
        time.sleep(0.1)
    socket.send(b"\0" * HUGE_BYTES)
    time.sleep(0.5)
    os._exit(0)
