"""The locustfile of a fleet: Locust's master or worker as a carrier of text between hosts, and nothing else.

Runs in Locust's own environment, so it imports nothing of ours. Each line on standard input is a message to send,
`{"to": <id or null>, "text": ...}`, or names a peer that has proved the token, `{"trust": <id>}`. Each line on standard
output is a message that arrived: `{"from": <id>, "text": ...}`; the first line is `{}`, once the other end is reached.

Anyone who can reach the port can send anything. So a frame is at most `FRAME_BYTES` long: ZeroMQ closes the connection
of whoever sends more. What is longer than a hello, or comes more often, is dropped unread unless its peer is trusted.
Locust's own messages are answered without a register that strangers could fill. What is said of all this is bounded and
cleaned. A long text goes in parts, to the master only. Whether a text can be trusted is for its reader to decide.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import gevent
import zmq
from gevent.fileobject import FileObject
from locust import User, events, task
from locust.env import Environment
from locust.exception import RPCError
from locust.rpc import Message, zmqrpc
from locust.runners import MasterRunner, WorkerRunner

TYPE, PART = "speedup", "speedup.part"
FROM_MASTER = (TYPE, "ack", "heartbeat", "reconnect")  # not a set: a peer may send an unhashable type
FRAME_BYTES = 2**16
QUEUED_FRAMES = 64  # of each connection, beside what the kernel holds
PART_CHARACTERS = 12_000  # at most four bytes each
MOST_CHARACTERS = 16 * 2**20  # of a text in parts: a histogram of some hundred thousand different latencies
STRANGER_BYTES = 8192  # enough for a hello
STRANGER_FRAMES = 8  # of each peer in a second: Locust's hello, its heartbeat, and our hello every other second
STRANGERS_FRAMES = 400  # of all of them
SAID_LINES, SAID_CHARACTERS = 50, 200


class Idle(User):
    """Locust wants a user class; none is ever spawned."""

    @task
    def nothing(self) -> None:
        """Do nothing."""


class Complaints:
    """What is wrong with messages, on standard error: the first ones in a line each, then only their number."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, text: str) -> None:
        """Say or count one."""
        self.count += 1
        if self.count <= SAID_LINES:
            sys.stderr.write(f"{ascii(text[:SAID_CHARACTERS])[1:-1]}\n")
        elif str(self.count).strip("0") == "1":
            sys.stderr.write(f"dropped {self.count:,} messages so far\n")


class Gate:
    """Decides which frames are read: all of trusted peers, a few short ones of strangers."""

    def __init__(self) -> None:
        self.trusted: set[str] = set()
        self.second = 0
        self.frames: dict[str, int] = {}

    def admits(self, peer: str, size_bytes: int) -> bool:
        """Return whether a frame of this size may be read now."""
        if peer in self.trusted:
            return True
        if size_bytes > STRANGER_BYTES:
            return False
        if int(time.monotonic()) != self.second:
            self.second, self.frames = int(time.monotonic()), {}
        if sum(self.frames.values()) >= STRANGERS_FRAMES or self.frames.get(peer, 0) >= STRANGER_FRAMES:
            return False
        self.frames[peer] = self.frames.get(peer, 0) + 1
        return True


complain = Complaints()
gate = Gate()


def _limit_frames() -> None:
    """Make sockets close a connection that sends too much at once; this must be set before they bind."""
    opened = zmqrpc.BaseSocket.__init__

    def limited(self: Any, *arguments: Any) -> None:
        opened(self, *arguments)
        self.socket.setsockopt(zmq.MAXMSGSIZE, FRAME_BYTES)
        self.socket.setsockopt(zmq.RCVHWM, QUEUED_FRAMES)

    zmqrpc.BaseSocket.__init__ = limited


def _read_with_care() -> None:
    """Wait for a message that can be read, and drop what comes before; Locust expects only few kinds of garbage."""

    def from_client(self: Any) -> tuple[str, Message]:
        while True:
            peer, *frames = _received(self)
            name = peer.decode(errors="backslashreplace")
            if len(frames) != 1 or not gate.admits(name, len(frames[0])):
                complain(f"dropped a message of {name!r}: longer or more often than a stranger may send")
                continue
            message = _unpacked(frames[0])
            if message is not None:
                message.node_id = name  # who sent it, whatever it says
                return name, message

    def from_master(self: Any) -> Message:
        while True:
            message = _unpacked(_received(self)[-1])
            if message is not None:
                return message

    zmqrpc.BaseSocket.recv_from_client = from_client
    zmqrpc.BaseSocket.recv = from_master


def _received(socket: Any) -> list[bytes]:
    try:
        frames: list[bytes] = socket.socket.recv_multipart()
    except zmq.ZMQError as error:
        raise RPCError("ZMQ network broken") from error
    return frames


def _unpacked(frame: bytes) -> Message | None:
    try:
        return Message.unserialize(frame)
    except Exception as error:  # noqa: BLE001 - a peer may send anything
        complain(f"dropped what is not a message ({type(error).__name__})")
        return None


def _answer_and_carry(runner: type) -> None:
    """Make a master answer what Locust's workers need to hear, carry texts, and drop whatever else a peer sends.

    Locust's own handling would keep a register of whoever says that it is ready.
    """

    def handle(self: Any, peer: str, message: Message) -> None:
        if message.type == "client_ready":
            self.send_message("ack", {"index": 0}, peer)
        elif message.type == "heartbeat":
            self.send_message("heartbeat", None, peer)
        elif message.type in (TYPE, PART):
            listener, _ = self.custom_messages[TYPE]
            listener(environment=self.environment, msg=message)

    runner.handle_message = _surviving(handle)  # type: ignore[attr-defined]


def _drop_the_rest(runner: type) -> None:
    """Make a worker handle only what a carrier needs, whatever else a master sends."""
    handled = runner.handle_message  # type: ignore[attr-defined]

    def handle(self: Any, message: Message) -> None:
        if message.type in FROM_MASTER:
            handled(self, message)

    runner.handle_message = _surviving(handle)  # type: ignore[attr-defined]


def _surviving(handle: Any) -> Any:
    """Return a handler that says what went wrong instead of raising it."""

    def handling(self: Any, *arguments: Any) -> None:
        try:
            handle(self, *arguments)
        except Exception as error:  # noqa: BLE001 - a peer may send anything
            complain(f"dropped a message of type {arguments[-1].type!r}: {error!r}")

    return handling


class Joiner:
    """Joins the parts of each trusted peer's texts."""

    def __init__(self) -> None:
        self.parts: dict[str, list[str]] = {}

    def text(self, peer: str, kind: object, data: object) -> str | None:
        """Return the text that this message is, or completes; None if it is none yet."""
        if not isinstance(data, str):
            return None
        if kind == TYPE:
            return "".join([*self.parts.pop(peer, []), data])
        parts = self.parts.setdefault(peer, [])
        parts.append(data)
        if peer not in gate.trusted or len(parts) * PART_CHARACTERS > MOST_CHARACTERS:
            del self.parts[peer]
            complain(f"dropped parts of a text of {peer!r}: too long, or of a stranger")
        return None


def pieces(text: str) -> Iterator[tuple[str, str]]:
    """Return the messages that carry a text, each of a type and a part of it."""
    last = max(0, len(text) - 1) // PART_CHARACTERS * PART_CHARACTERS
    for start in range(0, last, PART_CHARACTERS):
        yield PART, text[start : start + PART_CHARACTERS]
    yield TYPE, text[last:]


_limit_frames()
_read_with_care()
_answer_and_carry(MasterRunner)
_drop_the_rest(WorkerRunner)


@events.init.add_listener
def _carry(environment: Environment, **_: object) -> None:
    """Carry text until standard input ends; never return, so that Locust begins no test."""
    runner, joiner = environment.runner, Joiner()
    output = FileObject(sys.stdout.fileno(), "wb", close=False)

    def came(msg: Any, **_: object) -> None:
        text = joiner.text(msg.node_id, msg.type, msg.data)
        if text is not None:
            output.write(json.dumps({"from": msg.node_id, "text": text}).encode() + b"\n")
            output.flush()

    runner.register_message(TYPE, came)
    output.write(b"{}\n")  # from now on, texts are sent at once
    output.flush()
    for line in FileObject(sys.stdin.fileno(), "rb", close=False):
        message = json.loads(line)
        if "trust" in message:
            gate.trusted.add(message["trust"])
            continue
        try:
            for kind, part in pieces(message["text"]):
                runner.send_message(kind, part, message.get("to"))
        except Exception as error:  # noqa: BLE001 - the peer is gone; the reader notices its silence
            complain(f"not sent: {error!r}")
        gevent.sleep(0)
    os._exit(0)
